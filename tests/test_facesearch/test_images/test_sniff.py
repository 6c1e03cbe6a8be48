"""Signatures: what Pillow writes is known by its first bytes, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.images import REASONS
from facesearch.images.sniff import HEAD_BYTES, describe, sniff
from support.failures.hostile import encoded_corners


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF"])
def test_written_files_are_recognised(kind: str) -> None:
    head = encoded_corners(kind)[:HEAD_BYTES]
    assert sniff(head) == kind
    assert not any(sniff(head[:length]) == kind for length in range(2))


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0heic", "HEIF"),
        (b"mif1\0\0\0\0avifmif1", "AVIF"),
        (b"msf1\0\0\0\0avis", "AVIF"),
        (b"isom\0\0\0\0avif", None),
        (b"qt  \0\0\0\0", None),
    ],
)
def test_iso_brands(brands: bytes, kind: str | None) -> None:
    box = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands
    # What follows the box is not a brand.
    assert sniff(box + b"avifavif") == kind


@given(st.binary(max_size=HEAD_BYTES))
def test_any_bytes_have_an_answer(head: bytes) -> None:
    sniff(head)
    reason, words = describe(head)
    assert reason in REASONS
    assert words
