"""How many examples property tests draw that take long for each."""

from __future__ import annotations

from hypothesis import settings


def examples(few: int, many: int) -> settings:
    """``few`` where every run draws the same ones, ``many`` where ``make fuzz`` draws others."""
    repeatable = settings.default is not None and settings.default.derandomize
    return settings(max_examples=few if repeatable else many, deadline=None)
