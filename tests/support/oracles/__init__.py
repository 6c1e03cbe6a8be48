"""Plain, slow implementations that fast ones are compared with."""
