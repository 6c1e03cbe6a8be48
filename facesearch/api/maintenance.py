"""Delete faces for good, and verify a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facesearch import check
from facesearch.api.arguments import AnyGallery, AnyPath, to_gallery, to_names, to_path, to_photos
from facesearch.argument_checks import instance, several, whole_number
from facesearch.check import Finding
from facesearch.erasure import forget
from facesearch.erasure.forget import ForgetReport, Selection
from facesearch.erasure.verify import erasure_problems


def forget_faces(
    gallery: AnyGallery,
    *,
    photos: AnyPath | Sequence[AnyPath] = (),
    ids: Sequence[int] = (),
    people: Sequence[str] = (),
    receipt: AnyPath | None = None,
    dry_run: bool = False,
    previewed: str | None = None,
) -> ForgetReport:
    """Delete faces for good: all of ``photos``, those of ``ids``, and those named as ``people``.

    Their vectors, boxes and names are in no file of the gallery afterwards, and indexing their
    photos again does not bring them back. Without any face this finishes what an earlier call was
    kept from finishing. People's faces are those decided to be theirs and those the last clustering
    gave them. A receipt is written, to the new file ``receipt`` or into the gallery. ``dry_run``
    tells what would be deleted, and deletes nothing; with the ``digest`` of its answer as
    ``previewed`` just that is deleted, or nothing. Raises InputError for a photo, face or name
    that the gallery does not have, ChangedGalleryError where it is no longer what was previewed,
    BusyGalleryError when another process is writing.
    """
    named = to_names(people, "the name of a person as people")
    selection = Selection(_several(photos), _numbers(ids), named)
    if previewed is not None:
        instance(previewed, str, "the digest of a preview as previewed")
    if dry_run:
        return forget.preview(to_gallery(gallery), selection)
    place = None if receipt is None else to_path(receipt, "file for the receipt")
    opened = to_gallery(gallery)
    return forget.forget(opened, selection, receipt=place, previewed=previewed)


def unforget_photos(gallery: AnyGallery, photos: AnyPath | Sequence[AnyPath]) -> ForgetReport:
    """Let the next :func:`index_photos` take ``photos`` as new, with what was forgotten of them.

    Raises as :func:`forget_faces` does.
    """
    return forget.lift(to_gallery(gallery), to_photos(photos, "photo"))


def check_gallery(gallery: AnyGallery) -> list[Finding]:
    """The problems of a gallery's files: shards, names, index and all else; empty without any."""
    return check.check_gallery(to_gallery(gallery))


def check_erased(gallery: AnyGallery, receipt: AnyPath, *, names: Sequence[str] = ()) -> list[str]:
    """Where something is left of what :func:`forget_faces` deleted; empty if nothing is.

    ``receipt`` is the file that it wrote. ``names`` are looked for too; a receipt holds none.
    Raises InputError for a file that is no receipt.
    """
    wanted = to_names(names, "a name as names")
    return erasure_problems(to_gallery(gallery), to_path(receipt, "receipt"), wanted)


def _numbers(ids: Sequence[int]) -> tuple[int, ...]:
    several(ids, "numbers of faces as ids", "give [number]")
    return tuple(whole_number(each, "the number of a face in ids") for each in ids)


def _several(photos: AnyPath | Sequence[AnyPath]) -> tuple[Path, ...]:
    none = not isinstance(photos, str) and isinstance(photos, Sequence) and not len(photos)
    return () if none else tuple(to_photos(photos, "photo"))
