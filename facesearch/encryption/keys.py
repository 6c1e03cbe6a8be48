"""The secret that opens a gallery, and the key that its files are under.

The files are under a random key. A key made of the secret encrypts that one: by scrypt (RFC 7914)
where the secret is a passphrase, which makes guessing slow, by HKDF where it is a key file.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from facesearch.encryption.blocks import KEY_BYTES, ciphers, derived_key
from facesearch.errors import EncryptedGalleryError, InputError
from indexer.storage.atomic_files import replacing_file
from indexer.storage.plain_files import read_plain

SecretKind = Literal["passphrase", "key-file"]
_CONTEXT = b"facesearch-sealed 1 key"
_MOST_KEY_FILE = 1 << 16
# 128 MiB and some 0.4 s for each guess.
SCRYPT_COST = 1 << 17
_SCRYPT_COSTS = range(1 << 12, (1 << 18) + 1)  # a hostile header may ask for no more
_LEAST_PASSPHRASE = 8
_NO_NONCE = bytes(12)  # the key is used once


@dataclass(frozen=True)
class Secret:
    """A passphrase or the content of a key file."""

    kind: SecretKind
    material: bytes

    @classmethod
    def of_passphrase(cls, text: str) -> Secret:
        """Raises InputError for one of fewer than 8 characters."""
        if len(text) < _LEAST_PASSPHRASE:
            raise InputError(
                f"expected a passphrase of {_LEAST_PASSPHRASE} or more characters, got {len(text)}"
            )
        # One text however the keyboard composes its letters.
        return cls(
            "passphrase", unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
        )

    @classmethod
    def of_key_file(cls, path: Path) -> Secret:
        """Raises InputError for a file that cannot be read or has fewer than 32 bytes."""
        try:
            material = read_plain(path.resolve(), _MOST_KEY_FILE)
        except OSError as error:
            raise InputError(f"cannot read the key file {path}: {error}") from error
        if len(material) < KEY_BYTES:
            raise InputError(
                f"expected a key file of {KEY_BYTES} or more random bytes, got {len(material)} in "
                f"{path}; let facesearch encrypt make one: name a file that is not there"
            )
        return cls("key-file", material)


def make_key_file(path: Path) -> None:
    """Write 32 random bytes, in hexadecimal, to the new file ``path``, for its owner alone."""
    with replacing_file(path, replace=False) as file:
        file.write(secrets.token_hex(KEY_BYTES).encode() + b"\n")


def new_key() -> bytes:
    """A random key for files."""
    return secrets.token_bytes(KEY_BYTES)


def wrapped_key(key: bytes, secret: Secret) -> dict[str, Any]:
    """``key`` under ``secret``, as JSON: opened by :func:`unwrapped_key`."""
    salt = secrets.token_bytes(16)
    cost = {"cost": SCRYPT_COST} if secret.kind == "passphrase" else {}
    cipher = ciphers().BlockCipher(_key_of(secret, salt, SCRYPT_COST))
    sealed = cipher.encrypt(_NO_NONCE, key, _CONTEXT)
    return {"secret": secret.kind, **cost, "salt": salt.hex(), "key": sealed.hex()}


def unwrapped_key(said: dict[str, Any], secret: Secret) -> bytes:
    """The key that :func:`wrapped_key` was given; EncryptedGalleryError for another secret.

    Raises KeyError, TypeError or ValueError for what is no wrapped key.
    """
    kind = said["secret"]
    if kind not in ("passphrase", "key-file"):
        raise ValueError(f"expected a passphrase or a key file, got {kind!r}")
    if secret.kind != kind:
        raise EncryptedGalleryError(f"it opens with a {kind.replace('-', ' ')}")
    cost = int(said["cost"]) if kind == "passphrase" else SCRYPT_COST
    if cost not in _SCRYPT_COSTS or cost & (cost - 1):
        raise ValueError(f"expected a cost that a computer can pay, got {cost}")
    cipher = ciphers().BlockCipher(_key_of(secret, bytes.fromhex(said["salt"]), cost))
    sealed = bytes.fromhex(said["key"])
    try:
        key: bytes = cipher.decrypt(_NO_NONCE, sealed, _CONTEXT)
    except ValueError:
        raise EncryptedGalleryError(f"the {kind.replace('-', ' ')} is not the right one") from None
    return key


def _key_of(secret: Secret, salt: bytes, cost: int) -> bytes:
    if secret.kind == "key-file":
        return derived_key(secret.material, _CONTEXT + salt)
    key: bytes = ciphers().scrypt(secret.material, salt, cost)
    return key
