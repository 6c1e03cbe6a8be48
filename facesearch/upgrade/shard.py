"""A sealed shard with the same faces and the vectors of another encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from facesearch.embed import EmbedOptions, Failure
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.schema import QUALITIES
from facesearch.gallery.state import GalleryState
from facesearch.upgrade.faces import EmbeddedAgain, embedded_again, photos_to_embed
from facesearch.upgrade.report import Progress, UpgradeReport
from facesearch.upgrade.videos import are_tracks, video_embedded_again, videos_to_embed
from indexer.storage.shards import Shard, ShardContent
from indexer.types import Ids, Vectors, make_ids


@dataclass(frozen=True)
class ReEmbedding:
    """The ``engine`` that embeds faces again, what is stated of its vectors, and how it works.

    ``failures`` collects photos that cannot be read.
    """

    engine: FaceEngine
    contract: EncoderContract
    options: EmbedOptions
    failures: list[Failure]


def embed_shard(path: Path, state: GalleryState, work: ReEmbedding) -> Iterator[UpgradedShard]:
    """The shard ``path`` with new vectors for its live faces of ``state``, after each photo."""
    number = int(path.stem)
    live = state.live.get(number, np.zeros(0, np.int64))
    with Shard.open(path) as shard:
        made = UpgradedShard(shard, work.contract)
        rows = np.unique(shard.column("faces", "photo")[live]).tolist()
        shown = {row: state.shown[int(make_ids(number, np.array([row]))[0])] for row in rows}
        for each in _embedded(shard, live, shown, work):
            if each.faces is None:
                reason, _, detail = each.problem.partition(": ")
                work.failures.append(Failure(each.photo.record.location, reason, detail))
            made.put(each)
            yield made
    yield made


def _embedded(
    shard: Shard, live: Ids, shown: dict[int, PhotoRecord], work: ReEmbedding
) -> Iterator[EmbeddedAgain]:
    """The live faces of a shard, photo by photo, then those of its videos."""
    tracks = are_tracks(shard, live)
    photos = photos_to_embed(shard, live[~tracks], shown)
    yield from embedded_again(work.engine, photos, work.options)
    for video in videos_to_embed(shard, live[tracks], shown):
        yield video_embedded_again(work.engine, video, work.options.decode_timeout)


def upgrade_shards(
    gallery: Gallery,
    state: GalleryState,
    work: ReEmbedding,
    report: UpgradeReport,
    *,
    is_done: Callable[[Path], bool],
    keep: Callable[[Path, UpgradedShard], None],
    drop: bool,
    progress: Progress,
) -> None:
    """Embed each shard of ``gallery`` again unless it ``is_done``, and ``keep`` what comes of it.

    A shard with a photo that cannot be read is kept only with ``drop``, without its faces.
    ``progress`` gets live faces done and their total; what was done is noted in ``report``.
    """
    before = 0  # live faces of the shards that are done
    for path in gallery.shard_paths():
        if is_done(path):
            report.shards_before += 1
        else:
            for made in embed_shard(path, state, work):
                progress(before + made.done, state.face_count)
            report.faces += made.embedded
            if drop or not made.failed:
                report.dropped += made.drop_the_rest()
                keep(path, made)
                report.shards += 1
        before += len(state.live.get(int(path.stem), ()))
        progress(before, state.face_count)


class UpgradedShard:
    """The content of an old shard with new vectors, row by row.

    ``done`` faces were tried, ``embedded`` of them were embedded; ``failed``: some were not.
    """

    def __init__(self, shard: Shard, contract: EncoderContract) -> None:
        self.done = self.embedded = 0
        self._number, self._contract = shard.number, contract
        self._tables = {name: shard.table(name) for name in shard.table_names}
        self._count = shard.count
        faces = self._tables["faces"]
        for name in QUALITIES:
            faces[name] = np.full(self._count, np.nan, np.float32)
        faces["norm"] = np.zeros(self._count, np.float32)
        # What a row holds whose face is not embedded: unit length, as a shard must be.
        self._vectors = np.eye(1, contract.dimension, dtype=np.float32).repeat(self._count, axis=0)
        self._put = np.zeros(self._count, bool)

    @property
    def failed(self) -> bool:
        """Whether faces could not be embedded."""
        return self.embedded < self.done

    def put(self, each: EmbeddedAgain) -> None:
        """The faces of one photo."""
        rows, faces = each.photo.rows, self._tables["faces"]
        self.done += len(rows)
        if each.faces is None:
            return
        self.embedded += len(rows)
        self._vectors[rows] = each.faces.embeddings.vectors
        faces["norm"][rows] = each.faces.embeddings.norms
        for name in QUALITIES:
            faces[name][rows] = getattr(each.faces.qualities, name)
        self._put[rows] = True

    def drop_the_rest(self) -> int:
        """Take out faces that were not put, and photos of these alone; how many faces they were.

        Their photos' rows become those of photos gone, so that indexing embeds them again.
        """
        photo = self._tables["faces"]["photo"]
        gone = ~self._put & (photo >= 0)
        rows = np.setdiff1d(photo[gone], photo[self._put])
        for name, value in (("status", b"gone"), ("sha256", b"")):
            self._tables["photos"][name][rows] = value
        photo[gone] = ~photo[gone]
        return int(gone.sum())

    def content(self) -> ShardContent:
        """To be sealed."""
        return ShardContent(self._number, self._vectors, self._tables, asdict(self._contract))

    def vectors(self) -> tuple[Ids, Vectors]:
        """Ids int64 (n,) of the faces that were embedded, and their vectors float32 (n, d)."""
        rows = np.flatnonzero(self._put)
        return make_ids(self._number, rows), self._vectors[rows]
