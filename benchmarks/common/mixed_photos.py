"""The 2,000 photos that whole jobs are timed on: which they are, and a folder of links to them.

All 675 photos of the album (in the wild, 0.02 to 16 megapixels), the 160 of WIDER FACE (crowds),
30 of two small collections (some of 36 megapixels), and LFW's (one face in 250 x 250 pixels), taken
evenly from its list so that the sum is 2,000. Nothing is drawn at random.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
TOTAL = 2000
_WHOLE = {
    "album": "album/photos",
    "wider": "wider/images",
    "compreface": "photos/compreface",
    "dlib": "photos/dlib",
}
_FILLED_FROM = ("lfw", "lfw/images")
_SUFFIXES = (".jpg", ".jpeg", ".png")


def mixed_photos(data: Path = DATA) -> dict[str, list[Path]]:
    """The photos by collection, each collection's sorted by path."""
    photos = {name: _photos(data / folder) for name, folder in _WHOLE.items()}
    missing = TOTAL - sum(map(len, photos.values()))
    name, folder = _FILLED_FROM
    others = _photos(data / folder)
    photos[name] = [others[i * len(others) // missing] for i in range(missing)]
    return photos


def link_photos(photos: dict[str, list[Path]], folder: Path, every: int = 1) -> int:
    """Make ``folder``, of links to every so-many-th photo of each collection; how many they are."""
    folder.mkdir(parents=True)
    count = 0
    for name, paths in photos.items():
        for path in _taken(paths, every):
            (folder / f"{name}-{path.name}").symlink_to(path.resolve())
            count += 1
    return count


def _taken(paths: Sequence[Path], every: int) -> Sequence[Path]:
    return paths[every // 2 :: every] if every > 1 else paths


def _photos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
