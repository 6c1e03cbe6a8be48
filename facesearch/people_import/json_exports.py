"""People in JSON exports: assets of Immich's API, and photos of osxphotos, of Apple Photos.

Immich answers ``GET /assets/{id}`` and ``POST /search/metadata`` with assets (AssetResponseDto),
whose faces are boxes in pixels of an upright picture of a stated size. ``osxphotos query --json``
prints photos (PhotoInfo.asdict), whose faces have ``mwg_rs_area``, of the picture as stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from facesearch.people_import.noted_names import (
    NamedRegion,
    NotedNames,
    box_around,
    checked_box,
)
from indexer.storage.plain_files import read_json

MOST_BYTES = 1 << 30
_UNKNOWN = "_UNKNOWN_"  # as osxphotos calls whom Photos has no name for


@dataclass(frozen=True)
class ExportedPhoto:
    """A photo of an export: its file then, the ``name`` with which it came, and who is on it."""

    path: str
    name: str
    names: NotedNames

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders above the file."""
        return PureWindowsPath(self.path).parts[:-1]  # separators of any system


def read_export(path: Path) -> list[ExportedPhoto]:
    """The photos in the file at ``path`` that have names; raises OSError, or ValueError for a file
    that is of no known program."""
    found = read_json(path, MOST_BYTES)
    items = list(_items(found))
    if not items:
        raise ValueError("expected a list of photos as Immich or osxphotos exports it")
    photos = []
    for item in items:
        read = _immich if "originalFileName" in item else _osxphotos
        if read is _osxphotos and "original_filename" not in item:
            raise ValueError(
                "expected photos with originalFileName (Immich) or original_filename (osxphotos)"
            )
        photo = read(item, str(path))
        if photo.names.regions or photo.names.people or photo.names.unusable:
            photos.append(photo)
    return photos


def _items(found: Any) -> Iterator[Mapping[str, Any]]:
    """The photos of a list, of one photo, or of the answer to a search."""
    if isinstance(found, dict) and isinstance(found.get("assets"), dict):
        found = found["assets"].get("items")
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict):
            yield each


def _immich(item: Mapping[str, Any], source: str) -> ExportedPhoto:
    found = _Collected()
    for person in _dicts(item.get("people")):
        name = _name(person.get("name"))
        faces = list(_dicts(person.get("faces")))
        if name and not faces:
            found.people.append(name)
        for face in faces:
            found.add(name, face, _immich_region)
    return _exported(item, "originalPath", "originalFileName", found.names(source))


def _immich_region(name: str, face: Mapping[str, Any]) -> NamedRegion:
    width, height = float(face["imageWidth"]), float(face["imageHeight"])
    if width <= 0 or height <= 0:
        raise ValueError("a face of a picture without a size")
    x0, x1 = (float(face[f"boundingBoxX{n}"]) / width for n in (1, 2))
    y0, y1 = (float(face[f"boundingBoxY{n}"]) / height for n in (1, 2))
    return NamedRegion(name, checked_box((x0, y0, x1, y1)), True, (width, height))


def _osxphotos(item: Mapping[str, Any], source: str) -> ExportedPhoto:
    found = _Collected()
    for face in _dicts(item.get("faces")):
        found.add(_name(face.get("name")), face, _osxphotos_region)
    persons = item.get("persons")
    for person in persons if isinstance(persons, list) else ():
        if name := _name(person):
            found.people.append(name)
    return _exported(item, "path", "original_filename", found.names(source))


def _osxphotos_region(name: str, face: Mapping[str, Any]) -> NamedRegion:
    area = face["mwg_rs_area"]
    return NamedRegion(name, box_around(*(float(area[key]) for key in ("x", "y", "w", "h"))))


class _Collected:
    """What is found of one photo."""

    def __init__(self) -> None:
        self.regions: list[NamedRegion] = []
        self.people: list[str] = []
        self.unusable: list[str] = []
        self.unnamed = 0

    def add(
        self,
        name: str,
        face: Mapping[str, Any],
        region: Callable[[str, Mapping[str, Any]], NamedRegion],
    ) -> None:
        if not name:
            self.unnamed += 1
            return
        try:
            self.regions.append(region(name, face))
        except (KeyError, TypeError, ValueError) as error:
            missing = "there is no " if isinstance(error, KeyError) else ""
            self.unusable.append(f"{missing}{error}")

    def names(self, source: str) -> NotedNames:
        placed = {region.name for region in self.regions}
        people = tuple(name for name in dict.fromkeys(self.people) if name not in placed)
        return NotedNames(source, tuple(self.regions), people, tuple(self.unusable), self.unnamed)


def _dicts(value: Any) -> Iterator[Mapping[str, Any]]:
    listed = value if isinstance(value, list) else []
    return (each for each in listed if isinstance(each, dict))


def _name(value: Any) -> str:
    name = value.strip() if isinstance(value, str) else ""
    return "" if name == _UNKNOWN else name


def _exported(
    item: Mapping[str, Any], path_key: str, name_key: str, names: NotedNames
) -> ExportedPhoto:
    path, name = (
        value if isinstance(value := item.get(key), str) else "" for key in (path_key, name_key)
    )
    return ExportedPhoto(path, name or PureWindowsPath(path).name, names)
