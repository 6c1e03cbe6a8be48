"""Types that several requests and answers share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from facesearch.search.partial import UnsearchedFaces

_MOST_ID = 2**63 - 1


class Shape(BaseModel):
    """What is sent: only what is declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _to_id(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected an id as digits")
    if isinstance(value, str) and not (
        value.isascii() and value.isdigit() and 0 < len(value) <= 19
    ):
        raise ValueError("expected an id as digits")
    number = int(value)
    if not 0 <= number <= _MOST_ID:
        raise ValueError("expected an id as digits")
    return number


# More than 53 bits, which numbers of JavaScript do not hold: digits in a string.
RecordId = Annotated[
    int,
    BeforeValidator(_to_id, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
    Field(json_schema_extra={"type": "string", "pattern": "^[0-9]{1,19}$"}),
]
BoxList = tuple[float, float, float, float]
Sureness = Annotated[float, Field(ge=0, le=1)]
PersonKeyText = Annotated[str, Field(pattern=r"^p[0-9]{1,15}$")]


def known_number(value: float, digits: int = 4) -> float | None:
    """A number as JSON has it, rounded; None for NaN."""
    return None if math.isnan(value) else round(float(value), digits)


def iso_time(seconds: float | None) -> str | None:
    """Seconds of the epoch as ISO 8601, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


class UnsearchedView(Shape):
    """Faces that were not searched, since the machines that hold these shards did not answer."""

    first_shard: int
    last_shard: int
    faces: int

    @classmethod
    def of_all(cls, found: Sequence[UnsearchedFaces]) -> list[UnsearchedView]:
        """As they are sent."""
        return [
            cls(first_shard=each.first_shard, last_shard=each.last_shard, faces=each.faces)
            for each in found
        ]


class ProblemView(BaseModel):
    """An error (RFC 9457): what was expected, what arrived, and what to do."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str
    action: str
    errors: list[dict[str, Any]] = []
