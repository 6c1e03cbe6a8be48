"""Galleries under a passphrase or a key file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from facesearch.api.arguments import AnyPath, to_path
from facesearch.argument_checks import instance
from facesearch.encryption import convert, unlocked
from facesearch.encryption.convert import SealReport
from facesearch.encryption.keys import Secret
from facesearch.errors import InputError


def encrypt_gallery(
    gallery: AnyPath, *, passphrase: str | None = None, key_file: AnyPath | None = None
) -> SealReport:
    """Encrypt all files of a gallery under a passphrase or the content of a key file.

    Its report is removed, since browsers cannot open it. Without the secret nothing of the gallery
    can ever be read. Raises InputError where it is encrypted already, BusyGalleryError when another
    process is writing.
    """
    secret = to_secret(passphrase, key_file)
    return convert.encrypt_gallery(to_path(gallery, "gallery"), secret)


def decrypt_gallery(
    gallery: AnyPath, *, passphrase: str | None = None, key_file: AnyPath | None = None
) -> SealReport:
    """Make an encrypted gallery an ordinary one again.

    Raises InputError where it is not encrypted, EncryptedGalleryError for another secret or a
    damaged file, BusyGalleryError when another process is writing.
    """
    secret = to_secret(passphrase, key_file)
    return convert.decrypt_gallery(to_path(gallery, "gallery"), secret)


def change_key(
    gallery: AnyPath,
    *,
    passphrase: str | None = None,
    key_file: AnyPath | None = None,
    new_passphrase: str | None = None,
    new_key_file: AnyPath | None = None,
) -> SealReport:
    """Encrypt an encrypted gallery again, under another secret and with a new key.

    Raises as :func:`decrypt_gallery` does; then the old secret still opens it.
    """
    old, new = to_secret(passphrase, key_file), to_secret(new_passphrase, new_key_file)
    return convert.rotate_key(to_path(gallery, "gallery"), old, new)


def unlocked_gallery(
    gallery: AnyPath,
    *,
    passphrase: str | None = None,
    key_file: AnyPath | None = None,
    reads_only: bool = False,
) -> AbstractContextManager[Path]:
    """A context with the folder of an encrypted gallery, decrypted in memory, for every function.

    What changes in it is encrypted each minute and when the context ends. Other processes cannot
    write to the gallery meanwhile; with ``reads_only`` they can, and changes are kept only where no
    other process made any. Raises as :func:`decrypt_gallery` does, InputError also where there is
    too little memory.
    """
    secret = to_secret(passphrase, key_file)
    return unlocked.unlocked_gallery(to_path(gallery, "gallery"), secret, reads_only=reads_only)


def to_secret(passphrase: str | None, key_file: AnyPath | None) -> Secret:
    """The one secret that is given; InputError for none, both, or one that is none."""
    instance(passphrase, str | None, "a passphrase as text")
    file = None if key_file is None else to_path(key_file, "key file")
    if (passphrase is None) == (key_file is None):
        raise InputError("expected a passphrase or a key file; give one of them")
    if file is not None:
        return Secret.of_key_file(file)
    assert passphrase is not None
    return Secret.of_passphrase(passphrase)
