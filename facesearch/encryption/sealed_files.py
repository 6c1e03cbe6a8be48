"""The files of an encrypted gallery: one that lists all, and one for the content of each.

``gallery.sealed`` begins with a line that says what it is and one of JSON that anybody may read:
how the key is made of the secret. The list of files follows, encrypted. It names for each file of
the gallery its size, digest, and the file in ``sealed`` that holds it; such a file is written once,
under a random name and a key of that name, and never changed. So replacing the list is the one step
from one state of the gallery to the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from facesearch.backup.snapshot import is_gallery_file
from facesearch.encryption.blocks import decrypted, derived_key, encrypted
from facesearch.encryption.keys import Secret, new_key, unwrapped_key, wrapped_key
from facesearch.errors import EncryptedGalleryError
from facesearch.gallery.description import SEALED
from indexer.storage.atomic_files import checked_file, make_folder, replacing_file, sync_folder
from indexer.storage.plain_files import open_plain, parse_json

CONTENTS = "sealed"  # the folder
_FIRST_LINE = b"facesearch-sealed 1\n"
_MOST_LINE = 1 << 16
_MOST_LIST = 1 << 28
_PIECE = 1 << 20


class MissingContentError(EncryptedGalleryError):
    """A content that the list names and that is not there: lost, or replaced just now."""


@dataclass(frozen=True)
class SealedFile:
    """A file of the gallery: the ``content`` that holds it, its ``size`` and SHA-256."""

    content: str
    size: int
    sha256: str


@dataclass(frozen=True)
class SealedList:
    """All files by name, the key they are under, and which ``state`` of the gallery it is.

    ``wrapped`` is the key under its secret, as JSON.
    """

    files: Mapping[str, SealedFile]
    key: bytes
    wrapped: Mapping[str, Any]
    state: str

    @classmethod
    def new(cls, secret: Secret) -> SealedList:
        """Of no files, under a new key."""
        key = new_key()
        return cls({}, key, wrapped_key(key, secret), "")

    def holding(self, files: Mapping[str, SealedFile]) -> SealedList:
        """The next state, with ``files``."""
        return SealedList(files, self.key, self.wrapped, secrets.token_hex(16))

    @classmethod
    def read(cls, folder: Path, secret: Secret) -> SealedList:
        """The list of the gallery ``folder``.

        Raises EncryptedGalleryError for another secret, and where the list is not as it was
        written.
        """
        path = folder / SEALED
        try:
            with open_plain(path, _MOST_LIST) as file:
                said, header = _header(file)
                key = unwrapped_key(said["key"], secret)
                state = str(said["state"])
                text = b"".join(decrypted(file, derived_key(key, header), header))
            return cls(_parsed(text), key, said["key"], state)
        except EncryptedGalleryError as error:
            raise EncryptedGalleryError(f"{path} cannot be opened: {error}") from error
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise EncryptedGalleryError(
                f"{path} is not the list of an encrypted gallery, or is damaged: {error}; restore "
                "the folder from a backup"
            ) from error

    def write(self, folder: Path) -> None:
        """Make this the state of the gallery ``folder``; StorageError where that fails."""
        said = json.dumps({"state": self.state, "key": dict(self.wrapped)}).encode()
        header = _FIRST_LINE + said + b"\n"
        document = {"files": {name: vars(each) for name, each in sorted(self.files.items())}}
        text = json.dumps(document).encode()
        with replacing_file(folder / SEALED) as file:
            file.write(header)
            for block in encrypted([text], derived_key(self.key, header), header):
                file.write(block)

    def seal(self, folder: Path, pieces: Iterable[bytes], size: int, sha256: str) -> SealedFile:
        """Write the content of a file of this size and digest; forced to the disk when it returns.

        Raises StorageError where it cannot be written.
        """
        make_folder(folder / CONTENTS)
        each = SealedFile(secrets.token_hex(16), size, sha256)
        with checked_file(folder / CONTENTS / each.content) as file:
            for block in encrypted(pieces, self._key(each), _context(each)):
                file.write(block)
        return each

    def opened(self, folder: Path, name: str) -> Iterator[bytes]:
        """The content of the file ``name`` in pieces, each as it was written.

        Raises MissingContentError where it is not there, EncryptedGalleryError where it is damaged.
        """
        each = self.files[name]
        path = folder / CONTENTS / each.content
        digest, size = hashlib.sha256(), 0
        try:
            with open_plain(path) as file:
                for piece in decrypted(file, self._key(each), _context(each)):
                    digest.update(piece)
                    size += len(piece)
                    yield piece
        except FileNotFoundError:
            raise MissingContentError(
                f"{name} of the gallery is missing, in {path}; restore the folder from a backup"
            ) from None
        except EncryptedGalleryError as error:
            raise EncryptedGalleryError(
                f"{name} of the gallery, in {path}, cannot be read: {error}; restore the folder "
                "from a backup"
            ) from None
        if (size, digest.hexdigest()) != (each.size, each.sha256):
            raise EncryptedGalleryError(f"{name} of the gallery, in {path}, is another file")

    def remove_others(self, folder: Path) -> None:
        """Remove contents of no file of this list: of earlier states and of killed writers."""
        used = {each.content for each in self.files.values()}
        with suppress(FileNotFoundError):
            for path in (folder / CONTENTS).iterdir():
                if path.name not in used:
                    path.unlink()

    def _key(self, each: SealedFile) -> bytes:
        return derived_key(self.key, b"content " + each.content.encode())


def is_sealed(folder: Path) -> bool:
    """Whether ``folder`` is an encrypted gallery."""
    return os.path.lexists(folder / SEALED)


def secret_kind(folder: Path) -> str:
    """What opens the gallery ``folder``: ``passphrase`` or ``key-file``.

    Raises EncryptedGalleryError where its list cannot be read.
    """
    path = folder / SEALED
    try:
        with open_plain(path, _MOST_LIST) as file:
            return str(_header(file)[0]["key"]["secret"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise EncryptedGalleryError(f"{path} cannot be read: {error}") from error


def digest_and_size(file: IO[bytes]) -> tuple[str, int]:
    """SHA-256 and size of an open file, which is at its start again afterwards."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces_of(file):
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    return digest.hexdigest(), size


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of an open file."""
    return iter(lambda: file.read(_PIECE), b"")


def remove_contents(folder: Path) -> None:
    """Remove all contents of a gallery that is encrypted no more."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder / CONTENTS)
    sync_folder(folder)


def _header(file: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """What anybody may read of a list, parsed and as it is."""
    first = file.readline(len(_FIRST_LINE))
    line = file.readline(_MOST_LINE)
    if first != _FIRST_LINE or not line.endswith(b"\n"):
        raise ValueError(f"expected it to begin with {_FIRST_LINE!r}, got {first!r}")
    said = parse_json(line)
    if not isinstance(said, dict):
        raise TypeError("expected an object")
    return said, first + line


def _parsed(text: bytes) -> dict[str, SealedFile]:
    files = {
        str(name): SealedFile(str(each["content"]), int(each["size"]), str(each["sha256"]))
        for name, each in parse_json(text)["files"].items()
    }
    for name, each in files.items():
        if not is_gallery_file(name) or not _is_content(each.content):
            raise ValueError(f"it names {name[:200]!a} in {each.content[:200]!a}")
    return files


def _is_content(name: str) -> bool:
    return len(name) == 32 and set(name) <= set("0123456789abcdef")


def _context(each: SealedFile) -> bytes:
    """What each block of a content is bound to."""
    return f"facesearch-sealed 1 {each.content} {each.size} {each.sha256}".encode()
