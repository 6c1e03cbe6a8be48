"""Trials of promises: what one is, random damage, and a line of JSON for each class of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

TOO_LONG = 20  # seconds for a trial that reads a damaged file
Trial = Callable[[], str]


def report_classes(
    classes: Mapping[str, Iterator[Trial]], seconds: float, most: int | None = None
) -> None:
    """As :func:`report` for each class by its name, all of them in so many seconds.

    What one class leaves of its time, as it has no more trials or has had ``most``, is for those
    after it.
    """
    end = time.monotonic() + seconds
    for number, (name, trials) in enumerate(classes.items()):
        left = end - time.monotonic()
        report(name, trials, left / (len(classes) - number), most)


def report(name: str, trials: Iterator[Trial], seconds: float, most: int | None = None) -> None:
    """Run trials for so many seconds and ``most`` times at most; tell how many were run and which
    failed."""
    tried, failures, begun = 0, [], time.monotonic()
    for trial in trials:
        tried += 1
        if problem := trial():
            failures.append(problem[:300])
        if time.monotonic() - begun > seconds or tried == most:
            break
    line = {
        "class": name,
        "tried": tried,
        "failed": len(failures),
        "failures": failures[:5],
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(line), flush=True)


def mutated(whole: bytes, random: np.random.Generator) -> bytes:
    """``whole`` with bytes changed, zeroed, cut out, repeated, or cut off."""
    data = bytearray(whole)
    at, size = int(random.integers(len(data))), int(random.choice([1, 2, 8, 64, 512, 4096]))
    kind = int(random.integers(5))
    if kind == 0:
        data[at] ^= 1 << int(random.integers(8))
    elif kind == 1:
        data[at : at + size] = bytes(len(data[at : at + size]))
    elif kind == 2:
        data[at : at + size] = random.bytes(len(data[at : at + size]))
    elif kind == 3:
        del data[at : at + size]
    else:
        del data[at:]
    return bytes(data)
