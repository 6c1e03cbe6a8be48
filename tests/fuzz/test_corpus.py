"""Every target with what once broke it, its seeds, and a few changes of these."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from fuzz.targets import FuzzTarget, targets
from support.failures.trials import mutated

CORPUS = Path(__file__).parent / "corpus"
CHANGES = 40


@functools.cache
def target(name: str) -> FuzzTarget:
    return targets()[name]()


def test_the_corpus_is_of_targets() -> None:
    assert {each.parent.name for each in CORPUS.glob("*/*")} <= {*targets()}


@pytest.mark.parametrize("name", targets())
def test_nothing_but_errors_that_are_meant(name: str) -> None:
    chooser = np.random.default_rng(0)
    kept = [path.read_bytes() for path in sorted(CORPUS.glob(f"{name}/*"))]
    seeds = [*kept, *target(name).seeds()]
    changed = [mutated(seeds[number % len(seeds)] or b"x", chooser) for number in range(CHANGES)]
    for data in (b"", *seeds, *changed):
        target(name).run(data)
