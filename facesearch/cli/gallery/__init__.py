"""Commands that fill, inspect and clean a gallery."""
