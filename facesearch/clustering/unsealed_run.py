"""Clusterings saved before files of runs held a digest of their content: version 1 of the format.

They are read so that a gallery made then keeps the numbers of its people; they are never written.
"""

from __future__ import annotations

import json

import h5py
import numpy as np

from indexer.storage.hdf5_reader import Checker
from indexer.storage.plain_files import parse_json
from indexer.storage.sealed_arrays import SealedArrays, read_arrays
from indexer.storage.shard_format import Scalar

VERSION = 1
# Every attribute of a run, and its value where a run is older than the attribute.
_ATTRIBUTES: dict[str, Scalar | None] = {
    "method": None,
    "threshold": None,
    "created_at": None,
    "state": None,
    "min_quality": 0.0,
    "same_photo": 1,
}


def is_unsealed(file: h5py.File) -> bool:
    """Whether an open file is a run of version 1."""
    version = file.attrs.get("version")
    return isinstance(version, int | np.integer) and int(version) == VERSION


def unsealed_content(checker: Checker, file: h5py.File, format_name: str) -> SealedArrays:
    """The content of a run of version 1, as the present version holds it.

    Arrays are bounded by the size of the file, and their checksums are verified. Raises ShardError,
    naming file and key, for another format and for what cannot be read.
    """
    found = (str(file.attrs.get("format")), int(file.attrs.get("version", 0)))
    if found != (format_name, VERSION):
        raise checker.fail("format and version", f"{format_name!r}, {VERSION}", found)
    attributes: dict[str, Scalar] = {}
    for name, default in _ATTRIBUTES.items():
        value = file.attrs.get(name, default)
        if isinstance(value, bool | np.bool_ | int | np.integer):
            attributes[name] = int(value)
        elif isinstance(value, float | np.floating):
            attributes[name] = float(value)
        elif isinstance(value, str):
            attributes[name] = value
        else:
            raise checker.fail(f"attribute {name}", "text or a number", value)
    if not isinstance(attributes["threshold"], float):
        raise checker.fail("threshold", "a number", attributes["threshold"])
    arrays = read_arrays(checker, file)
    saved = parse_json(arrays["story"].tobytes()) if "story" in arrays else {}
    if not isinstance(saved, dict):
        raise checker.fail("story", "an object", str(saved)[:80])
    story = json.dumps({"how": {}, "changes": {}, "contradictions": []} | saved)
    arrays["story"] = np.frombuffer(story.encode(), np.uint8)
    return SealedArrays(attributes, arrays)
