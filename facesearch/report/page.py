"""The album as the values that the page template shows."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import IO

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from facesearch.album import Album, AlbumFace, AlbumPerson
from facesearch.report.crops import Pictures
from facesearch.report.links import photo_href

# Beyond this many crops (about 40 MB of page) they are linked from the folder beside the page.
INLINE_CROPS = 6000
STRIP_FACES = 18  # shown before "more": two full rows on a laptop, three on a phone
FEWEST_FOLDED = 6  # fewer than this are shown at once instead
FRONT_ROW = 12  # people whose covers open the page

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

REASONS = {
    "empty": "The file is empty",
    "unreadable": "The file could not be opened",
    "not-an-image": "Not a photo",
    "unsupported": "A kind of photo that cannot be read here",
    "truncated": "The file ends too early",
    "corrupt": "The file is damaged",
    "too-large": "Larger than the limits allow",
    "timeout": "Took too long to read",
    "internal": "Facesearch itself failed on it",
    "missing": "No longer there",
    "changed": "Changed since it was indexed",
}


@dataclass(frozen=True)
class FaceView:
    """One face as the template shows it."""

    face: AlbumFace
    label: str
    href: str
    crop: Path | None
    inline: bool
    problem: str | None

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


class Page:
    """Everything the template asks for."""

    def __init__(self, album: Album, pictures: Pictures, folder: Path) -> None:
        self.album = album
        self.pictures = pictures
        self.folder = folder
        self.inline = len(pictures.crops) <= INLINE_CROPS
        people = [self._person(person) for person in album.people]
        self.front = people[:FRONT_ROW] if len(people) > 3 else []
        self.named = [view for view in people if view.person.name is not None]
        unnamed = [view for view in people if view.person.name is None]
        self.unnamed = [view for view in unnamed if view.person.photo_count > 1]
        self.once = [view for view in unnamed if view.person.photo_count == 1]
        self.noise = [self._face(face, "nobody in particular") for face in album.noise]
        self.problems = sorted(pictures.problems.values(), key=lambda photo: photo.name)

    @cached_property
    def style(self) -> Markup:
        return _asset("album.css")

    @cached_property
    def script(self) -> Markup:
        return _asset("album.js")

    @property
    def policy(self) -> str:
        """The content security policy: pictures, one style sheet and one script known by digest."""
        style, script = _digest(self.style), _digest(self.script)
        return (
            "default-src 'none'; img-src 'self' data: file:; "
            f"style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'"
        )

    def _person(self, person: AlbumPerson) -> PersonView:
        # The cover has its own place; showing it twice would also store it twice.
        others = [
            self._face(face, person.label)
            for face in person.faces
            if face.face_id != person.cover.face_id
        ]
        return PersonView(person, self._face(person.cover, person.label), others)

    def _face(self, face: AlbumFace, label: str) -> FaceView:
        preview = self.pictures.previews.get(face.photo)
        problem = self.pictures.problems.get(face.photo)
        crop = self.pictures.crops.get(face.face_id)
        return FaceView(
            face,
            label,
            preview or photo_href(face.photo, self.folder),
            None if crop is None else self.folder / crop,
            self.inline,
            reason_text(problem.reason) if problem else None,
        )


def fold(faces: Sequence[FaceView]) -> tuple[Sequence[FaceView], Sequence[FaceView]]:
    """The faces shown at once and those behind "more"."""
    shown = STRIP_FACES if len(faces) >= STRIP_FACES + FEWEST_FOLDED else len(faces)
    return faces[:shown], faces[shown:]


def render(page: Page, file: IO[bytes]) -> None:
    """Write the page to ``file`` piece by piece, so that the crops are never in memory at once."""
    environment = Environment(
        loader=PackageLoader("facesearch.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        fold=fold, number=number, count=count, moment=moment, reason=reason_text
    )
    template = environment.get_template("album.html.jinja")
    template.stream(page=page, album=page.album).dump(file, encoding="utf-8")


def reason_text(reason: str) -> str:
    """What a reader is told for one of ``facesearch.images.REASONS`` (others as they are)."""
    return REASONS.get(reason, reason)


def number(value: int) -> str:
    """``1204`` as ``1,204``."""
    return f"{value:,}"


def count(value: int, singular: str, plural: str = "") -> str:
    """``1 photo``, ``1,204 photos``, ``3 people``."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"


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


def _asset(name: str) -> Markup:
    """A file of this package, to be put into the page as it is."""
    return Markup(resources.files(__package__).joinpath("templates", name).read_text("utf-8"))


def _digest(text: str) -> str:
    """The text's digest as a content security policy writes it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
