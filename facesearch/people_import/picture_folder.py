"""The files of a folder: which are one picture, and which of them may hold names of people."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facesearch.images.sidecars import SIDECAR_SUFFIX
from facesearch.images.sniff import RAW_EXTENSIONS
from facesearch.images.walk.file_kinds import is_photo_name, reader_of
from facesearch.images.walk.one_picture import second_files
from facesearch.people_import.picasa import INI_NAMES, photo_key


class PictureFolder:
    """What ``names``, those of the files of ``folder``, are to each other.

    ``photos`` are those of them that a gallery has, whatever their endings are.
    """

    def __init__(self, folder: Path, names: Iterable[str], photos: Iterable[str] = ()) -> None:
        self._folder = folder
        self._notes: dict[str, list[Path]] = {}
        pictures = dict.fromkeys(photos)
        for name in sorted(names):
            key = photo_key(name)
            if key.endswith(SIDECAR_SUFFIX) or key in INI_NAMES:
                self._notes.setdefault(key, []).append(folder / name)
            elif not name.startswith(".") and _is_picture(name):
                pictures[name] = None
        self._first = second_files(str(folder), pictures)
        self._files: dict[str, list[str]] = {}
        self._of_stem: dict[str, dict[str, None]] = {}
        for name in pictures:
            first = self._first.get(name, name)
            self._files.setdefault(first, []).append(name)
            self._of_stem.setdefault(_stem_key(name), {})[first] = None
        self._keys = {photo_key(name) for name in pictures}

    def ini(self) -> Path | None:
        """Picasa's file."""
        found = [path for name in INI_NAMES for path in self._notes.get(name, ())]
        return found[0] if found else None

    def files_of(self, name: str) -> list[str]:
        """All files of the picture that ``name`` is of, it first."""
        others = self._files.get(self._first.get(name, name), ())
        return [name, *(other for other in others if other != name)]

    def sidecars(self, name: str) -> list[Path]:
        """``a.jpg.xmp`` of ``a.jpg``, in any case."""
        return self._notes.get(photo_key(f"{name}{SIDECAR_SUFFIX}"), [])

    def stem_sidecars(self, name: str) -> list[Path]:
        """``a.xmp`` of ``a.jpg``, in any case, unless it is the sidecar of a photo called ``a``.

        Of files of one picture it is the raw file's, beside which Adobe's programs write it.
        """
        if _stem_key(name) in self._keys:
            return []
        files = self.files_of(name)
        raw = [other for other in files if Path(other).suffix.lower() in RAW_EXTENSIONS]
        if raw and name != min(raw):
            return []
        return self._notes.get(f"{_stem_key(name)}{SIDECAR_SUFFIX}", [])

    def namesakes(self, name: str) -> list[str]:
        """The pictures, each by its first file, that are called ``name`` but for the ending."""
        return sorted(self._of_stem.get(_stem_key(name), ()))


def _is_picture(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return is_photo_name(suffix) or bool(reader_of(suffix))


def _stem_key(name: str) -> str:
    return photo_key(Path(name).stem)
