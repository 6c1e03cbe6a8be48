"""Which encoders there are: those known by name, those that users added, learned thresholds."""
