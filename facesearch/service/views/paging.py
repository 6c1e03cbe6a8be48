"""Lists in pages. A cursor names the last item by what the list is ordered by, so that it goes on
where it was, whatever was added or removed before that. A place leads to any part at once."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from facesearch.errors import InputError

Item = TypeVar("Item")
Key = tuple[Any, ...]
MOST_ITEMS = 500
_MOST_LETTERS = 2000


@dataclass(frozen=True)
class WantedPage:
    """Which part of a list is asked for: ``limit`` items after ``cursor``, or else those from the
    place ``start`` on, counted from 0."""

    limit: int
    cursor: str | None = None
    start: int = 0


@dataclass(frozen=True)
class ListPage(Generic[Item]):
    """``items`` of ``total``, and the cursor of what follows; None at the end."""

    items: list[Item]
    following: str | None
    total: int


def page_of(
    items: Sequence[Item], key: Callable[[Item], Key], wanted: WantedPage
) -> ListPage[Item]:
    """The ``wanted`` part of ``items``; ``key`` rises along them and is JSON.

    Raises InputError for a cursor that is none of such a list, and for a cursor and a place.
    """
    start = wanted.start
    if wanted.cursor is not None:
        if start:
            raise InputError("expected a cursor or a start, got both; send one of them")
        last = _decoded(wanted.cursor)
        try:
            start = bisect_right(items, last, key=key)
        except TypeError:
            raise _foreign() from None
    end = start + wanted.limit
    page = list(items[start:end])
    more = end < len(items)
    return ListPage(page, _encoded(key(page[-1])) if more and page else None, len(items))


def _encoded(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _decoded(cursor: str) -> Key:
    try:
        padded = cursor[:_MOST_LETTERS] + "=" * (-len(cursor) % 4)
        found = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, binascii.Error, RecursionError):
        raise _foreign() from None
    if not isinstance(found, list) or not all(
        isinstance(each, str | int | float) for each in found
    ):
        raise _foreign()
    return tuple(found)


def _foreign() -> InputError:
    return InputError(
        "expected a cursor of the same list, as its last page gave it; begin again without one"
    )
