"""A gallery upgraded shard by shard, in its place, while it is searched.

For an encoder that was trained to share a gallery with the one before (docs/training.md), as the
FaceNet paper's appendix on harmonic embeddings has it: distances between vectors of both mean the
same, so a gallery may hold both. The description names both contracts from the first shard to the
last; each shard states its own.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from facesearch.embed import EmbedOptions
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.gallery.description import holds_contract
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import IndexGoal, rebuild
from facesearch.text import count
from facesearch.upgrade.gallery import created_at, derived_files, upgraded_contract
from facesearch.upgrade.report import Progress, UpgradeReport
from facesearch.upgrade.shard import ReEmbedding, UpgradedShard, upgrade_shards
from indexer.errors import IndexGoalError, MissingFaissError
from indexer.storage.shards import Shard, replace_shard
from indexer.types import Vectors

logger = logging.getLogger(__name__)

# Faces that are compared before anything is changed, and the share of them that must fit. Vectors
# of encoders that share nothing are about 2 apart, whosoever they are; those of one photo by two
# versions that share a gallery are nearer than this.
SAMPLE = 200
MOST_APART = 1.0
LEAST_SHARE = 0.9
# The index is rebuilt each time this share of the faces has new vectors; searches between read
# the shards.
_REBUILD_SHARE = 0.25


def upgrade_in_place(
    gallery: Gallery,
    engine: FaceEngine,
    options: EmbedOptions | None = None,
    *,
    drop_unreadable: bool = False,
    progress: Progress = lambda done, total: None,
) -> UpgradeReport:
    """Replace the shards of ``gallery`` one by one by shards with vectors of ``engine``.

    As :func:`~facesearch.upgrade.gallery.upgrade_gallery`, but that the gallery holds vectors of
    both encoders meanwhile, and while photos of some shards cannot be read: these shards keep their
    old vectors. Raises InputError where the vectors of ``engine`` cannot be compared with those of
    the gallery, as measured on some faces.
    """
    contract = upgraded_contract(gallery, engine)
    if contract == gallery.contract and not gallery.comparable:
        raise InputError(f"{gallery.folder} holds vectors of {contract.name} already")
    if contract.dimension != gallery.contract.dimension:
        raise InputError(
            f"expected vectors of {gallery.contract.dimension} components, as {gallery.folder} "
            f"has, got {contract.dimension} of {contract.name}; upgrade without mixing both"
        )
    with gallery.writing():
        upgrade = _UpgradeInPlace(gallery, engine, options or EmbedOptions(), contract)
        return upgrade.run(progress, drop=drop_unreadable)


class _UpgradeInPlace:
    def __init__(
        self,
        gallery: Gallery,
        engine: FaceEngine,
        options: EmbedOptions,
        contract: EncoderContract,
    ) -> None:
        self.gallery, self.contract = gallery, contract
        self.state = gallery.state()
        self.goal = IndexGoal.of(gallery)
        self.report = UpgradeReport(contract.name)
        self._work = ReEmbedding(engine, contract, options, self.report.failures)
        self._not_indexed = 0

    def run(self, progress: Progress, *, drop: bool) -> UpgradeReport:
        """Replace every shard that has other vectors; with ``drop`` without faces that fail."""
        upgrade_shards(
            self.gallery,
            self.state,
            self._work,
            self.report,
            is_done=self._is_done,
            keep=self._replace,
            drop=drop,
            progress=progress,
        )
        self._end()
        return self.report

    def _is_done(self, path: Path) -> bool:
        with Shard.open(path) as shard:
            return holds_contract(shard, self.contract)

    def _replace(self, path: Path, made: UpgradedShard) -> None:
        """Put the new shard in the place of the old one."""
        if not self.gallery.comparable:
            self._begin(made)
        replace_shard(path, made.content(), self.gallery.dtype)
        self._not_indexed += made.embedded
        if self._not_indexed > _REBUILD_SHARE * self.state.face_count:
            self._renew_index()

    def _begin(self, made: UpgradedShard) -> None:
        """Let the gallery have vectors of both encoders, if these can be compared."""
        ids, vectors = made.vectors()
        ids, vectors = ids[:SAMPLE], vectors[:SAMPLE]
        share = comparable_share(self.gallery.vectors(ids), vectors) if len(ids) else 1.0
        if share < LEAST_SHARE:
            raise InputError(
                f"the vectors of {self.contract.name} cannot be compared with those of "
                f"{self.gallery.folder}: only {share:.0%} of {count(len(ids), 'face')} have a new "
                "vector near their old one; upgrade without mixing both, or train the encoder "
                "with facesearch train --compatible-with"
            )
        for path in derived_files(self.gallery):
            path.unlink(missing_ok=True)
        self._describe((self.gallery.contract, *self.gallery.comparable))

    def _describe(self, comparable: tuple[EncoderContract, ...]) -> None:
        gallery = self.gallery
        gallery.contract, gallery.comparable = self.contract, comparable
        gallery.describe(created_at(gallery))

    def _renew_index(self) -> None:
        self._not_indexed = 0
        try:
            rebuild(self.gallery, self.gallery.state(), self.goal)
        except (MissingFaissError, IndexGoalError) as error:
            logger.warning("the search index was not renewed: %s", error)

    def _end(self) -> None:
        if self._not_indexed:
            self._renew_index()
        left = self.report.shards_before + self.report.shards < len(self.gallery.shard_paths())
        self.report.mixed = left and bool(self.gallery.comparable)
        self.report.upgraded = not left
        if self.report.upgraded and self.gallery.comparable:
            self._describe(())


def comparable_share(old: Vectors, new: Vectors) -> float:
    """The share of faces whose ``new`` vector fits their ``old`` one; both (n, d), row by row.

    It is nearer than ``MOST_APART``, and than the middle one of the old vectors is.
    """
    distances = 2 - 2 * new @ old.T
    moved = distances.diagonal()
    near = (moved <= MOST_APART) & (moved <= np.median(distances, axis=1))
    return float(near.mean())
