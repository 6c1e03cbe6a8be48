"""Commands that ask who is on a photo."""
