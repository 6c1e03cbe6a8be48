"""Files encrypted block by block with AES-256-GCM, so that each block is checked as it is read.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár 2015, "Online
authenticated-encryption and its nonce-reuse misuse-resistance"): the nonce of a block is its number
and whether it is the last, so that blocks cannot be left out, repeated, swapped or cut off. Every
file has a key of its name alone (HKDF-SHA256, RFC 5869), under which no nonce comes twice, and the
associated data of its blocks say which file of which content it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

from facesearch.errors import EncryptedGalleryError, InputError

BLOCK_BYTES = 1 << 20
TAG_BYTES = 16
KEY_BYTES = 32
_COUNTER_BYTES = 11  # of the 12 of a nonce


def encrypted(pieces: Iterable[bytes], key: bytes, context: bytes) -> Iterator[bytes]:
    """The encrypted blocks of what ``pieces`` are together; at least one.

    ``key`` (32 bytes) must never be used for anything else. ``context`` is needed to read them.
    """
    cipher = ciphers().BlockCipher(key)
    for number, (block, last) in enumerate(_marked(_blocks(pieces))):
        yield cipher.encrypt(_nonce(number, last), block, context)


def decrypted(source: IO[bytes], key: bytes, context: bytes) -> Iterator[bytes]:
    """The blocks that :func:`encrypted` was given, each checked before it is handed on.

    Raises EncryptedGalleryError at the first that is not as it was written under this key and
    context, and where the last is missing.
    """
    cipher = ciphers().BlockCipher(key)
    read = iter(lambda: source.read(BLOCK_BYTES + TAG_BYTES), b"")
    number = -1
    for number, (block, last) in enumerate(_marked(read)):
        try:
            yield cipher.decrypt(_nonce(number, last), block, context)
        except ValueError:
            raise EncryptedGalleryError(
                f"block {number} is not what was written: it is damaged, cut off or of another file"
            ) from None
    if number < 0:
        raise EncryptedGalleryError("there is nothing in it: all of it was cut off")


def derived_key(key: bytes, purpose: bytes) -> bytes:
    """A key of 32 bytes for one purpose, from which neither ``key`` nor another can be computed."""
    derived: bytes = ciphers().hkdf(key, purpose)
    return derived


def ciphers() -> Any:
    """The module :mod:`facesearch.encryption.ciphers`.

    Raises InputError, with what to install, where the library that it needs is missing.
    """
    try:
        return importlib.import_module("facesearch.encryption.ciphers")
    except ImportError as error:
        raise InputError(
            f"encryption needs the package cryptography ({error}); install it with: "
            "pip install 'facesearch[encrypt]'"
        ) from error


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([last])


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of equal size; the last may be smaller, or empty if all is."""
    kept = bytearray()
    some = False
    for piece in pieces:
        kept += piece
        while len(kept) >= BLOCK_BYTES:
            yield bytes(kept[:BLOCK_BYTES])
            del kept[:BLOCK_BYTES]
            some = True
    if kept or not some:
        yield bytes(kept)


def _marked(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each block, and whether it is the last."""
    before: bytes | None = None
    for block in blocks:
        if before is not None:
            yield before, False
        before = block
    if before is not None:
        yield before, True
