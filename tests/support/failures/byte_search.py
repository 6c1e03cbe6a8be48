"""Where bytes of known faces and names are: in any file below a folder, at any place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.exact.int8_kernel import BYTES
from indexer.index.flat import FlatIndex
from indexer.ivf.faiss_ivf import FaissIvfIndex
from indexer.ivf.index import IvfSqIndex
from indexer.ivf.scalar_quantizer import ROWS
from indexer.types import Vectors

_CROP_BYTES = 64  # of the middle of a crop


@dataclass(frozen=True)
class Needle:
    """Any one of ``forms``; with a ``stride``, all pieces of one form so far from each other."""

    forms: tuple[tuple[bytes, ...], ...]
    stride: int = 0

    def within(self, data: bytes) -> bool:
        """Whether it is in ``data``."""
        return any(self._form_within(form, data) for form in self.forms)

    def _form_within(self, form: tuple[bytes, ...], data: bytes) -> bool:
        at = data.find(form[0])
        while at >= 0:
            if all(
                data.startswith(piece, at + number * self.stride)
                for number, piece in enumerate(form)
            ):
                return True
            at = data.find(form[0], at + 1)
        return False


@dataclass(frozen=True)
class Needles:
    """Needles by what they are of."""

    by_kind: dict[str, list[Needle]] = field(default_factory=dict)

    @classmethod
    def of_vectors(cls, vectors: Vectors, of: str = "") -> Needles:
        """Of each of ``vectors`` (n, d), whole, as stored in each type of numbers."""
        types = {"float16": "<f2", "float32": "<f4", "float64": "<f8"}
        return cls(
            {
                f"{name}{of}": [
                    Needle(((each.tobytes(),),)) for each in np.asarray(vectors).astype(dtype)
                ]
                for name, dtype in types.items()
            }
        )

    @classmethod
    def of_names(cls, names: Sequence[str]) -> Needles:
        """In UTF-8, UTF-16, and as JSON escapes them."""
        return cls({"names": [Needle(tuple(_forms_of(name))) for name in names]})

    @classmethod
    def of_crops(cls, crops: Sequence[bytes]) -> Needles:
        """Of a piece of the middle of each."""
        middles = [len(each) // 2 for each in crops]
        pieces = [each[at : at + _CROP_BYTES] for each, at in zip(crops, middles, strict=True)]
        return cls({"crops": [Needle(((piece,),)) for piece in pieces]})

    @classmethod
    def of_index(cls, index: Any, ids: NDArray[np.int64], vectors: Vectors) -> Needles:
        """The codes that an index holds of the faces ``ids``, and their components."""
        if isinstance(index, IvfSqIndex):
            codes = [Needle((each,), BYTES * ROWS) for each in _cell_codes(index, ids)]
            components = index.coding.project(vectors)[0].astype("<f4")
            return cls(
                {
                    "cell codes": codes,
                    "components": [Needle(((each.tobytes(),),)) for each in components],
                }
            )
        if isinstance(index, FaissIvfIndex):
            codes = [Needle(((each,),)) for each in _faiss_codes(index, ids)]
            return cls({"FAISS codes": codes})
        assert isinstance(index, FlatIndex)
        return cls()

    def joined(self, *others: Needles) -> Needles:
        """All of them."""
        found = dict(self.by_kind)
        for other in others:
            found |= other.by_kind
        return Needles(found)

    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {kind: len(needles) for kind, needles in self.by_kind.items()}


def search_bytes(folder: Path, needles: Needles) -> dict[str, int]:
    """How many needles of each kind are in a file below ``folder``, or in a file's name."""
    left = {kind: list(each) for kind, each in needles.by_kind.items()}
    for data in _contents(folder):
        left = {
            kind: [needle for needle in each if not needle.within(data)]
            for kind, each in left.items()
        }
    return {kind: len(needles.by_kind[kind]) - len(each) for kind, each in left.items()}


def _contents(folder: Path) -> Iterator[bytes]:
    names = []
    for path in sorted(folder.rglob("*")):
        names.append(str(path))
        if path.is_file() and not path.is_symlink():
            yield path.read_bytes()
    yield "\n".join(names).encode("utf-8", "surrogateescape")


def _forms_of(name: str) -> Iterator[tuple[bytes, ...]]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        yield (name.encode(encoding),)
    yield (json.dumps(name)[1:-1].encode(),)


def _cell_codes(index: IvfSqIndex, ids: NDArray[np.int64]) -> Iterator[tuple[bytes, ...]]:
    """Of each id the pieces of its row: 4 components each, the rows of a tile between them."""
    count = index.ids.count
    places = index.ids.find(ids)
    assert (places >= 0).all()
    row_of = np.empty(count, np.int64)
    row_of[index._members[:count]] = np.arange(count)
    tiles = np.asarray(index._scan.rows.codes).reshape(-1, index.components // BYTES, ROWS, BYTES)
    for row in row_of[places].tolist():
        pieces = tiles[row // ROWS, :, row % ROWS]
        yield tuple(piece.tobytes() for piece in pieces)


def _faiss_codes(index: FaissIvfIndex, ids: NDArray[np.int64]) -> Iterator[bytes]:
    lists, faiss, size = index._lists.invlists, index._faiss, index._lists.code_size
    found: dict[int, bytes] = {}
    for cell in range(index.cells):
        held = lists.list_size(cell)
        if held:
            numbers = faiss.rev_swig_ptr(lists.get_ids(cell), held).tolist()
            codes = faiss.rev_swig_ptr(lists.get_codes(cell), held * size).reshape(held, size)
            found |= {number: codes[row].tobytes() for row, number in enumerate(numbers)}
    for each in ids.tolist():
        yield found[each]
