"""People in Picasa's ``.picasa.ini``, one a folder, and its ``contacts.xml``.

Neither is documented by its maker. ``faces=rect64(H),ID;...`` has the left, top, right and bottom
edge as shares of the picture, each a 16-bit number of H, which lacks leading zeros; the picture is
the stored one, but for camera raw files, where it is upright (as ExifTool's ``picasa_faces.config``
has found). IDs are those of contacts, whose names are in ``[Contacts2]`` or in ``contacts.xml``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facesearch.images.sniff import RAW_EXTENSIONS
from facesearch.people_import.noted_names import NamedRegion, NotedNames, checked_box
from facesearch.people_import.safe_xml import MOST_BYTES, parse_xml
from facesearch.text import composed
from indexer.storage.plain_files import read_plain

INI_NAMES = (".picasa.ini", "picasa.ini")  # in lower case
_FACE = re.compile(r"rect64\(([0-9a-f]{1,16})\),([0-9a-f]{1,16})", re.IGNORECASE)
_NOBODY = "ffffffffffffffff"
_EDGE = 0xFFFF


@dataclass
class PicasaFolder:
    """What ``.picasa.ini`` says: ``faces`` by the photo's name, as (edges, contact), and names of
    ``contacts`` by ID."""

    source: str
    faces: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)


def read_ini(path: Path) -> PicasaFolder:
    """The file at ``path``; raises OSError where it cannot be read."""
    data = read_plain(path, MOST_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # of old versions
        text = data.decode("cp1252", "replace")
    found = PicasaFolder(str(path))
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        key, _, value = line.partition("=")
        if section.casefold() == "contacts2":
            name = value.split(";")[0].strip()
            if name:
                found.contacts[key.strip().lower()] = name
        elif key.strip().lower() == "faces":
            faces = found.faces.setdefault(photo_key(section), [])
            faces += [(edges, contact.lower()) for edges, contact in _FACE.findall(value)]
    return found


def read_contacts(path: Path) -> dict[str, str]:
    """Names by ID from ``contacts.xml``; raises OSError, and ValueError for what is none."""
    root = parse_xml(read_plain(path, MOST_BYTES))
    if root.tag != "contacts":
        raise ValueError(f"expected Picasa's contacts, got <{root.tag}>")
    return {
        each.get("id", "").lower(): name
        for each in root.iter("contact")
        if (name := (each.get("name") or each.get("display") or "").strip())
    }


def names_in_ini(
    folder: PicasaFolder, photo: Path, contacts: Mapping[str, str]
) -> NotedNames | None:
    """What ``folder`` notes of ``photo``; ``contacts`` are names by ID of wherever they are."""
    faces = folder.faces.get(photo_key(photo.name))
    if not faces:
        return None
    regions, unusable, unnamed = [], [], 0
    upright = photo.suffix.lower() in RAW_EXTENSIONS
    for edges, contact in faces:
        if contact == _NOBODY:
            unnamed += 1
            continue
        name = folder.contacts.get(contact) or contacts.get(contact)
        if name is None:
            unusable.append(f"contact {contact} has no name here; give Picasa's contacts.xml")
            continue
        try:
            regions.append(NamedRegion(name, _box(edges), upright=upright))
        except ValueError as error:
            unusable.append(str(error))
    return NotedNames(folder.source, tuple(regions), (), tuple(unusable), unnamed)


def photo_key(name: str) -> str:
    """A photo's name as it is looked up: Windows tells no cases apart, nor normal forms."""
    return composed(name).casefold()


def _box(edges: str) -> tuple[float, float, float, float]:
    number = int(edges, 16)
    left, top, right, bottom = ((number >> shift & _EDGE) / _EDGE for shift in (48, 32, 16, 0))
    return checked_box((left, top, right, bottom))
