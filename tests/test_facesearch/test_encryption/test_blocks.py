"""Blocks come back as they were, and nothing comes back of any that was changed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from facesearch.encryption import blocks, keys
from facesearch.encryption.blocks import TAG_BYTES, decrypted, derived_key, encrypted
from facesearch.encryption.keys import Secret, make_key_file, unwrapped_key, wrapped_key
from facesearch.errors import EncryptedGalleryError, InputError
from indexer.errors import StorageError

SMALL = 16
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", SMALL)
        patch.setattr(keys, "SCRYPT_COST", 1 << 12)
        yield


def sealed(data: bytes, key: bytes = KEY, context: bytes = b"a") -> bytes:
    return b"".join(encrypted([data], key, context))


def opened(data: bytes, key: bytes = KEY, context: bytes = b"a") -> bytes:
    return b"".join(decrypted(io.BytesIO(data), key, context))


@given(st.lists(st.binary(max_size=3 * SMALL), max_size=6))
def test_what_was_encrypted_comes_back(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    made = b"".join(encrypted(pieces, KEY, b"a"))
    assert opened(made) == whole
    assert made == sealed(whole)
    assert len(made) == len(whole) + TAG_BYTES * max(1, -(-len(whole) // SMALL))


@given(st.binary(min_size=1, max_size=5 * SMALL), st.data())
def test_no_other_bytes_are_read(data: bytes, draw: st.DataObject) -> None:
    made = sealed(data)
    size = SMALL + TAG_BYTES
    parts = [made[start : start + size] for start in range(0, len(made), size)]
    kind = draw.draw(st.sampled_from(["bit", "cut", "add", "drop", "swap", "repeat"]))
    at = draw.draw(st.integers(0, len(made) - 1))
    one, two = (draw.draw(st.integers(0, len(parts) - 1)) for _ in range(2))
    changed = {
        "bit": made[:at] + bytes([made[at] ^ 1 << at % 8]) + made[at + 1 :],
        "cut": made[:at],
        "add": made + made[: at + 1],
        "drop": b"".join(parts[:one] + parts[one + 1 :]),
        "swap": b"".join(
            parts[two] if n == one else parts[one] if n == two else part
            for n, part in enumerate(parts)
        ),
        "repeat": b"".join(parts[: one + 1] + parts[one:]),
    }[kind]
    if changed != made:
        with pytest.raises(EncryptedGalleryError):
            opened(changed)


@given(st.binary(min_size=SMALL + 1, max_size=4 * SMALL))
def test_a_block_is_handed_on_only_once_it_was_checked(data: bytes) -> None:
    made = bytearray(sealed(data))
    made[-1] ^= 1
    got = b""
    with pytest.raises(EncryptedGalleryError, match="block"):
        for piece in decrypted(io.BytesIO(bytes(made)), KEY, b"a"):
            got += piece
    assert data.startswith(got) and len(got) == (len(data) - 1) // SMALL * SMALL


def test_another_key_or_context_opens_nothing() -> None:
    made = sealed(b"precious")
    for key, context in ((OTHER, b"a"), (KEY, b"b")):
        with pytest.raises(EncryptedGalleryError, match="block 0"):
            opened(made, key, context)


def test_blocks_are_those_that_the_format_page_describes() -> None:
    data = bytes(range(SMALL + 3))
    made = sealed(data)
    cipher = AESGCM(KEY)
    first, last = bytes(11) + b"\0", bytes(10) + b"\1\1"
    assert cipher.decrypt(first, made[: SMALL + TAG_BYTES], b"a") == data[:SMALL]
    assert cipher.decrypt(last, made[SMALL + TAG_BYTES :], b"a") == data[SMALL:]


def test_keys_for_two_purposes_are_two() -> None:
    derived = {derived_key(KEY, b"a"), derived_key(KEY, b"b"), derived_key(OTHER, b"a")}
    assert len(derived) == 3 and all(len(each) == 32 for each in derived)


def test_a_key_opens_with_its_secret_alone(tmp_path: Path) -> None:
    make_key_file(tmp_path / "key")
    make_key_file(tmp_path / "other")
    right, wrong = (Secret.of_key_file(tmp_path / name) for name in ("key", "other"))
    passphrase = Secret.of_passphrase("correct horse")
    for secret, others in ((right, [wrong, passphrase]), (passphrase, [right])):
        said = wrapped_key(KEY, secret)
        assert unwrapped_key(said, secret) == KEY
        assert said != wrapped_key(KEY, secret)  # salted
        for other in others:
            with pytest.raises(EncryptedGalleryError, match=r"not the right one|opens with a"):
                unwrapped_key(said, other)
    with pytest.raises(EncryptedGalleryError, match="passphrase is not the right one"):
        unwrapped_key(said, Secret.of_passphrase("correct horsf"))
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageError, match="exists"):
        make_key_file(tmp_path / "key")


def test_a_passphrase_is_one_text_however_it_is_typed() -> None:
    composed, combining = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert composed != combining
    assert Secret.of_passphrase(composed) == Secret.of_passphrase(combining)
    with pytest.raises(InputError, match="8 or more characters"):
        Secret.of_passphrase("short")


def test_a_file_of_few_bytes_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"x" * 31)
    for name in ("short", "missing"):
        with pytest.raises(InputError, match="key file"):
            Secret.of_key_file(tmp_path / name)


@pytest.mark.parametrize(
    "said",
    [
        {"cost": 1 << 30}, {"cost": 3}, {"cost": "x"}, {"cost": 0}, {"salt": "zz"}, {"key": 7},
        {"secret": "guess"},
    ],
)  # fmt: skip
def test_a_hostile_header_costs_nothing(said: dict[str, object]) -> None:
    secret = Secret.of_passphrase("correct horse")
    with pytest.raises((ValueError, TypeError)):
        unwrapped_key({**wrapped_key(KEY, secret), **said}, secret)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"no module {name}")

    monkeypatch.setattr(blocks.importlib, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install 'facesearch\[encrypt\]'"):
        sealed(b"x")
