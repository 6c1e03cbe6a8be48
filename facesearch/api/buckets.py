"""Galleries in object stores."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from facesearch.api.arguments import AnyGallery, AnyPath, to_gallery, to_path
from facesearch.bucket import transfer, working_copy
from facesearch.bucket.transfer import TransferReport
from facesearch.errors import InputError
from facesearch.images.remote.addresses import address_of, is_remote


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


def bucket_gallery(
    address: AnyPath, *, reads_only: bool = False
) -> AbstractContextManager[Path]:
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
