"""Every JSON file that is read: a document of each kind, changed here and there, and its reader."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from facesearch.curation.exchange import read_people
from facesearch.encoders.catalogue.learned import read_learned
from facesearch.encoders.types import EncoderContract
from facesearch.erasure.receipt import read_receipt
from facesearch.erasure.sidecars import noted_outputs
from facesearch.gallery.description import parse_settings, read_description
from facesearch.gallery.tombstones import Tombstones
from facesearch.people_import.json_exports import read_export
from facesearch.recognition.calibration import read_calibration
from facesearch.service.announcement import read_address
from fuzz.byte_source import ByteSource
from indexer.index.manifest import IndexManifest
from indexer.storage.plain_files import read_json
from indexer.storage.safetensors_file import read_arrays

DIGEST = "0f" * 32
CONTRACT = {
    "name": "fake", "weights_sha256": DIGEST, "dimension": 16, "input_size": 48,
    "preprocessing": "none", "detector": "fake",
}  # fmt: skip
_FACE = {"face": 7, "sha256": DIGEST, "box": [1.0, 2.0, 3.0, 4.5]}
_KEY = {"sha256": DIGEST, "box": [1.0, 2.0, 3.0, 4.5]}
# What stands for a value elsewhere: edges of numbers, other types, text that leads somewhere.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 10**400, 0.5,
    1e308, -1e308, "", "x", "\0", "nan", "1e999", "9" * 5000, "../../x", "\ud800", DIGEST, [], {},
    [[]], [{}], {"x": 1}, [0] * 5, [1e308] * 4,
)  # fmt: skip


@dataclass(frozen=True)
class JsonKind:
    """A ``document`` as the file ``name`` holds it, and what reads that from its folder."""

    name: str
    document: Any
    read: Callable[[Path], object]


def _gallery(folder: Path) -> Any:
    """As far as readers of one file look at a gallery."""
    return SimpleNamespace(folder=folder)


def _settings(folder: Path) -> object:
    return parse_settings(read_json(folder / "settings.json"))


def _tombstones(folder: Path) -> object:
    found = Tombstones.read(folder)
    found.among(np.array([7], np.int64))
    return found.boxes_of(DIGEST), found.times_of(DIGEST)


def _manifest(folder: Path) -> object:
    found = IndexManifest.read(folder)
    found.require_usable(dict(found.shards))
    return found


def _calibration(folder: Path) -> object:
    found = read_calibration(_gallery(folder))
    return found and found.outgrown(3, 5)


def _receipt(folder: Path) -> object:
    return read_receipt(folder / "receipt.json").traces.found(folder)


def _arrays(folder: Path) -> object:
    text = (folder / "header.json").read_bytes()
    path = folder / "arrays.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(64))
    found, _ = read_arrays(path, {"codes": "u1", "starts": "i8"}, fixed=["codes"])
    return [array.sum() for array in found.values()]


KINDS = (
    JsonKind(
        "gallery.json",
        {
            "format": "facesearch-gallery", "version": 3, "created_at": "2026-01-01T00:00:00Z",
            "vectors": "float16", "contract": CONTRACT, "comparable": [CONTRACT],
            "shards": "shards-0123456789ab",
        },
        read_description,
    ),
    JsonKind("settings.json", {"min_face": 20, "score": 0.6}, _settings),
    JsonKind(
        "forgotten.json",
        {
            "format": "facesearch-forgotten", "version": 1,
            "faces": [_FACE, {**_FACE, "face": 8, "still_us": 40}],
        },
        _tombstones,
    ),
    JsonKind(
        "index.json",
        {
            "format": "facesearch-index", "version": 1, "metric": "squared_l2", "recipe": "Flat",
            "parameters": {"cells": 4}, "goal": {"recall": 0.9}, "measured": {"batch": 4},
            "count": 9, "dimension": 16, "shards": {"00000000.h5": DIGEST}, "state": DIGEST,
            "sha256": DIGEST,
        },
        _manifest,
    ),
    JsonKind(
        "calibration.json",
        {
            "format": "facesearch-calibration", "version": 1,
            "result": {
                "threshold": 0.6, "fpir": 0.01, "low": 0.005, "high": 0.02, "method": "count",
                "shape": None, "searches": 100, "identities": 9, "groups": 9,
            },
            "rule": "template", "people": 9, "faces": 30, "clusters": 4, "beyond": 0.3,
            "state": DIGEST, "created_at": "2026-01-01T00:00:00Z",
        },
        _calibration,
    ),
    JsonKind(
        "receipt.json",
        {
            "format": "facesearch-erasure", "version": 1, "created_at": "2026-01-01T00:00:00Z",
            "faces": [1, 2], "named": 1, "shards": 1, "clusterings": 1, "removed": ["graph.h5"],
            "sidecars": 0, "searched": 9, "found": [],
            "windows": {
                "bytes": 32, "encodings": ["<f2"], "salt": "00ff", "hashes": ["00000000000000ff"],
                "digests": [DIGEST[:32]],
            },
        },
        _receipt,
    ),
    JsonKind(
        "outputs.json",
        {"format": "facesearch-outputs", "version": 1, "folders": ["/tmp"]},
        lambda folder: noted_outputs(_gallery(folder)),
    ),
    JsonKind(
        "service.json",
        {
            "format": "facesearch-service", "version": 1, "host": "127.0.0.1", "port": 8000,
            "root_path": "", "secure": False, "gallery": "my", "token": "x", "pid": 1,
            "program": "0.1.0",
        },
        read_address,
    ),
    JsonKind(
        "people.json",
        {
            "format": "facesearch-people", "version": 1,
            "people": [
                {"person": "p1", "name": "Ada", "hidden": False, "faces": [_KEY],
                 "rejected": [_KEY]},
            ],
        },
        lambda folder: read_people(folder / "people.json"),
    ),
    JsonKind(
        "immich.json",
        [
            {
                "originalFileName": "a.jpg", "originalPath": "/photos/a.jpg",
                "people": [
                    {
                        "name": "Ada",
                        "faces": [
                            {
                                "imageWidth": 100, "imageHeight": 80, "boundingBoxX1": 10,
                                "boundingBoxX2": 20, "boundingBoxY1": 10, "boundingBoxY2": 30,
                            }
                        ],
                    }
                ],
            }
        ],
        lambda folder: read_export(folder / "immich.json"),
    ),
    JsonKind(
        "osxphotos.json",
        [
            {
                "original_filename": "a.jpg", "path": "/photos/a.jpg", "persons": ["Ada"],
                "faces": [
                    {"name": "Ada", "mwg_rs_area": {"x": 0.5, "y": 0.5, "w": 0.1, "h": 0.1}}
                ],
            }
        ],
        lambda folder: read_export(folder / "osxphotos.json"),
    ),
    JsonKind(
        "header.json",
        {
            "__metadata__": {"count": "9"},
            "codes": {"dtype": "U8", "shape": [4, 8], "data_offsets": [0, 32]},
            "starts": {"dtype": "I64", "shape": [4], "data_offsets": [32, 64]},
        },
        _arrays,
    ),
    JsonKind(
        f"thresholds/{DIGEST[:16]}-16-plain.json",
        {
            "verification": 1.0, "identification": 0.9, "cluster": 0.8, "chosen_on": "some faces",
            "learned": True,
        },
        lambda folder: read_learned(EncoderContract(**CONTRACT)),  # type: ignore[arg-type]
    ),
)  # fmt: skip


def document_of(kind: JsonKind, source: ByteSource) -> bytes:
    """The document of ``kind`` with a few changes, or any other bytes."""
    if source.below(8) == 0:
        return source.rest()
    document = copy.deepcopy(kind.document)
    while source.more:
        document = _changed(document, source)
    text = json.dumps(document)
    return text.encode("utf-8", "surrogatepass")


def _changed(document: Any, source: ByteSource) -> Any:
    places = list(_places(document))
    if not places:
        return copy.deepcopy(source.choice(VALUES))
    holder, key = source.choice(places)
    change = source.below(6)
    if change == 0:
        del holder[key]
    elif change == 1:
        other, name = source.choice(places)
        holder[key] = copy.deepcopy(other.get(name) if isinstance(other, dict) else other[name])
    elif change == 2:
        text = source.take(1 + source.below(8)).decode("latin-1")
        holder[key] = text
    elif change == 3 and isinstance(holder, dict):
        holder[source.take(3).decode("latin-1")] = copy.deepcopy(holder[key])
    elif change == 3:
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[key] = copy.deepcopy(source.choice(VALUES))
    return document


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Where there is a value in a document: what holds it, and its key there."""
    keys = document if isinstance(document, dict) else ()
    keys = range(len(document)) if isinstance(document, list) else keys
    for key in list(keys)[:50]:
        yield document, key
        yield from _places(document[key])
