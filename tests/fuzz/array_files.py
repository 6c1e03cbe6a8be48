"""HDF5 files with sound structures and other contents: what no checksum refuses is read."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from facesearch.clustering import run_store
from facesearch.clustering.dendrogram_cache import FORMAT as MERGES_FORMAT
from facesearch.clustering.dendrogram_cache import VERSION as MERGES_VERSION
from facesearch.clustering.dendrogram_cache import load_dendrogram
from facesearch.errors import InputError
from facesearch.gallery.photo_table import PhotoTable
from facesearch.people.assignment import assign_people
from facesearch.people.projection import replay
from fuzz.byte_source import ByteSource
from indexer.storage.sealed_arrays import SealedArrays, read_sealed, write_sealed
from indexer.storage.shards import Shard
from support.failures.promises import promising_gallery

_NUMBERS = (0, 1, -1, 2, 7, 255, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 0.5, 1e300, float("nan"),
            float("inf"))  # fmt: skip
_DTYPES = ("<i1", "<u1", "<i4", "<i8", "<u8", "<f2", "<f4", "<f8", ">f4", "S4", "?")
_TEXTS = ("", "x", "facesearch-shard", "[" * 2000, '{"how": {}, "changes": {}}', "1e999")


@functools.cache
def whole_files() -> dict[str, bytes]:
    """A file of each kind, as the program writes it."""
    with tempfile.TemporaryDirectory() as place:
        gallery = promising_gallery(Path(place))
        names = ("shards/00000000.h5", "clusters/000001.h5", "clusters/merges.h5")
        return {name: (gallery.folder / name).read_bytes() for name in names}


def read_shard(source: ByteSource, folder: Path) -> None:
    """A shard with other arrays, links and attributes."""
    path = folder / "00000000.h5"
    path.write_bytes(whole_files()["shards/00000000.h5"])
    with h5py.File(path, "r+") as file:
        while source.more:
            with contextlib.suppress(Exception):  # a change that HDF5 does not make
                _change_file(file, source)
    with Shard.open(path) as shard:
        for table in shard.table_names:
            shard.table(table)
        for block in shard.blocks(4):
            assert np.isfinite(block.vectors).all()
        shard.verify()
        table = PhotoTable.read(shard)
        for row in range(len(table.ids)):
            table.record(row)
        list(table.locations())


def read_run(source: ByteSource, folder: Path) -> None:
    """A clustering with other contents, and the digest of these."""
    path = folder / "000001.h5"
    content = _resealed("clusters/000001.h5", path, run_store.FORMAT, run_store.VERSION, source)
    run = run_store.run_at(path)
    now = assign_people(run.clustering, run.numbers, replay([]))
    assert len(now.of_faces()) == len(content.arrays["ids"])
    rest = run_store.without_faces(run, run.clustering.ids[:1])
    assert len(rest.clustering.ids) == max(0, len(content.arrays["ids"]) - 1)


def read_merges(source: ByteSource, folder: Path) -> None:
    """Merges with other contents, and the digest of these."""
    path = folder / "merges.h5"
    _resealed("clusters/merges.h5", path, MERGES_FORMAT, MERGES_VERSION, source)
    load_dendrogram(path)


def _resealed(
    name: str, path: Path, format_name: str, version: int, source: ByteSource
) -> SealedArrays:
    path.write_bytes(whole_files()[name])
    before = read_sealed(path, format_name, version)
    attributes, arrays = dict(before.attributes), dict(before.arrays)
    while source.more:
        if attributes and source.below(2):
            key = source.choice(sorted(attributes))
            attributes[key] = _scalar(source)
            if source.below(4) == 0:
                del attributes[key]
        elif arrays:
            key = source.choice(sorted(arrays))
            arrays[key] = _changed(arrays[key], source)
            if source.below(8) == 0:
                del arrays[key]
    path.unlink()
    content = SealedArrays(attributes, arrays)
    try:
        write_sealed(path, format_name, version, content)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"nothing that a file holds: {error}") from error
    return content


def _scalar(source: ByteSource) -> Any:
    kind = source.below(3)
    if kind == 0:
        return source.choice(_TEXTS)
    number = source.choice(_NUMBERS)
    return float(number) if kind == 1 or isinstance(number, float) else number


def _change_file(file: h5py.File, source: ByteSource) -> None:
    """Change one member or attribute of an open file."""
    names: list[str] = []
    file.visit(names.append)
    name = source.choice(["/", *names])
    thing = file[name]
    change = source.below(6)
    if change == 0:
        keys = sorted(thing.attrs)
        key = source.choice([*keys, "more"])
        thing.attrs[key] = _attribute(source)
    elif change == 1 and name != "/":
        del file[name]
    elif change == 2:
        link: Any = source.choice([h5py.SoftLink("/vectors"), h5py.ExternalLink("x.h5", "/x")])
        group = thing if isinstance(thing, h5py.Group) else file
        group.require_group("more")
        if "link" not in group["more"]:
            group["more"]["link"] = link
    elif isinstance(thing, h5py.Dataset):
        values = _changed(thing[()], source)
        checked = bool(source.below(4)) and values.size > 0 and values.ndim > 0
        del file[name]
        file.create_dataset(name, data=values, fletcher32=checked or None, chunks=checked or None)


def _attribute(source: ByteSource) -> Any:
    value = _scalar(source)
    if isinstance(value, str):
        return np.bytes_(value.encode()) if source.below(2) else value
    return np.array([value] * source.below(3)) if source.below(4) == 0 else value


def _changed(values: NDArray[Any], source: ByteSource) -> NDArray[Any]:
    """Another array: of other numbers, type, length or axes."""
    change = source.below(5)
    if change == 0 and values.size:
        changed = values.copy()
        place = source.below(changed.size)
        with np.errstate(all="ignore"):
            number = np.asarray(source.choice(_NUMBERS), np.float64)
            changed.reshape(-1)[place] = number.astype(changed.dtype)
        return changed
    if change == 1:
        with np.errstate(all="ignore"):
            return values.astype(source.choice(_DTYPES))
    if change == 2 and values.ndim:
        return values[: source.below(len(values) + 1)]
    if change == 3 and values.ndim:
        return np.concatenate([values, values[: source.below(4)]])
    return values.reshape(source.choice([(-1,), (-1, 1), (1, -1), values.shape[::-1]]))
