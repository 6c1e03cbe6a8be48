"""Delete faces for good, and verify a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facesearch import check, forget
from facesearch.api.arguments import AnyGallery, AnyPath, to_gallery, to_paths
from facesearch.check import Finding
from facesearch.forget import ForgetReport, Selection


def forget_faces(
    gallery: AnyGallery,
    *,
    photos: AnyPath | Sequence[AnyPath] = (),
    ids: Sequence[int] = (),
    people: Sequence[str] = (),
) -> ForgetReport:
    """Delete faces for good: all of ``photos``, those of ``ids``, and those named as ``people``.

    Their vectors, boxes and names are nowhere in the gallery afterwards, and indexing their photos
    again does not bring them back. Without any face this finishes what an earlier call was kept
    from finishing. Raises InputError for a photo, face or name that the gallery does not have,
    BusyGalleryError when another process is writing.
    """
    named = (people,) if isinstance(people, str) else tuple(people)
    selection = Selection(_several(photos), tuple(ids), named)
    return forget.forget(to_gallery(gallery), selection)


def unforget_photos(gallery: AnyGallery, photos: AnyPath | Sequence[AnyPath]) -> ForgetReport:
    """Let the next :func:`index_photos` take ``photos`` as new, with what was forgotten of them.

    Raises as :func:`forget_faces` does.
    """
    return forget.lift(to_gallery(gallery), to_paths(photos, "photo"))


def check_gallery(gallery: AnyGallery) -> list[Finding]:
    """Every problem of a gallery's files: shards, names, index and all else; none is good."""
    return check.check_gallery(to_gallery(gallery))


def _several(photos: AnyPath | Sequence[AnyPath]) -> tuple[Path, ...]:
    none = not isinstance(photos, str) and isinstance(photos, Sequence) and not len(photos)
    return () if none else tuple(to_paths(photos, "photo"))
