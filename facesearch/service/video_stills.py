"""Stills of videos: the frames that the boxes of tracks lie in, read in processes apart."""

from __future__ import annotations

import threading
from pathlib import Path

from facesearch.engine import DECODE_SIDE
from facesearch.errors import PhotoError
from facesearch.images.types import DecodedPhoto


class VideoStills:
    """Reads stills, of at most ``count`` videos at once, each within the limits of indexing."""

    def __init__(self, count: int) -> None:
        self._turns = threading.Semaphore(count)

    def read(self, video: Path, still_us: int, size: tuple[int, int]) -> DecodedPhoto:
        """The frame of ``video`` that is shown at ``still_us`` microseconds, of ``size``.

        Raises PhotoError where there is none, and for what is wrong with the file.
        """
        from facesearch.video.reader import read_stills  # noqa: PLC0415 - seldom needed

        with self._turns:
            for _, still in read_stills(video, [still_us], DECODE_SIDE):
                if still is not None and (still.width, still.height) == size:
                    return still
        raise PhotoError("changed", "the video no longer shows what it showed when indexed")
