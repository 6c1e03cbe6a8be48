"""People forgotten with every kind of index: each byte of them is found before, and none after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.failures.byte_search import Needles, search_bytes
from support.failures.erasure_trial import EACH, KINDS, Kind, erased

ALWAYS = {"float16", "float16 of the other encoder", "names", "crops"}
STORED = {
    "exact": {*ALWAYS, "float32"},
    "cells": {*ALWAYS, "cell codes"},
    "FAISS IVF": {*ALWAYS, "FAISS codes"},
}


@pytest.mark.parametrize(
    "kind",
    [each if each == "cells" else pytest.param(each, marks=pytest.mark.slow) for each in KINDS],
)
def test_nothing_is_left_of_who_is_forgotten(tmp_path: Path, kind: Kind) -> None:
    found = erased(tmp_path, kind, people=6, seed=3)
    assert found["faces"] == 6 * EACH and found["faces_left"] > 0
    for name in STORED[kind]:  # so the search is known to work
        assert found["before"][name] == found["needles"][name] > 0, name
    assert {name: count for name, count in found["after"].items() if count} == {}
    assert (found["receipts"], found["receipts_found"], found["damaged"]) == (2, 0, 0)


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    needles = Needles.of_vectors(vectors).joined(Needles.of_names(["Zoë"]))
    (tmp_path / "sub").mkdir()
    place = tmp_path / "sub" / "file"
    place.write_bytes(b"x" + vectors[1].astype("<f2").tobytes() + b"\n" + vectors[2].tobytes())
    nothing = {"float16": 1, "float32": 1, "float64": 0, "names": 0}
    assert search_bytes(tmp_path, needles) == nothing
    for form in ("Zoë".encode(), "Zoë".encode("utf-16-le"), b"Zo\\u00eb"):
        place.write_bytes(b"\1" + form)
        assert search_bytes(tmp_path, needles)["names"] == 1
    place.rename(tmp_path / "Zoë")
    (tmp_path / "Zoë").write_bytes(b"")
    assert search_bytes(tmp_path, needles)["names"] == 1
