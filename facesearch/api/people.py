"""Enrol people, export and import decisions, calibrate the threshold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from facesearch.api.arguments import (
    AnyEngine,
    AnyGallery,
    AnyPath,
    require_engine,
    to_engine,
    to_gallery,
    to_path,
    to_paths,
    to_photos,
)
from facesearch.argument_checks import instance, several
from facesearch.curation import enroll as enrolling
from facesearch.curation.enroll import Enrolment, Progress
from facesearch.curation.exchange import (
    ImportResult,
    PersonEntry,
    apply_entries,
    person_entries,
    read_people,
    write_people,
)
from facesearch.curation.people_reader import PeopleReader
from facesearch.curation.suggestions import Suggestion, suggestions
from facesearch.embed import EmbedOptions
from facesearch.encoders import thresholds_in_use
from facesearch.engine_options import DEFAULT_ENGINE
from facesearch.errors import InputError
from facesearch.people.store import normalise_name
from facesearch.people_import import import_names as importing
from facesearch.people_import.import_names import NamesImport
from facesearch.people_import.sources import NameSources
from facesearch.people_import.xmp_names import PEOPLE_TAGS
from facesearch.recognition import calibration
from facesearch.recognition.calibration import Calibration
from facesearch.search.gallery_index import refresh_index


def enroll(
    gallery: AnyGallery,
    name: str,
    photos: AnyPath | Sequence[AnyPath],
    *,
    engine: AnyEngine = DEFAULT_ENGINE,
) -> Enrolment:
    """Give ``name`` to the largest face of each photo; a folder stands for all photos in it.

    Photos that are not in the gallery yet are added to it. A photo without a usable face is
    reported, as is one of several that does not exist, and the others are enrolled. Raises
    InputError for an unusable name, or where nothing exists, BusyGalleryError when another process
    is writing.
    """
    opened, name, paths = to_gallery(gallery), normalise_name(name), to_photos(photos, "photo")
    options = enrolling.ONE_BY_ONE
    if any(path.is_dir() for path in paths):
        options = replace(EmbedOptions.for_cores(), retry_failed=True)
    ready = to_engine(engine, opened.contract, callers=options.threads)
    enrolment = enrolling.enroll(opened, ready, name, paths, options=options)
    refresh_index(opened)
    return enrolment


def enroll_folders(
    gallery: AnyGallery,
    folder: AnyPath,
    *,
    engine: AnyEngine = DEFAULT_ENGINE,
    progress: Progress = lambda report, total: None,
) -> Enrolment:
    """Enrol everybody who has a folder in ``folder``: its name is theirs, its photos show them.

    All names are one decision, which one undo takes back. Photos that are not in the gallery yet
    are added to it; what cannot be used is reported with its reason. Raises InputError where there
    are no folders, BusyGalleryError when another process is writing.
    """
    opened = to_gallery(gallery)
    place = to_path(folder, "folder with a folder for each person")
    if not place.is_dir():
        raise InputError(f"expected a folder with a folder for each person, got {place}")
    options = EmbedOptions.for_cores()
    ready = to_engine(engine, opened.contract, callers=options.threads)
    enrolment = enrolling.enroll_folders(opened, ready, place, options, progress)
    refresh_index(opened)
    return enrolment


def calibrate(gallery: AnyGallery, fpir: float = 0.01) -> Calibration:
    """Learn the identification threshold from a gallery's own faces, and save it.

    ``fpir`` is the share of searches for people who are not enrolled that may return a name, above
    0 and at most 0.1. Raises InputError where no one is enrolled or there are too few people and
    groups to learn from, and for another rate, BusyGalleryError when another process is writing.
    """
    opened = to_gallery(gallery)
    default = thresholds_in_use(opened.contract).cluster
    return calibration.calibrate(opened, opened.state(), fpir, default)


def export_people(gallery: AnyGallery, file: AnyPath) -> list[PersonEntry]:
    """Write names and decisions about people to a new file ``*.json`` or ``*.csv``.

    Returns what was written. Raises InputError for another name, and for a file that exists.
    """
    place = to_path(file, "file")
    people = person_entries(to_gallery(gallery))
    write_people(place, people)
    return people


def people_suggestions(gallery: AnyGallery) -> tuple[Suggestion, ...]:
    """What is worth a look among a gallery's people, in the order to look at it.

    People with names or several photos come before the crowd, and what was put off comes last. What
    was answered is not asked again. Raises GalleryError where nothing was clustered yet.
    """
    opened = to_gallery(gallery)
    state = opened.state()
    return suggestions(opened, state, PeopleReader(opened, state))


def import_people(gallery: AnyGallery, file: AnyPath) -> ImportResult:
    """Apply names and decisions from a file that :func:`export_people` wrote.

    The file may come from another gallery of the same photos.
    One undo takes it back. Raises InputError for a file that cannot be read, or whose faces are all
    not in this gallery.
    """
    return apply_entries(to_gallery(gallery), read_people(to_path(file, "file")))


def import_names(
    gallery: AnyGallery,
    *,
    files: bool = True,
    picasa_contacts: AnyPath | None = None,
    exports: AnyPath | Sequence[AnyPath] = (),
    people_tags: Sequence[str] = PEOPLE_TAGS,
    draw: bool = True,
    dry_run: bool = False,
    engine: AnyEngine = DEFAULT_ENGINE,
) -> NamesImport:
    """Give faces the names that other programs have for them.

    With ``files``: the regions and keywords of XMP in the photos and beside them, and Picasa's
    ``.picasa.ini``, for which ``picasa_contacts`` is its ``contacts.xml``. ``exports`` are JSON
    files of Immich or osxphotos. Keywords below one of ``people_tags``, and people noted without a
    place, name the only face of a photo. With ``draw`` a region where no face was found becomes
    one. With ``dry_run`` nothing is changed.

    Decisions that differ stay, and are reported. All names are one decision, which one undo takes
    back. Raises InputError for a named file that cannot be read, and where nothing is to be read;
    BusyGalleryError when another process is writing.
    """
    opened = to_gallery(gallery)
    several(people_tags, "names of keywords as people_tags")
    for tag in people_tags:
        instance(tag, str, "names of keywords as people_tags")
    require_engine(engine)
    named = exports if isinstance(exports, str | os.PathLike) or exports else ()
    sources = NameSources(
        files,
        None if picasa_contacts is None else to_path(picasa_contacts, "file"),
        tuple(to_paths(named, "file")) if named else (),
        tuple(people_tags),
    )
    if not sources.files and not sources.exports:
        raise InputError("expected files or exports to read names from, got neither")
    return importing.import_names(
        opened,
        sources,
        lambda: to_engine(engine, opened.contract),
        draw=draw,
        dry_run=dry_run,
    )
