"""What the search of one page needs to know of the album's other pages, as a script.

Pages are opened from the disk, where a page may load scripts but ask for no other file. So this one
is loaded when somebody first searches.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from facesearch.album.model import AlbumPerson
from facesearch.report.pagination import AlbumPage
from indexer.storage.plain_files import parse_json

FILE = "search-index.js"
# Of more photos only people are found on other pages: the script would take long to load.
MOST_PHOTOS = 50_000
_START, _END = "var facesearchIndex = ", ";\n"


def search_index(volumes: Sequence[AlbumPage], crops: Mapping[int, str]) -> str:
    """The script: it sets ``facesearchIndex`` to people and photos.

    ``people`` are [label, key, whether they have a name, number of the page, photos, crop] in the
    order of the pages; ``photos`` are [name, places of people in that list], and -n among these for
    page n where it shows a face without a person; null where there are too many photos.
    ``crops`` are paths by face id.
    """
    shown = [(person, volume.number) for volume in volumes for person in volume.people]
    photos: dict[str, list[int]] = {}
    for place, (person, _) in enumerate(shown):
        for name in {face.name for face in person.faces}:
            photos.setdefault(name, []).append(place)
    for volume in volumes:
        for name in {face.name for face in volume.noise}:
            photos.setdefault(name, []).append(-volume.number)
    index = {
        "people": [_person(person, page, crops) for person, page in shown],
        "photos": None
        if len(photos) > MOST_PHOTOS
        else [[name, *places] for name, places in sorted(photos.items())],
    }
    return _script(index)


def remade(script: bytes) -> str:
    """The script again, made of the values that ``script`` holds, so that nothing else of it runs.

    Raises ValueError for any other script: a folder may come from somebody else.
    """
    text = script.decode()
    if not (text.startswith(_START) and text.endswith(_END)):
        raise ValueError("it is not the index of the search of a report")
    return _script(parse_json(text[len(_START) : -len(_END)]))


def _script(index: Any) -> str:
    return f"{_START}{json.dumps(index, ensure_ascii=False, separators=(',', ':'))}{_END}"


def _person(person: AlbumPerson, page: int, crops: Mapping[int, str]) -> list[str | int | bool]:
    return [
        person.label,
        person.key,
        person.name is not None,
        page,
        person.photo_count,
        crops.get(person.cover.face_id, ""),
    ]
