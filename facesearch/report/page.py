"""The album as the values that the page template shows."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import IO

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from facesearch.album.model import Album, AlbumFace, AlbumPerson
from facesearch.images.file_access import absolute
from facesearch.report.advice_view import advice_view, odds
from facesearch.report.crops import Pictures
from facesearch.report.links import photo_href, video_href
from facesearch.report.pagination import PAGE_FACES, AlbumPage, volumes_of
from facesearch.report.plots import Plot, plots_of
from facesearch.report.search_index import FILE
from facesearch.report.timeline import Appearance, Period, periods_of
from facesearch.report.view_models import FaceView, PersonView, moment, number, period
from facesearch.text import count, printable

# Beyond this many crops (about 20 MB of page) they are linked from the folder beside the page.
INLINE_CROPS = 3000
STRIP_FACES = 18  # shown before "more": two full rows on a laptop, three on a phone
FEWEST_FOLDED = 6  # fewer than this are shown at once instead
FRONT_ROW = 12  # people whose covers open the page

REASONS = {
    "empty": "The file is empty",
    "unreadable": "The file could not be opened",
    "not-an-image": "Not a photo",
    "not-a-video": "Not a video",
    "unsupported": "A kind of photo that cannot be read here",
    "truncated": "The file ends too early",
    "partial": "The file ends early",
    "corrupt": "The file is damaged",
    "too-large": "Larger than the limits allow",
    "timeout": "Took too long to read",
    "internal": "Facesearch itself failed on it",
    "missing": "No longer there",
    "changed": "Changed since it was indexed",
    "foreign-sidecar": "Has a sidecar file of another program",
}


@dataclass(frozen=True)
class AppearanceView:
    """A person in a period, with a crop."""

    appearance: Appearance
    face: FaceView


@dataclass(frozen=True)
class PeriodView:
    """A month or a year with the people seen in it."""

    period: Period
    people: Sequence[AppearanceView]


class Page:
    """Everything the template asks for."""

    def __init__(self, album: Album, pictures: Pictures, folder: Path) -> None:
        self.album = album
        self.pictures = pictures
        self.folder = folder
        self.inline = len(pictures.crops) <= INLINE_CROPS
        self.volumes = volumes_of(album, PAGE_FACES)
        people = {person.key: self._person(person) for person in album.people}
        self._people = people
        self._file_of = {
            person.key: volume.file for volume in self.volumes for person in volume.people
        }
        known_first = sorted(people.values(), key=lambda view: view.person.crowd)
        self.front = known_first[:FRONT_ROW] if len(people) > 3 else []
        self.advice = advice_view(album.advice, people)
        often = [each for each in album.people if each.name is not None or each.photo_count > 1]
        self.periods = [
            PeriodView(each, [self._appearance(one) for one in each.people])
            for each in periods_of(often)
        ]
        self.problems = sorted(pictures.problems.values(), key=lambda photo: photo.name)
        self.turn_to(self.volumes[0])

    def turn_to(self, volume: AlbumPage) -> None:
        """Show the people of ``volume``."""
        self.volume = volume
        views = [self._people[person.key] for person in volume.people]
        self.named = [view for view in views if view.person.name is not None]
        unnamed = [view for view in views if view.person.name is None]
        self.unnamed = [view for view in unnamed if view.person.photo_count > 1]
        self.once = [view for view in unnamed if view.person.photo_count == 1]
        self.noise = [self._face(face, "without a person") for face in volume.noise]

    def link(self, key: str) -> str:
        """Where the person ``key`` is, from the page of this volume."""
        file = self._file_of[key]
        return f"#{key}" if file == self.volume.file else f"{file}#{key}"

    @property
    def gallery(self) -> str:
        """The gallery's path as a shell reads it, wherever it is typed."""
        gallery = self.album.about.gallery
        return "GALLERY" if gallery is None else shlex.quote(printable(absolute(gallery), "\ufffd"))

    @property
    def index(self) -> str | None:
        """The script that knows the other pages, if there are any."""
        return FILE if len(self.volumes) > 1 else None

    @property
    def first(self) -> bool:
        """Whether this page is the one that tells of the whole album."""
        return self.volume.number == 1

    @property
    def plots(self) -> Sequence[Plot]:
        return plots_of(self.album)

    @cached_property
    def style(self) -> Markup:
        return _asset("album.css")

    @cached_property
    def script(self) -> Markup:
        return _asset("album.js")

    @property
    def policy(self) -> str:
        """The content security policy: pictures, one style sheet and one script known by digest,
        which may load the index of the search."""
        style, script = _digest(self.style), _digest(self.script)
        loading = " 'strict-dynamic'" if self.index else ""
        return (
            "default-src 'none'; img-src 'self' data: file:; "
            f"style-src '{style}'; script-src '{script}'{loading}; "
            "base-uri 'none'; form-action 'none'"
        )

    def _person(self, person: AlbumPerson) -> PersonView:
        # The cover has its own place; showing it twice would also store it twice.
        others = [
            self._face(face, person.label)
            for face in person.faces
            if face.face_id != person.cover.face_id
        ]
        return PersonView(person, self._face(person.cover, person.label), others)

    def _appearance(self, appearance: Appearance) -> AppearanceView:
        person = appearance.person
        return AppearanceView(appearance, self._face(appearance.face, person.label))

    def _face(self, face: AlbumFace, label: str) -> FaceView:
        preview = self.pictures.previews.get(face.picture)
        problem = self.pictures.problems.get(face.photo)
        crop = self.pictures.crops.get(face.face_id)
        return FaceView(
            face,
            label,
            preview or photo_href(face.photo, self.folder),
            None if crop is None else self.folder / crop,
            self.inline,
            reason_text(problem.reason) if problem else None,
            video_href(face.photo, face.span, self.folder) if face.span else None,
        )


def fold(faces: Sequence[FaceView]) -> tuple[Sequence[FaceView], Sequence[FaceView]]:
    """The faces shown at once and those behind "more"."""
    shown = STRIP_FACES if len(faces) >= STRIP_FACES + FEWEST_FOLDED else len(faces)
    return faces[:shown], faces[shown:]


def render(page: Page, file: IO[bytes], name: str = "album") -> None:
    """Write the page ``name``, album or plots, to ``file``.

    It is written piece by piece, so that the crops are never in memory at once.
    """
    environment = Environment(
        loader=PackageLoader("facesearch.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        fold=fold,
        number=number,
        count=count,
        moment=moment,
        reason=reason_text,
        odds=odds,
        period=period,
    )
    template = environment.get_template(f"{name}.html.jinja")
    template.stream(page=page, album=page.album).dump(file, encoding="utf-8")


def reason_text(reason: str) -> str:
    """What a reader sees for one of ``facesearch.images.REASONS`` (others as they are)."""
    return REASONS.get(reason, reason)


def _asset(name: str) -> Markup:
    """A file of this package, to be put into the page as it is."""
    return Markup(resources.files(__package__).joinpath("templates", name).read_text("utf-8"))


def served_policy() -> str:
    """The content security policy of a report's files where a service shows them.

    Whoever made the folder, no script runs but this version's own and what the service serves, and
    nothing can be asked or sent.
    """
    style, script = (_digest(_asset(name)) for name in ("album.css", "album.js"))
    return (
        f"default-src 'none'; script-src 'self' '{script}'; style-src 'self' '{style}'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _digest(text: str) -> str:
    """The text's digest as a content security policy writes it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
