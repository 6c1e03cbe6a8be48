"""What is used of the package ``cryptography``, an extra: load it with :func:`blocks.ciphers`."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_KEY_BYTES = 32
_SCRYPT_BLOCK = 8


class BlockCipher:
    """AES-256-GCM (NIST SP 800-38D) under a key of 32 bytes; a nonce must never be used twice."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, nonce: bytes, block: bytes, context: bytes) -> bytes:
        """``block`` encrypted, and its tag of 16 bytes."""
        return self._cipher.encrypt(nonce, block, context)

    def decrypt(self, nonce: bytes, block: bytes, context: bytes) -> bytes:
        """What :meth:`encrypt` was given; ValueError where anything is not as it was then."""
        try:
            return self._cipher.decrypt(nonce, block, context)
        except InvalidTag:
            raise ValueError("it is not what was encrypted") from None


def hkdf(key: bytes, purpose: bytes) -> bytes:
    """A key for one purpose (RFC 5869), from which neither ``key`` nor another is computed."""
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose).derive(key)


def scrypt(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    """A key of a passphrase (RFC 7914), in ``cost`` KiB of memory."""
    return Scrypt(salt=salt, length=_KEY_BYTES, n=cost, r=_SCRYPT_BLOCK, p=1).derive(passphrase)
