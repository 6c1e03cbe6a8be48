"""A gallery as one file, in an object store, or its vectors, for other programs too, and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import get_args

from facesearch.api.arguments import AnyGallery, AnyPath, to_gallery, to_path
from facesearch.argument_checks import choice, instance
from facesearch.backup import archive
from facesearch.backup.archive import ArchiveReport
from facesearch.bucket import transfer, working_copy
from facesearch.bucket.transfer import TransferReport
from facesearch.encoders.types import EncoderContract
from facesearch.errors import InputError
from facesearch.gallery.description import DESCRIPTION, DType
from facesearch.gallery.gallery import Gallery
from facesearch.images.remote.addresses import address_of, is_remote
from facesearch.vector_files import export
from facesearch.vector_files import import_vectors as importing
from facesearch.vector_files.export import Precision, VectorExportReport
from facesearch.vector_files.import_vectors import VectorImportReport
from facesearch.vector_files.sources import VectorSource, open_source

UNKNOWN = "unknown"


def export_gallery(gallery: AnyGallery, path: AnyPath) -> ArchiveReport:
    """Write all of a gallery but its report to the new file ``path``, a ZIP archive with digests.

    It is the gallery as it was at one moment; other processes may write meanwhile. Raises
    InputError where ``path`` exists, GalleryError where a file of the gallery is damaged,
    StorageError where the archive cannot be written; then nothing is there.
    """
    return archive.export_gallery(to_gallery(gallery), to_path(path, "file for the archive"))


def import_gallery(path: AnyPath, gallery: AnyPath) -> ArchiveReport:
    """Make the gallery in the archive ``path`` again, in the new or empty folder ``gallery``.

    Every file is compared with its digest before the folder is there. Raises InputError where
    ``gallery`` has something in it, or ``path`` is damaged or no such archive.
    """
    return archive.import_gallery(to_path(path, "archive"), to_path(gallery, "folder"))


def push_gallery(gallery: AnyGallery, address: AnyPath) -> TransferReport:
    """Send a gallery to an address in an object store, such as ``s3://bucket/my.gallery``.

    Only what has changed is sent; each file is made once, and read back. Raises InputError where
    another gallery lies there, ChangedGalleryError where another machine has changed it since this
    one was brought up to date, GalleryError where the store refuses.
    """
    return transfer.push_gallery(to_gallery(gallery), to_address(address))


def pull_gallery(address: AnyPath, gallery: AnyPath, *, discard: bool = False) -> TransferReport:
    """Fetch a gallery into the new or empty folder ``gallery``, or bring a copy there up to date.

    Every file is compared with its digest. Raises InputError where nothing lies at the address,
    ChangedGalleryError where both have changed, unless changes of the copy are to be ``discard``ed,
    GalleryError where the store refuses.
    """
    folder = to_path(gallery, "folder for a gallery")
    return transfer.pull_gallery(to_address(address), folder, discard=discard)


def bucket_gallery(address: AnyPath, *, reads_only: bool = False) -> AbstractContextManager[Path]:
    """A context with the folder of this machine's copy of a gallery, for every function.

    The copy is brought up to date first. What changes in it is sent every five minutes and when the
    context ends without an error; with ``reads_only`` nothing is sent. Raises as
    :func:`pull_gallery` and :func:`push_gallery` do.
    """
    return working_copy.bucket_gallery(to_address(address), reads_only=reads_only)


def to_address(address: AnyPath) -> str:
    """An address of an object store; raises InputError for anything else."""
    path = to_path(address, "address of a gallery")
    if not is_remote(path):
        raise InputError(f"expected an address such as s3://bucket/my.gallery, got {path}")
    return address_of(path)


def export_vectors(
    gallery: AnyGallery, path: AnyPath, *, dtype: Precision = "float32"
) -> VectorExportReport:
    """Write the live faces of a gallery to the new Parquet file ``path``.

    A row has the face's id, its vector of ``dtype``, photo, box, quality, person and name, as
    ``docs/exchange.md`` states. Raises InputError where ``path`` exists or pyarrow is not
    installed, GalleryError where a file of the gallery is damaged, StorageError where the file
    cannot be written; then nothing is there.
    """
    choice(dtype, get_args(Precision), "dtype")
    return export.export_vectors(
        to_gallery(gallery), to_path(path, "file for the vectors"), dtype=dtype
    )


def import_vectors(
    path: AnyPath,
    gallery: AnyPath,
    *,
    encoder_name: str | None = None,
    like: AnyGallery | None = None,
    dtype: DType = "float16",
    normalise: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> VectorImportReport:
    """Add the vectors of the file ``path``, ``*.parquet`` or ``*.npy``, to the folder ``gallery``.

    A new gallery is made where there is none, with ``dtype`` on the disk. Its vectors are of the
    encoder that the file states, of that of the gallery ``like``, or else of one that is called
    ``encoder_name``, of which nothing more is known. Rows that cannot be imported are counted with
    their reason. With ``normalise`` vectors may have any length but 0. ``progress`` gets rows done
    and their number. Raises InputError for a file that cannot be read, or of an encoder without a
    name, ContractError where the vectors are not of the gallery's encoder.
    """
    choice(dtype, get_args(DType), "dtype")
    if encoder_name is not None:
        instance(encoder_name, str, "the name of an encoder as encoder_name")
    file, folder = to_path(path, "file of vectors"), to_path(gallery, "folder for a gallery")
    model = None if like is None else to_gallery(like).contract
    source = open_source(file)
    if os.path.lexists(folder / DESCRIPTION):
        target = Gallery.open(folder)
        contract = _contract(source, model, encoder_name) if model or encoder_name else None
        if model is not None:
            target.require(model)
        elif contract is not None and contract.name != target.contract.name:
            target.require(contract)
    else:
        target = Gallery.create(folder, _contract(source, model, encoder_name), dtype)
    root = Path(os.path.abspath(file))  # noqa: PTH100 - links stay as they are named
    return importing.import_vectors(target, source, root, normalise=normalise, progress=progress)


def _contract(
    source: VectorSource, model: EncoderContract | None, name: str | None
) -> EncoderContract:
    """What is known of the encoder that made the vectors of ``source``."""
    if model is not None:
        return model
    if source.contract is not None:
        if name is not None and name != source.contract.name:
            raise InputError(
                f"expected vectors of the encoder {name!r}, got a file that states "
                f"{source.contract.name!r}; leave the name out"
            )
        return source.contract
    if name is None or not name.strip():
        raise InputError(
            "the file does not say which encoder made its vectors; give its name, or a gallery "
            "with vectors of the same encoder"
        )
    return EncoderContract(name.strip(), "", source.dimension, 0, UNKNOWN, UNKNOWN)
