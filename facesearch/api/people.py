"""Enrol people, export and import decisions, calibrate the threshold."""

from __future__ import annotations

from collections.abc import Sequence

from facesearch.api.arguments import (
    AnyEngine,
    AnyGallery,
    AnyPath,
    to_engine,
    to_gallery,
    to_path,
    to_photos,
)
from facesearch.curation import enroll as enrolling
from facesearch.curation.enroll import Enrolment
from facesearch.curation.exchange import (
    ImportResult,
    PersonEntry,
    apply_entries,
    person_entries,
    read_people,
    write_people,
)
from facesearch.encoders import thresholds_in_use
from facesearch.engine_options import DEFAULT_ENGINE
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
    """Give ``name`` to the largest face of each photo.

    Photos that are not in the gallery yet are added to it. A photo without a usable face is
    reported, and the others are enrolled. Raises InputError for an unusable name, a folder, or a
    photo that does not exist, BusyGalleryError when another process is writing.
    """
    opened = to_gallery(gallery)
    ready = to_engine(engine, opened.contract)
    enrolment = enrolling.enroll(opened, ready, name, to_photos(photos, "photo"))
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


def import_people(gallery: AnyGallery, file: AnyPath) -> ImportResult:
    """Apply names and decisions from a file that :func:`export_people` wrote.

    The file may come from another gallery of the same photos.
    One undo takes it back. Raises InputError for a file that cannot be read, or whose faces are all
    not in this gallery.
    """
    return apply_entries(to_gallery(gallery), read_people(to_path(file, "file")))
