"""The account of files that are not read as photos: how many, of which kind, and where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

# In words, by kind. The names of kinds are those of the account in JSON.
KINDS = {
    "video": "videos",
    "live-photo": "moving parts of live photos",
    "second-file": "second files of one picture",
    "link": "other names of what was found already",
    "raw": "camera raw files",
    "jpeg-xl": "JPEG XL images",
    "sidecar": "sidecar files",
    "sound": "sound files",
    "document": "documents",
    "archive": "archives",
    "hidden": "hidden files",
    "thumbnails": "in folders of thumbnails",
    "previews": "in folders of previews",
    "trash": "in trash folders",
    "snapshots": "in folders of snapshots",
    "system": "in system folders",
    "gallery": "in galleries",
    "report": "in reports",
    "special": "pipes, sockets, devices and links to nothing",
    "other": "other files",
}
_MOST_FOLDERS = 1000


@dataclass(frozen=True)
class LeftOutFolder:
    """A folder that was not walked through: its kind, and how many files are in it."""

    folder: Path
    kind: str
    files: int


@dataclass
class SkippedFiles:
    """Files by kind of :data:`KINDS`; ``endings`` are those of the names of other files.

    ``folders`` are the first thousand that were left out. ``refused`` folders could not be read:
    what is in them is not known.
    """

    counts: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    folders: list[LeftOutFolder] = field(default_factory=list)
    refused: int = 0

    def add(self, kind: str, ending: str = "") -> None:
        """Count one file."""
        self.counts[kind] += 1
        if kind == "other":
            self.endings[ending] += 1

    def add_folder(self, folder: Path, kind: str, files: int) -> None:
        """Count all files of a folder."""
        self.counts[kind] += files
        if len(self.folders) < _MOST_FOLDERS:
            self.folders.append(LeftOutFolder(folder, kind, files))

    @property
    def total(self) -> int:
        """How many files were skipped."""
        return self.counts.total()
