"""What a file that is no photo is, by its name."""

from __future__ import annotations

from facesearch.images.formats.extras import is_readable
from facesearch.images.sniff import JPEG_XL_EXTENSIONS, PHOTO_EXTENSIONS, RAW_EXTENSIONS

VIDEO_EXTENSIONS = frozenset(
    (
        ".3g2", ".3gp", ".asf", ".avi", ".flv", ".insv", ".lrv", ".m2t", ".m2ts", ".m4v", ".mkv",
        ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".qt", ".vob", ".webm", ".wmv",
    )
)  # fmt: skip
# Of the part of a Pixel phone's motion photo that Google Takeout writes beside it.
MOTION_EXTENSIONS = frozenset((".mp", ".mp~2"))

_KINDS = {
    "video": VIDEO_EXTENSIONS,
    "live-photo": MOTION_EXTENSIONS,
    "sidecar": frozenset(
        (".aae", ".cos", ".dop", ".json", ".on1", ".pp3", ".rrdata", ".thm", ".xmp")
    ),
    "sound": frozenset(
        (
            ".aac", ".aif", ".aiff", ".amr", ".flac", ".m4a", ".m4b", ".m4p", ".mka", ".mp3",
            ".oga", ".ogg", ".opus", ".wav", ".weba", ".wma",
        )
    ),
    "document": frozenset(
        (
            ".csv", ".doc", ".docx", ".htm", ".html", ".md", ".odp", ".ods", ".odt", ".pages",
            ".pdf", ".ppt", ".pptx", ".rtf", ".txt", ".xls", ".xlsx",
        )
    ),
    "archive": frozenset((".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst")),
}  # fmt: skip
_KIND_OF = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes}


def is_photo_name(suffix: str) -> bool:
    """Whether a name with ``suffix``, lower case, is always that of a photo that can be read."""
    return suffix in PHOTO_EXTENSIONS or bool(reader_of(suffix) and is_readable(reader_of(suffix)))


def reader_of(suffix: str) -> str:
    """The kind of file, "RAW" or "JXL", for which an extra is needed; "" for all others."""
    if suffix in RAW_EXTENSIONS:
        return "RAW"
    return "JXL" if suffix in JPEG_XL_EXTENSIONS else ""


def kind_of_name(suffix: str) -> str:
    """The kind, of :data:`facesearch.images.walk.skipped.KINDS`, of a file that is not read."""
    needed = reader_of(suffix)
    if needed:
        return "raw" if needed == "RAW" else "jpeg-xl"
    return _KIND_OF.get(suffix, "other")
