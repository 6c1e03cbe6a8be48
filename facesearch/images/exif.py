"""Orientation and capture time from EXIF (CIPA DC-008), whose writers are not to be trusted."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from PIL import Image

_ORIENTATION = 0x0112
_EXIF_DIRECTORY = 0x8769

# (date tag, offset tag) from the best to the last resort: original, digitised, file changed.
_CAPTURE_TAGS = ((0x9003, 0x9011), (0x9004, 0x9012))
_CHANGE_TAGS = (0x0132, 0x9010)

# Some writers pad with spaces where EXIF asks for zeros, or leave the time out.
_DATE = re.compile(r"(\d{4})[:\-/.]([ \d]\d)[:\-/.]([ \d]\d)(?=\D|$)")
_TIME = re.compile(r"[ T]+([ \d]?\d):([ \d]\d)(?::([ \d]\d))?(?:[.,]\d*)?")
_NO_TIME = re.compile(r"[ T:]*$")  # EXIF: colons between blanks where the time is not known
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d")


def read_exif(image: Image.Image) -> tuple[int, str]:
    """As :func:`exif_facts`, of an image.

    Damaged EXIF is no reason to refuse a photo, so nothing is raised for it.
    """
    try:
        return exif_facts(image.getexif())
    except Exception:  # Pillow's parser throws SyntaxError, struct.error, KeyError and more
        return 1, ""


def exif_facts(exif: Image.Exif) -> tuple[int, str]:
    """Orientation (1 to 8; 1 if unstated or wrong) and capture time (ISO 8601 or "")."""
    try:
        orientation = exif.get(_ORIENTATION, 1)
    except Exception:
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
    """``YYYY-MM-DDTHH:MM:SS`` with the offset if that is valid; "" for a date that is not.

    Midnight may be written as 24:00:00, and a leap second has the number 60. A date without a time
    is ``YYYY-MM-DD``.
    """
    text = _text(date)
    match = _DATE.match(text)
    if match is None:
        return ""
    try:
        day = datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]
    except ValueError:
        return ""  # such as 0000:00:00, the mark of a camera whose clock was never set
    rest = text[match.end() :]
    if _NO_TIME.match(rest):
        return day.date().isoformat()
    since_midnight = _since_midnight(rest)
    if since_midnight is None:
        return ""
    zone = _text(offset)
    try:
        moment = day + since_midnight
    except OverflowError:  # the midnight that ends the year 9999
        return ""
    return moment.isoformat() + (zone if _OFFSET.fullmatch(zone) else "")


def _since_midnight(text: str) -> timedelta | None:
    """The time of day in whole seconds; None where ``text`` states none."""
    match = _TIME.match(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if minutes > 59 or seconds > 60:
        return None
    time = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return time if hours < 24 or time == timedelta(days=1) else None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip(" \t\r\n\0") if isinstance(value, str) else ""
