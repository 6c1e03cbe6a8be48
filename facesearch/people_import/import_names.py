"""Import names that other programs gave, as one batch of decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facesearch.clustering.current_people import gallery_people
from facesearch.curation.drawn_face import DrawnFaceRow, embed_drawn_face, enter_drawn_faces
from facesearch.engine import DECODE_SIDE, FaceEngine
from facesearch.errors import InputError, PhotoError
from facesearch.gallery.gallery import Gallery
from facesearch.images.file_access import sha256_of
from facesearch.images.photo_reader import photo_reader
from facesearch.people.ledger import FaceDecision, NewDecision
from facesearch.people.projection import replay
from facesearch.people.store import PeopleStore
from facesearch.people_import.name_plan import NamePlan, plan_names
from facesearch.people_import.noted_names import ImportProblem
from facesearch.people_import.noted_photos import NotedFace, PhotoMatcher, gallery_photos
from facesearch.people_import.sources import NameSources, SourceReader
from facesearch.search.gallery_index import refresh_index


@dataclass(frozen=True)
class ImportedPerson:
    """A person with a name, its number (None: a new one, in a dry run), and the faces given."""

    name: str
    number: int | None
    faces: int


@dataclass(frozen=True)
class NamesImport:
    """What an import of names came to, or would.

    ``matched`` faces were found before, ``drawn`` ones at places where a source has one;
    ``by_keyword`` are the only faces of photos with one name and no place; ``known`` had their
    names already. ``conflicts`` with decisions, and of sources with each other, were left as they
    are. ``problems`` are what could not be read or used. ``unnamed`` regions have no name.
    """

    photos: int
    people: tuple[ImportedPerson, ...]
    matched: int
    drawn: int
    by_keyword: int
    known: int
    unnamed: int
    conflicts: tuple[ImportProblem, ...]
    problems: tuple[ImportProblem, ...]
    dry_run: bool


def import_names(
    gallery: Gallery,
    sources: NameSources,
    make_engine: Callable[[], FaceEngine],
    *,
    draw: bool = True,
    dry_run: bool = False,
) -> NamesImport:
    """Give the faces of a gallery the names that ``sources`` have for them.

    ``draw``: a region at which no face was found becomes one, for which ``make_engine`` is called.
    All names are one batch of decisions, which one undo takes back; faces that were drawn stay.
    Raises InputError for a file of ``sources`` that cannot be read, BusyGalleryError where faces
    are to be drawn and another process is writing, ChangedDecisionsError where somebody else
    decided meanwhile: then nothing was entered.
    """
    store = PeopleStore(gallery.folder)
    ledger = store.decisions()
    decided, state = replay(ledger), gallery.state()
    photos = gallery_photos(state)
    matcher = PhotoMatcher(gallery, state, decided.not_faces)
    reader = SourceReader(sources, [photo.location for photo in photos])
    matcher.match(photos, reader)
    noted = matcher.found
    now = gallery_people(gallery, state, decided)
    plan = plan_names(noted.faces, decided, now)
    problems = list(noted.problems)
    if not draw:
        problems += _leave_undrawn(plan)
    drawn: dict[NotedFace, int] = {}
    if not dry_run:
        drawn, refused = _draw(gallery, make_engine, plan)
        problems += refused
    people = _people(store, plan, above=int(now.numbers.max(initial=0)), dry_run=dry_run)
    if not dry_run and people:
        store.decide(_drafts(plan, people, drawn), after=ledger[-1].id if ledger else 0)
    faces = [face for faces in plan.faces.values() for face in faces]
    without = sum(face.face_id is None for face in faces)
    by_keyword = sum(not face.has_place for face in faces)
    return NamesImport(
        photos=noted.photos,
        people=tuple(people),
        matched=len(faces) - without - by_keyword,
        drawn=without,
        by_keyword=by_keyword,
        known=plan.known,
        unnamed=noted.unnamed,
        conflicts=(*noted.contradictions, *plan.conflicts),
        problems=tuple(problems),
        dry_run=dry_run,
    )


def _people(
    store: PeopleStore, plan: NamePlan, *, above: int, dry_run: bool
) -> list[ImportedPerson]:
    """Who gets faces, by name; new people get numbers ``above`` those there are."""
    names = sorted(plan.faces)
    new = [name for name in names if name not in plan.persons]
    numbers: dict[str, int | None] = dict.fromkeys(new)
    if not dry_run:
        numbers |= dict(zip(new, store.new_people(len(new), above), strict=True))
    numbers |= plan.persons
    return [ImportedPerson(name, numbers[name], len(plan.faces[name])) for name in names]


def _drafts(
    plan: NamePlan, people: Sequence[ImportedPerson], drawn: Mapping[NotedFace, int]
) -> list[NewDecision]:
    drafts = []
    for each in people:
        number = each.number or 0
        faces = plan.faces[each.name]
        ids = sorted({drawn[face] if face.face_id is None else face.face_id for face in faces})
        said = tuple(FaceDecision(face, number) for face in ids)
        drafts.append(NewDecision("import", number, name=each.name, faces=said))
    return drafts


def _leave_undrawn(plan: NamePlan) -> list[ImportProblem]:
    """Take the regions without a face out of ``plan``; each as a problem."""
    left = [face for faces in plan.faces.values() for face in faces if face.face_id is None]
    _take_out(plan, left)
    return [
        ImportProblem(str(face.photo.location), "no-face", f"no face was found for {face.name}")
        for face in left
    ]


def _take_out(plan: NamePlan, left: Sequence[NotedFace]) -> None:
    gone = {*left}
    for name, faces in list(plan.faces.items()):
        plan.faces[name] = [face for face in faces if face not in gone]
        if not plan.faces[name]:
            del plan.faces[name]


def _draw(
    gallery: Gallery, make_engine: Callable[[], FaceEngine], plan: NamePlan
) -> tuple[dict[NotedFace, int], list[ImportProblem]]:
    """Make faces of the regions of ``plan`` that have none: their ids, and those that cannot be,
    which are taken out of it."""
    wanted: dict[Path, list[NotedFace]] = {}
    for faces in plan.faces.values():
        for face in faces:
            if face.face_id is None:
                wanted.setdefault(face.photo.location, []).append(face)
    if not wanted:
        return {}, []
    engine = make_engine()
    gallery.require(engine.contract)
    embedded: list[tuple[NotedFace, DrawnFaceRow]] = []
    refused: list[tuple[NotedFace, str, str]] = []
    for location, faces in wanted.items():
        found, failed = _embed(engine, location, faces)
        embedded += found
        refused += failed
    drawn: dict[NotedFace, int] = {}
    entered = enter_drawn_faces(gallery, [face for _, face in embedded]) if embedded else []
    for (noted, _), result in zip(embedded, entered, strict=True):
        if isinstance(result, InputError):
            refused.append((noted, "not-drawn", str(result)))
        else:
            drawn[noted] = result
    if drawn:
        refresh_index(gallery)
    _take_out(plan, [noted for noted, *_ in refused])
    return drawn, [
        ImportProblem(str(noted.photo.location), reason, f"{noted.name}: {detail}")
        for noted, reason, detail in refused
    ]


def _embed(
    engine: FaceEngine, location: Path, faces: Sequence[NotedFace]
) -> tuple[list[tuple[NotedFace, DrawnFaceRow]], list[tuple[NotedFace, str, str]]]:
    """The faces of one photo with their vectors; and which have none, the reason, and why."""
    embedded: list[tuple[NotedFace, DrawnFaceRow]] = []
    refused: list[tuple[NotedFace, str, str]] = []
    try:
        decoded = photo_reader(DECODE_SIDE).read(location)
        if sha256_of(location) != faces[0].photo.sha256:
            raise PhotoError("changed", "run facesearch index again")
    except PhotoError as error:
        return [], [(face, error.reason, error.detail) for face in faces]
    for face in faces:
        try:
            drawn = embed_drawn_face(engine, face.photo.photo_id, face.box, decoded)
            embedded.append((face, drawn))
        except InputError as error:
            refused.append((face, "not-drawn", str(error)))
    return embedded, refused
