"""Faces and people as the page's templates show them."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from facesearch.album.model import AlbumFace, AlbumPerson

# Not the calendar module's, which follow the process's locale; the page is in English.
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True)
class FaceView:
    """One face as the template shows it."""

    face: AlbumFace
    label: str
    href: str
    crop: Path | None
    inline: bool
    problem: str | None
    video: str | None = None

    @property
    def alt(self) -> str:
        return f"Face of {self.label} in {self.face.name}"

    @property
    def src(self) -> str | None:
        """The crop as a data URI (or a relative link in a huge album), None where there is none."""
        if self.crop is None:
            return None
        if not self.inline:
            return f"crops/{self.crop.name}"
        return "data:image/jpeg;base64," + base64.b64encode(self.crop.read_bytes()).decode("ascii")

    @property
    def box(self) -> str:
        """Left, top, width and height in percent of the upright photo."""
        (x0, y0, x1, y1), (width, height) = self.face.box, self.face.photo_size
        left, top = 100 * x0 / width, 100 * y0 / height
        return f"{left:.3f} {top:.3f} {100 * x1 / width - left:.3f} {100 * y1 / height - top:.3f}"

    @property
    def taken(self) -> str:
        return day(self.face.taken_at)


@dataclass(frozen=True)
class PersonView:
    """One person: the cover and the other faces, the surest first."""

    person: AlbumPerson
    cover: FaceView
    others: Sequence[FaceView]

    @property
    def dates(self) -> str:
        return day_range(self.person.first_taken, self.person.last_taken)

    @property
    def quality(self) -> str:
        """``97%``, never 100%, "" where nothing tells."""
        if math.isnan(self.person.quality):
            return ""
        return f"{min(int(100 * self.person.quality), 99)}%"


def number(value: int) -> str:
    """``1204`` as ``1,204``."""
    return f"{value:,}"


def day(taken_at: str) -> str:
    """``12 May 2019`` for an ISO 8601 time, "" where it states no valid day."""
    if not (match := re.match(r"(\d{4})-(\d\d)-(\d\d)", taken_at)):
        return ""
    year, month, date = map(int, match.groups())
    return f"{date} {MONTHS[month - 1]} {year}" if 1 <= month <= 12 else ""


def day_range(first: str, last: str) -> str:
    """``12 May 2019 to 3 June 2021``; one day where both fall on it, "" where none is known."""
    start, end = day(first), day(last)
    return start if start == end else f"{start} to {end}"


def moment(created_at: str) -> str:
    """``23 November 2026, 20:47`` for an ISO 8601 time; other text as it is."""
    try:
        when = datetime.fromisoformat(created_at)
    except ValueError:
        return created_at
    return f"{day(created_at)}, {when:%H:%M}"


def period(start: str) -> str:
    """``June 2024`` for ``2024-06``, ``2024`` for itself."""
    year, _, month = start.partition("-")
    return f"{MONTHS[int(month) - 1]} {year}" if month else year
