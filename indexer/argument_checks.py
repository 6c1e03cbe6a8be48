"""Checks of callers' arguments: each error says what was expected, and what arrived."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Collection, Iterable
from numbers import Real
from types import UnionType
from typing import Any

_SHORTENED = reprlib.Repr()
_SHORTENED.maxstring = _SHORTENED.maxother = 80


def describe(value: object) -> str:
    """The type of ``value``, and how it is written, shortened."""
    return f"{type(value).__name__} {_SHORTENED.repr(value)}"


def whole_number(
    value: Any,
    what: str,
    least: int = 0,
    most: int | None = None,
    *,
    error: type[ValueError] = ValueError,
) -> int:
    """``value`` as an int from ``least`` to ``most``; raises ``error`` for anything else."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise error(f"expected {what}, a whole number {bounds}, got {describe(value)}")
    return number


def is_number(value: object) -> bool:
    """Whether ``value`` is a real number, of Python or numpy, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def number(
    value: Any,
    what: str,
    low: float,
    high: float,
    *,
    error: type[ValueError] = ValueError,
) -> float:
    """``value`` as a float from ``low`` to ``high``; raises ``error`` for anything else."""
    if not is_number(value) or not low <= value <= high:
        bounds = f"from {low:g} to {high:g}" if high < float("inf") else f"of {low:g} or more"
        raise error(f"expected {what}, a number {bounds}, got {describe(value)}")
    return float(value)


def instance(
    value: object,
    kind: type | UnionType,
    what: str,
    advice: str = "",
    *,
    error: type[ValueError] = ValueError,
) -> None:
    """Raise ``error``, with ``advice`` what to do, unless ``value`` is of ``kind``."""
    if not isinstance(value, kind):
        raise error(f"expected {what}, got {describe(value)}{advice and f'; {advice}'}")


def several(
    values: object, what: str, advice: str = "", *, error: type[ValueError] = ValueError
) -> None:
    """Raise ``error`` unless ``values`` are a list or the like, which one text is not."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise error(f"expected {what}, got {describe(values)}{advice and f'; {advice}'}")


def choice(
    value: object, choices: Collection[str], what: str, *, error: type[ValueError] = ValueError
) -> None:
    """Raise ``error`` unless ``value`` is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        *others, last = choices
        listed = f"{', '.join(others)} or {last}" if others else last
        raise error(f"expected {what} {listed}, got {value!r}")
