"""Where names of a photo are noted: in it, in files beside it, and in exports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from facesearch.errors import InputError
from facesearch.images.formats.metadata import PhotoMetadata
from facesearch.images.sidecars import SIDECAR_SUFFIX
from facesearch.people_import.json_exports import ExportedPhoto, read_export
from facesearch.people_import.noted_names import ImportProblem, NotedNames
from facesearch.people_import.picasa import (
    INI_NAMES,
    PicasaFolder,
    names_in_ini,
    photo_key,
    read_contacts,
    read_ini,
)
from facesearch.people_import.safe_xml import MOST_BYTES
from facesearch.people_import.xmp_names import PEOPLE_TAGS, names_in_xmp
from indexer.storage.plain_files import read_plain

_Content = TypeVar("_Content")


@dataclass(frozen=True)
class NameSources:
    """What to read. ``files``: photos, their sidecars and Picasa's files beside them.

    ``contacts`` is Picasa's ``contacts.xml``; ``exports`` are JSON files of Immich or osxphotos;
    ``people_tags`` are the keywords below which keywords are names of people.
    """

    files: bool = True
    contacts: Path | None = None
    exports: tuple[Path, ...] = ()
    people_tags: tuple[str, ...] = PEOPLE_TAGS


class SourceReader:
    """Reads what is noted of the photos of one gallery; ``problems`` are what it could not read.

    Raises InputError at once where a file that ``sources`` name cannot be read.
    """

    def __init__(self, sources: NameSources, photos: Sequence[Path]) -> None:
        self.problems: list[ImportProblem] = []
        self._sources = sources
        self._listings: dict[Path, dict[str, list[Path]]] = {}
        self._picasa: dict[Path, PicasaFolder | None] = {}
        self._exported = self._read_exports(photos)
        self._contacts: dict[str, str] = {}
        if sources.contacts is not None:
            self._contacts = _named_file(sources.contacts, read_contacts)
        if sources.files:
            for folder in sorted({photo.parent for photo in photos}):
                # Picasa writes a contact's name into some of its folders' files only.
                found = self._read_ini(folder)
                for key, name in found.contacts.items() if found else ():
                    self._contacts.setdefault(key, name)

    def names_of(self, photo: Path, metadata: PhotoMetadata) -> list[NotedNames]:
        """What is noted of ``photo``, in which there are ``metadata``."""
        found = list(self._exported.get(photo, ()))
        if not self._sources.files:
            return found
        for packet in filter(None, (metadata.xmp, metadata.extended.packet)):
            found += self._in_xmp(packet, photo)
        if problem := metadata.extended.problem:
            self.problems.append(ImportProblem(str(photo), "bad-xmp", problem))
        for sidecar in self._sidecars(photo):
            try:
                found += self._in_xmp(read_plain(sidecar, MOST_BYTES), sidecar)
            except OSError as error:
                self._refused(sidecar, error)
        folder = self._picasa.get(photo.parent)
        noted = names_in_ini(folder, photo, self._contacts) if folder else None
        return found + ([noted] if noted else [])

    def _in_xmp(self, packet: bytes, place: Path) -> list[NotedNames]:
        try:
            return [names_in_xmp(packet, str(place), self._sources.people_tags)]
        except ValueError as error:
            self.problems.append(ImportProblem(str(place), "bad-xmp", str(error)))
            return []

    def _sidecars(self, photo: Path) -> list[Path]:
        """``a.jpg.xmp`` and ``a.xmp``, in any case."""
        listing = self._listing(photo.parent)
        names = dict.fromkeys(
            photo_key(f"{name}{SIDECAR_SUFFIX}") for name in (photo.name, photo.stem)
        )
        return [path for name in names for path in listing.get(name, ())]

    def _listing(self, folder: Path) -> dict[str, list[Path]]:
        """The files of a folder that names may be in, by their names as these are looked up."""
        if folder not in self._listings:
            listing: dict[str, list[Path]] = {}
            try:
                with os.scandir(folder) as entries:
                    for name in sorted(entry.name for entry in entries):
                        key = photo_key(name)
                        if key.endswith(SIDECAR_SUFFIX) or key in INI_NAMES:
                            listing.setdefault(key, []).append(folder / name)
            except OSError as error:
                self._refused(folder, error)
            self._listings[folder] = listing
        return self._listings[folder]

    def _read_ini(self, folder: Path) -> PicasaFolder | None:
        listing = self._listing(folder)
        places = [path for name in INI_NAMES for path in listing.get(name, ())]
        found = None
        for place in places[:1]:
            try:
                found = read_ini(place)
            except OSError as error:
                self._refused(place, error)
        self._picasa[folder] = found
        return found

    def _read_exports(self, photos: Sequence[Path]) -> dict[Path, list[NotedNames]]:
        found: dict[Path, list[NotedNames]] = {}
        if not self._sources.exports:
            return found
        by_name: dict[str, list[Path]] = {}
        for photo in photos:
            by_name.setdefault(photo_key(photo.name), []).append(photo)
        known = {str(photo): photo for photo in photos}
        for export in self._sources.exports:
            for exported in _named_file(export, read_export):
                here = known.get(exported.path) or self._likeliest(exported, by_name, export)
                if here is not None:
                    found.setdefault(here, []).append(exported.names)
        return found

    def _likeliest(
        self, exported: ExportedPhoto, by_name: Mapping[str, list[Path]], export: Path
    ) -> Path | None:
        """The photo of that name whose folders are the most alike, if it is only one."""
        candidates = by_name.get(photo_key(exported.name), [])
        scores = [_shared_end(exported.folders, photo.parts[:-1]) for photo in candidates]
        best = [
            photo for photo, score in zip(candidates, scores, strict=True) if score == max(scores)
        ]
        if len(best) == 1:
            return best[0]
        reason, words = "not-in-gallery", "the gallery has no photo of this name"
        if best:
            reason, words = "ambiguous", f"{len(best)} photos of the gallery have this name"
        self.problems.append(ImportProblem(str(export), reason, f"{exported.name}: {words}"))
        return None

    def _refused(self, place: Path, error: OSError) -> None:
        self.problems.append(ImportProblem(str(place), "unreadable", error.strerror or str(error)))


def _named_file(path: Path, read: Callable[[Path], _Content]) -> _Content:
    """What ``read`` reads from a file that somebody named."""
    try:
        return read(path.resolve())
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read names from {path}: {error}") from error


def _shared_end(one: Iterable[str], other: Iterable[str]) -> int:
    """How many of the last folders of two paths have equal names."""
    shared = 0
    for a, b in zip(reversed(tuple(one)), reversed(tuple(other)), strict=False):
        if photo_key(a) != photo_key(b):
            break
        shared += 1
    return shared
