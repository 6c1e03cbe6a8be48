"""The format of a file, from its first bytes: names and extensions are too often wrong."""

from __future__ import annotations

import re

# Bytes that sniff() and describe() want to see; ISO files list their brands this early.
HEAD_BYTES = 64

# Names under which photos are kept, lower case. A file with one of them is always a candidate.
PHOTO_EXTENSIONS = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".apng",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".dib",
        ".gif",
        ".heic",
        ".heics",
        ".heif",
        ".heifs",
        ".hif",
        ".avif",
        ".avifs",
        ".jp2",
        ".j2k",
        ".jpf",
        ".jpx",
        ".pbm",
        ".pgm",
        ".pnm",
        ".ppm",
    )
)

JPEG_XL_EXTENSIONS = frozenset((".jxl",))

# Camera raw files. Many wear TIFF's signature, but what a TIFF reader finds inside is a thumbnail.
RAW_EXTENSIONS = frozenset(
    (
        ".3fr",
        ".arw",
        ".cr2",
        ".cr3",
        ".crw",
        ".dcr",
        ".dng",
        ".erf",
        ".fff",
        ".iiq",
        ".k25",
        ".kdc",
        ".mef",
        ".mos",
        ".nef",
        ".nrw",
        ".orf",
        ".pef",
        ".raf",
        ".raw",
        ".rw2",
        ".rwl",
        ".sr2",
        ".srf",
        ".srw",
        ".x3f",
    )
)

_PREFIXES = (
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIRO", "RAW"),  # Olympus, as the next two
    (b"IIRS", "RAW"),
    (b"MMOR", "RAW"),
    (b"IIU\0", "RAW"),  # Panasonic, Leica
    (b"FOVb", "RAW"),  # Sigma
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x0a", "JXL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JXL"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)

# Sizes of the known BMP info headers; "BM" alone begins many a text.
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)

# Width and height follow, perhaps after a comment; "P5" alone begins many a text.
_PNM = re.compile(rb"P[1-6]\s+(?:#|\d+\s+(?:#|\d+\s))")

_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
)

# Images that exist but are not read here.
_UNSUPPORTED = (
    (b"8BPS", "a Photoshop document"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"<svg", "an SVG drawing"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"),
)

_OTHER = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"<!doctype", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<?xml", "an XML file"),
    (b"\x7fELF", "a program"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\x00\x05\x16\x07", "a macOS resource file"),
)


def sniff(head: bytes) -> str | None:
    """The format, or None.

    By Pillow's names JPEG, PNG, WEBP, TIFF, BMP, GIF, HEIF, AVIF, JPEG2000, PPM and JXL; RAW is
    that of a camera whose files do not look like a TIFF.
    """
    if head[8:10] == b"CR" and head[:4] == b"II*\0":  # Canon
        return "RAW"
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if _PNM.match(head):
        return "PPM"
    return _iso_kind(head)


def describe(head: bytes) -> tuple[str, str]:
    """Reason and words for a file that ``sniff`` does not know, by its first bytes."""
    lowered = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for prefix, words in _UNSUPPORTED:
        if head.startswith(prefix) or lowered.startswith(prefix):
            return "unsupported", f"{words}, which is not read"
    if head[4:8] == b"ftyp":
        return "not-an-image", "a video or another ISO media file"
    for prefix, words in _OTHER:
        if head.startswith(prefix) or lowered.startswith(prefix):
            return "not-an-image", words
    return "not-an-image", f"no known image signature in its first bytes ({head[:8].hex(' ')})"


def _iso_kind(head: bytes) -> str | None:
    """HEIF, AVIF or RAW (Canon's) by the brands of ``ftyp`` (ISO/IEC 14496-12, section 4.3)."""
    if head[4:8] != b"ftyp":
        return None
    listed = head[: int.from_bytes(head[:4], "big")]
    brands = [listed[8:12], *(listed[at : at + 4] for at in range(16, len(listed), 4))]
    if brands[0] == b"crx ":
        return "RAW"
    if brands[0] not in _AVIF_BRANDS | _HEIF_BRANDS:
        return None
    # "mif1" and "msf1" only say "still image"; the other brands say how it is coded.
    return "AVIF" if _AVIF_BRANDS.intersection(brands) else "HEIF"
