"""Photos decoded by worker processes and worked on by threads, the results in order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from facesearch.images.decode_pool import DecodeOutcome, DecodeTask, decode_photos

logger = logging.getLogger(__name__)

# Photos a thread takes at once: enough that the encoder gets full batches at a face a photo.
BATCH_PHOTOS = 16

Result = TypeVar("Result")
Work = Callable[[list[NDArray[np.uint8]]], Sequence[Result]]


def process_photos(
    tasks: Iterable[DecodeTask],
    work: Work[Result],
    *,
    decoders: int,
    threads: int,
    max_side: int | None,
    timeout: float = 60.0,
) -> Iterator[tuple[DecodeOutcome, Result | None]]:
    """The outcome of each task, in order, with what ``work`` makes of its pixels.

    ``work`` takes photos RGB uint8 (h, w, 3), one or more, and gives a result for each; it runs in
    ``threads``, which work ahead. The result is None where there are no pixels. Where a batch fails
    its photos are tried one by one, so that one photo cannot take others with it; the one that
    fails becomes a failure of reason "internal". ``decoders``, ``max_side`` and ``timeout`` are
    those of :func:`decode_photos`.
    """
    outcomes = decode_photos(tasks, workers=decoders, max_side=max_side, timeout=timeout)
    waiting: deque[Future[list[tuple[DecodeOutcome, Result | None]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(islice(outcomes, BATCH_PHOTOS)):
            waiting.append(pool.submit(process_batch, batch, work))
            if len(waiting) > threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def process_batch(
    outcomes: Sequence[DecodeOutcome], work: Work[Result]
) -> list[tuple[DecodeOutcome, Result | None]]:
    """Each outcome with its result, in the calling thread."""
    photos = [outcome.photo.pixels for outcome in outcomes if outcome.photo]
    try:
        results = iter(work(photos) if photos else [])
    except Exception as error:
        if len(outcomes) > 1:
            return [pair for outcome in outcomes for pair in process_batch([outcome], work)]
        logger.exception("cannot process %s", outcomes[0].found.location)
        detail = f"{type(error).__name__}: {error}"
        return [(replace(outcomes[0], photo=None, reason="internal", detail=detail), None)]
    return [(outcome, next(results) if outcome.photo else None) for outcome in outcomes]
