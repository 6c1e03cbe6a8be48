"""How far a video was read, kept in files, so that a job that was killed goes on from there.

Each checkpoint is a shard file (``docs/format.md``): the tracks that ended since the one before,
and the faces of those that may go on. A reader that goes on from the last makes the same tracks.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.video.track import FaceSighting, OpenTrack, VideoTrack
from indexer.errors import IndexerError
from indexer.storage.atomic_files import make_folder
from indexer.storage.shards import (
    Shard,
    ShardContent,
    list_shards,
    remove_partials,
    shard_path,
    write_shard,
)

logger = logging.getLogger(__name__)

FORMAT = "facesearch-video-checkpoint"
_ROLES = ("best", "latest", "before")
_NUMBERS = ("score", "norm", "quality", "sharpness", "noise")


@dataclass(frozen=True)
class VideoProgress:
    """Where reading goes on: after the frame at ``after_us``, with ``open`` tracks; ``tracks`` have
    ended and ``frames`` were looked at before."""

    after_us: int = -1
    frames: int = 0
    tracks: list[VideoTrack] = field(default_factory=list)
    open: list[OpenTrack] = field(default_factory=list)


class VideoCheckpoints:
    """The checkpoints of one video in ``folder``; None keeps nothing.

    ``others`` are folders of the same video as other jobs read it, which are removed with these.
    """

    def __init__(self, folder: Path | None, others: Sequence[Path] = ()) -> None:
        self._folder = folder
        self._others = others
        self._number = 0

    def load(self) -> VideoProgress:
        """What was kept; from the start where that is nothing, or damaged."""
        if self._folder is None or not self._folder.is_dir():
            return VideoProgress()
        try:
            remove_partials(self._folder)
            return self._joined(list_shards(self._folder))
        except (IndexerError, OSError, KeyError, ValueError, IndexError) as error:
            logger.warning("%s cannot be used, so its video is read again: %s", self._folder, error)
            shutil.rmtree(self._folder, ignore_errors=True)
            return VideoProgress()

    def save(
        self,
        after_us: int,
        frames: int,
        ended: Sequence[VideoTrack],
        open_tracks: Sequence[OpenTrack],
        dimension: int,
    ) -> None:
        """Keep the tracks that ``ended`` since the last call, and those that are open."""
        if self._folder is None:
            return
        if self._number == 0:
            make_folder(self._folder.parent)
            make_folder(self._folder)
        faces = [
            (at, role, face)
            for at, track in enumerate(open_tracks)
            for role, face in _faces_of(track)
        ]
        vectors = [each.vector for each in ended] + [face.vector for _, _, face in faces]
        content = ShardContent(
            number=self._number,
            vectors=np.array(vectors, np.float32).reshape(-1, dimension),
            tables={
                "ended": _ended_table(ended),
                "frames": frame_table(ended),
                "open": _open_table(open_tracks),
                "faces": _faces_table(faces),
            },
            attributes={"kind": FORMAT, "after_us": after_us, "frames": frames},
        )
        write_shard(shard_path(self._folder, self._number), content, dtype="float32")
        self._number += 1

    def remove(self) -> None:
        """Remove all that was kept."""
        for folder in (self._folder, *self._others):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        self._number = 0

    def _joined(self, paths: Sequence[Path]) -> VideoProgress:
        progress = VideoProgress()
        for number, path in enumerate(paths):
            with Shard.open(path) as shard:
                if problems := shard.verify():
                    raise ValueError(problems[0])
                if shard.number != number or shard.attributes.get("kind") != FORMAT:
                    raise ValueError(f"expected checkpoint {number}, got {path.name}")
                progress = VideoProgress(
                    int(shard.attributes["after_us"]),
                    int(shard.attributes["frames"]),
                    progress.tracks + _read_ended(shard),
                    _read_open(shard),
                )
        self._number = len(paths)
        return progress


def frame_table(tracks: Sequence[VideoTrack]) -> dict[str, NDArray[Any]]:
    """The best faces of all tracks, one a row; ``face`` int32 is the row of the track."""
    return {
        "face": np.repeat(
            np.arange(len(tracks), dtype=np.int32), [len(each.times_us) for each in tracks]
        ).astype(np.int32),
        "time_us": _joined([each.times_us for each in tracks], (), np.int64),
        "box": _joined([each.boxes for each in tracks], (4,), np.float32),
        "landmarks": _joined([each.landmarks for each in tracks], (5, 2), np.float32),
        "score": _joined([each.scores for each in tracks], (), np.float32),
    }


def _joined(parts: Sequence[NDArray[Any]], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros((0, *shape), dtype), *parts]).astype(dtype)


def _ended_table(tracks: Sequence[VideoTrack]) -> dict[str, NDArray[Any]]:
    numbers = ("norm", "quality", "sharpness", "noise")
    return {
        **{
            name: np.array([getattr(each, name) for each in tracks], np.int64)
            for name in ("start_us", "end_us", "count")
        },
        **{
            name: np.array([getattr(each, name) for each in tracks], np.float64) for name in numbers
        },
    }


def _read_ended(shard: Shard) -> list[VideoTrack]:
    ended, frames = shard.table("ended"), shard.table("frames")
    vectors = shard.vectors(np.arange(len(ended["count"])))
    tracks = []
    for row, vector in enumerate(vectors):
        mine = frames["face"] == row
        tracks.append(
            VideoTrack(
                start_us=int(ended["start_us"][row]),
                end_us=int(ended["end_us"][row]),
                count=int(ended["count"][row]),
                vector=vector,
                times_us=frames["time_us"][mine],
                boxes=frames["box"][mine],
                landmarks=frames["landmarks"][mine],
                scores=frames["score"][mine],
                norm=float(ended["norm"][row]),
                quality=float(ended["quality"][row]),
                sharpness=float(ended["sharpness"][row]),
                noise=float(ended["noise"][row]),
            )
        )
    return tracks


def _faces_of(track: OpenTrack) -> Iterable[tuple[int, FaceSighting]]:
    yield from ((0, face) for face in track.best)
    yield 1, track.latest
    yield 2, track.before


def _open_table(tracks: Sequence[OpenTrack]) -> dict[str, NDArray[Any]]:
    return {
        name: np.array([int(getattr(each, name)) for each in tracks], np.int64)
        for name in ("start_us", "count", "missed", "forgotten")
    }


def _faces_table(faces: Sequence[tuple[int, int, FaceSighting]]) -> dict[str, NDArray[Any]]:
    return {
        "track": np.array([track for track, _, _ in faces], np.int32),
        "role": np.array([role for _, role, _ in faces], np.int32),
        "time_us": np.array([face.time_us for _, _, face in faces], np.int64),
        "box": np.array([face.box for _, _, face in faces], np.float32).reshape(-1, 4),
        "landmarks": np.array([face.landmarks for _, _, face in faces], np.float32).reshape(
            -1, 5, 2
        ),
        **{
            name: np.array([getattr(face, name) for _, _, face in faces], np.float64)
            for name in _NUMBERS
        },
    }


def _read_open(shard: Shard) -> list[OpenTrack]:
    opened, faces = shard.table("open"), shard.table("faces")
    first = len(shard.column("ended", "count"))
    vectors = shard.vectors(np.arange(first, shard.count))
    tracks = []
    for at in range(len(opened["count"])):
        by_role: list[list[FaceSighting]] = [[] for _ in _ROLES]
        for row in np.flatnonzero(faces["track"] == at).tolist():
            by_role[faces["role"][row]].append(
                FaceSighting(
                    time_us=int(faces["time_us"][row]),
                    box=faces["box"][row],
                    landmarks=faces["landmarks"][row],
                    vector=vectors[row],
                    **{name: float(faces[name][row]) for name in _NUMBERS},
                )
            )
        best, (latest,), (before,) = by_role
        tracks.append(
            OpenTrack(
                int(opened["start_us"][at]),
                latest,
                before,
                int(opened["count"][at]),
                int(opened["missed"][at]),
                bool(opened["forgotten"][at]),
                best,
            )
        )
    return tracks
