"""Bytes that are not meant well, for every parser of what others may write: see ``coverage.py``."""
