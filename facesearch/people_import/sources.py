"""Where names of a photo are noted: in it, in files beside it, and in exports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from facesearch.errors import InputError, PhotoError
from facesearch.images.formats.extended_xmp import NO_EXTENSION
from facesearch.images.formats.metadata import PhotoMetadata, read_metadata
from facesearch.people_import.json_exports import ExportedPhoto, read_export
from facesearch.people_import.noted_names import ImportProblem, NotedNames
from facesearch.people_import.picasa import (
    PicasaFolder,
    names_in_ini,
    photo_key,
    read_contacts,
    read_ini,
)
from facesearch.people_import.picture_folder import PictureFolder
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
        self._photos = frozenset(photos)
        self._folders: dict[Path, PictureFolder] = {}
        self._ambiguous: set[Path] = set()  # sidecars that are said to be
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
        """What is noted of ``photo``, in which there are ``metadata``.

        Of its picture there may be other files, that are no photos of the gallery: what is noted of
        these has their metadata.
        """
        found = list(self._exported.get(photo, ()))
        if not self._sources.files:
            return found
        found += self._of_file(photo, metadata)
        for name in self._folder(photo.parent).files_of(photo.name)[1:]:
            if (other := photo.with_name(name)) not in self._photos:
                found += self._of_second(other, metadata)
        return found

    def _of_second(self, path: Path, first: PhotoMetadata) -> list[NotedNames]:
        """What is noted of a second file of the picture whose file read has the metadata ``first``.

        Where it cannot be read, what is beside it is taken to be of a picture like the first.
        """
        try:
            metadata = read_metadata(path)
        except PhotoError as error:
            self.problems.append(ImportProblem(str(path), error.reason, error.detail))
            metadata = replace(first, xmp=b"", extended=NO_EXTENSION)
        return [replace(each, file=metadata) for each in self._of_file(path, metadata)]

    def _of_file(self, path: Path, metadata: PhotoMetadata) -> list[NotedNames]:
        """What is noted of one file: in it, beside it, and by Picasa."""
        folder = self._folder(path.parent)
        found = []
        for packet in filter(None, (metadata.xmp, metadata.extended.packet)):
            found += self._in_xmp(packet, path)
        if problem := metadata.extended.problem:
            self.problems.append(ImportProblem(str(path), "bad-xmp", problem))
        for sidecar in folder.sidecars(path.name):
            found += self._in_sidecar(sidecar)
        for sidecar in folder.stem_sidecars(path.name):
            found += self._of_stem(sidecar, folder.namesakes(path.name))
        ini = self._picasa.get(path.parent)
        noted = names_in_ini(ini, path, self._contacts) if ini else None
        return found + ([noted] if noted else [])

    def _of_stem(self, sidecar: Path, pictures: list[str]) -> list[NotedNames]:
        """What ``a.xmp`` notes, if it is of one picture only; of several, nobody knows which."""
        if len(pictures) <= 1:
            return self._in_sidecar(sidecar)
        if sidecar not in self._ambiguous:
            self._ambiguous.add(sidecar)
            if any(each.regions or each.people for each in self._in_sidecar(sidecar)):
                detail = f"its names may be of any of {', '.join(pictures)}"
                self.problems.append(ImportProblem(str(sidecar), "ambiguous", detail))
        return []

    def _in_sidecar(self, sidecar: Path) -> list[NotedNames]:
        try:
            return self._in_xmp(read_plain(sidecar, MOST_BYTES), sidecar)
        except OSError as error:
            self._refused(sidecar, error)
            return []

    def _in_xmp(self, packet: bytes, place: Path) -> list[NotedNames]:
        try:
            return [names_in_xmp(packet, str(place), self._sources.people_tags)]
        except ValueError as error:
            self.problems.append(ImportProblem(str(place), "bad-xmp", str(error)))
            return []

    def _folder(self, folder: Path) -> PictureFolder:
        if folder not in self._folders:
            names: list[str] = []
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries if not entry.is_dir()]
            except OSError as error:
                self._refused(folder, error)
            photos = [name for name in names if folder / name in self._photos]
            self._folders[folder] = PictureFolder(folder, names, photos)
        return self._folders[folder]

    def _read_ini(self, folder: Path) -> PicasaFolder | None:
        found = None
        place = self._folder(folder).ini()
        if place is not None:
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
