"""Every face of a video's sampled frames with the number of its track, for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from facesearch.encoders import thresholds_of
from facesearch.engine import DECODE_SIDE, FaceEngine
from facesearch.video.reader import open_video
from facesearch.video.track import FaceSighting, OpenTrack, sightings
from facesearch.video.tracker import FaceTracker
from facesearch.video.types import VideoFrame


def followed(
    engine: FaceEngine, path: Path, *, in_process: bool = True
) -> Iterator[tuple[int, FaceSighting]]:
    """Number of the track, from 0, and face, frame by frame; raises PhotoError as videos do."""
    tracker = FaceTracker(thresholds_of(engine.contract).verification)
    numbers: dict[int, int] = {}
    known: list[OpenTrack] = []  # keeps tracks alive, so that no two have one identity
    with open_video(path, in_process=in_process) as video:
        for frame in video.frames("tracks", DECODE_SIDE):
            if not isinstance(frame, VideoFrame):
                return
            (faces,) = engine.faces([frame.pixels], in_tiles=False)
            scale = frame.pixels.shape[1] / video.info.width
            tracker.step(frame.time_us, sightings(frame.time_us, faces, scale), cut=frame.cut)
            for track in tracker.open:
                if id(track) not in numbers:
                    numbers[id(track)] = len(known)
                    known.append(track)
                if track.missed == 0:
                    yield numbers[id(track)], track.latest
