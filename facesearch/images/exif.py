"""Orientation and capture time from EXIF (CIPA DC-008), whose writers are not to be trusted."""

from __future__ import annotations

import re
from datetime import datetime

from PIL import Image

_ORIENTATION = 0x0112
_EXIF_DIRECTORY = 0x8769

# (date tag, offset tag) from the best to the last resort: original, digitised, file changed.
_CAPTURE_TAGS = ((0x9003, 0x9011), (0x9004, 0x9012))
_CHANGE_TAGS = (0x0132, 0x9010)

_DATE = re.compile(r"(\d{4})[:\-/.](\d{2})[:\-/.](\d{2})[ T](\d{2}):(\d{2}):(\d{2})")
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d")


def read_exif(image: Image.Image) -> tuple[int, str]:
    """Orientation (1 to 8; 1 if unstated or wrong) and capture time (ISO 8601 or "").

    Damaged EXIF is no reason to refuse a photo, so nothing is raised for it.
    """
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION, 1)
    except Exception:  # Pillow's parser throws SyntaxError, struct.error, KeyError and more
        return 1, ""
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    try:
        return orientation, _taken_at(exif)
    except Exception:
        return orientation, ""


def _taken_at(exif: Image.Exif) -> str:
    capture = exif.get_ifd(_EXIF_DIRECTORY)
    for date_tag, offset_tag in _CAPTURE_TAGS:
        if taken := iso_time(capture.get(date_tag), capture.get(offset_tag)):
            return taken
    date_tag, offset_tag = _CHANGE_TAGS
    return iso_time(exif.get(date_tag), capture.get(offset_tag))


def iso_time(date: object, offset: object) -> str:
    """``YYYY-MM-DDTHH:MM:SS`` with the offset if that is valid; "" for a date that is not."""
    match = _DATE.match(_text(date))
    if match is None:
        return ""
    try:
        moment = datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]
    except ValueError:
        return ""  # such as 0000:00:00, the mark of a camera whose clock was never set
    zone = _text(offset)
    return moment.isoformat() + (zone if _OFFSET.fullmatch(zone) else "")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip(" \t\r\n\0") if isinstance(value, str) else ""
