"""Aligned crops of faces in one HDF5 file: what training reads.

Layout, beside the attributes ``format`` and ``version`` (docs/training.md):

- ``crops`` uint8 (n, side, side, 3), RGB, one chunk a crop;
- ``person`` int32 (n,), an index into ``people``, -1 where unknown; ``people`` bytes (p, length);
- ``vectors/NAME`` float32 (n, d): another encoder's unit vectors of the same faces.

Attributes of ``crops``: ``template`` float64 (5, 2), where the landmarks were put as parts of the
inner square; ``margin`` pixels around that square, from which augmentation may take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from indexer.storage.hdf5_writer import replacing_hdf5, write_array

FORMAT = "facesearch crops"
VERSION = 1
UNKNOWN = -1

# Places of eyes, nose and mouth corners in the inner square, as parts of its side: those that
# Open Model Zoo gives for face-reidentification-retail-0095.
TEMPLATE = ((0.316, 0.462), (0.683, 0.462), (0.500, 0.641), (0.349, 0.825), (0.653, 0.825))

Crops = NDArray[np.uint8]


@dataclass(frozen=True)
class CropFile:
    """An open crop file; crops are read when asked for.

    ``person`` int32 (n,): index into ``people``, -1 where unknown. ``side`` of a crop and
    ``margin`` around its inner square, in pixels.
    """

    path: Path
    person: NDArray[np.int32]
    people: tuple[str, ...]
    side: int
    margin: int
    _crops: h5py.Dataset
    _file: h5py.File

    def __len__(self) -> int:
        return len(self.person)

    def read(self, rows: NDArray[np.int64]) -> Crops:
        """Crops uint8 RGB (len(rows), side, side, 3)."""
        out = np.empty((len(rows), self.side, self.side, 3), np.uint8)
        for place, row in enumerate(rows):
            out[place] = self._crops[int(row)]
        return out

    def vectors(self, name: str) -> NDArray[np.float32]:
        """Unit vectors float32 (n, d) of the encoder ``name``; raises InputError without them."""
        there = self._file.get("vectors", {})
        if name not in there:
            raise InputError(
                f"{self.path} has no vectors of {name!r} (it has: {', '.join(there) or 'none'}); "
                "distillation needs them: facesearch crops --teacher"
            )
        return np.asarray(there[name][...], np.float32)


def open_crops(path: Path) -> CropFile:
    """Open a crop file; raises :class:`InputError` for another or a damaged one."""
    try:
        file = h5py.File(path, "r", locking=False)
        if file.attrs.get("format") != np.bytes_(FORMAT) or file.attrs["version"] != VERSION:
            raise InputError(f"{path} is not a crop file of version {VERSION}")
        crops, person = file["crops"], np.asarray(file["person"][...], np.int32)
        people = tuple(name.decode() for name in file["people"][...])
        margin = int(crops.attrs["margin"])
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} as a crop file: {error}") from error
    side = crops.shape[1]
    if crops.shape != (len(person), side, side, 3) or crops.dtype != np.uint8:
        raise InputError(f"{path}: expected crops uint8 ({len(person)}, s, s, 3), {crops.shape}")
    if person.size and not UNKNOWN <= person.min() <= person.max() < len(people):
        raise InputError(f"{path}: column person names people that are not there")
    return CropFile(path, person, people, side, margin, crops, file)


class CropWriter:
    """Takes crops in pieces, as many as come; see :func:`writing_crops`."""

    def __init__(self, file: h5py.File, side: int, margin: int) -> None:
        self._file = file
        self._crops = file.create_dataset(
            "crops", (0, side, side, 3), np.uint8,
            maxshape=(None, side, side, 3), chunks=(1, side, side, 3), fletcher32=True,
        )  # fmt: skip
        self._crops.attrs["template"] = np.array(TEMPLATE)
        self._crops.attrs["margin"] = np.int64(margin)
        self._people: list[str | None] = []
        self._vectors: dict[str, list[NDArray[np.float32]]] = {}

    def __len__(self) -> int:
        return len(self._people)

    def add(
        self,
        crops: Crops,
        people: Sequence[str | None],
        vectors: Mapping[str, NDArray[np.float32]] = MappingProxyType({}),
    ) -> None:
        """Append crops uint8 (n, side, side, 3), the names of their people, and vectors.

        ``people`` has None where a name is not known. ``vectors`` (n, d) of other encoders, by
        name; every piece must come with those of the same encoders. Raises :class:`InputError`
        for another count or another encoder.
        """
        counts = {len(crops), len(people), *map(len, vectors.values())}
        if len(counts) > 1:
            raise InputError(f"expected as many crops as names and vectors, got {sorted(counts)}")
        if self._people and vectors.keys() != self._vectors.keys():
            raise InputError(
                f"expected vectors of {sorted(self._vectors)} as before, got {sorted(vectors)}"
            )
        start = len(self._people)
        self._crops.resize(start + len(crops), axis=0)
        self._crops[start:] = crops
        self._people += people
        for name, values in vectors.items():
            self._vectors.setdefault(name, []).append(values.astype(np.float32))

    def finish(self) -> None:
        """Write what is known of the crops; raises :class:`InputError` where there are none."""
        if not self._people:
            raise InputError("expected photos with faces, found none: no crop file was written")
        names = sorted({name for name in self._people if name is not None})
        number = {name: index for index, name in enumerate(names)}
        person = [UNKNOWN if name is None else number[name] for name in self._people]
        write_array(self._file, "person", np.array(person, np.int32))
        write_array(self._file, "people", np.array([name.encode() for name in names], np.bytes_))
        for name, pieces in self._vectors.items():
            write_array(self._file.require_group("vectors"), name, np.concatenate(pieces))


@contextmanager
def writing_crops(path: Path, side: int, margin: int) -> Iterator[CropWriter]:
    """A crop file that is put at ``path``, whole, when the block ends well."""
    with replacing_hdf5(path, FORMAT, VERSION) as file:
        writer = CropWriter(file, side, margin)
        yield writer
        writer.finish()
