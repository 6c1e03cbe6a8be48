"""Counts in words."""

from __future__ import annotations


def count(value: int, singular: str, plural: str = "") -> str:
    """``1 photo``, ``1,204 photos``, ``3 people``."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"
