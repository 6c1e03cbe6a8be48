"""A gallery's faces embedded again with another encoder, its decisions and names kept.

Face ids are the same before and after, so all that people decided holds. New shards are made beside
the old ones, one after the other, while searches go on with the old; a job that was killed goes on
where it stopped. When all are whole the gallery's description names their folder and contract, in
one step, and what was derived of the old vectors is removed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from facesearch.clustering.dendrogram_cache import dendrogram_path
from facesearch.embed import EmbedOptions
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.gallery.description import SHARDS
from facesearch.gallery.gallery import DESCRIPTION, Gallery
from facesearch.gallery.state_cache import FILE as STATE_FILE
from facesearch.recognition.calibration import calibration_path
from facesearch.search.gallery_index import IndexGoal, build_index, index_folder
from facesearch.search.knn_graph import graph_path
from facesearch.upgrade.report import Progress, UpgradeReport
from facesearch.upgrade.shard import ReEmbedding, UpgradedShard, upgrade_shards
from indexer.errors import IndexGoalError, MissingFaissError
from indexer.storage.atomic_files import write_atomically
from indexer.storage.plain_files import read_json, read_plain
from indexer.storage.shards import digest_path, shard_path, write_shard

logger = logging.getLogger(__name__)

SOURCES = "sources.json"  # of which old shard each new one was made
_MOST_BYTES = 1 << 28  # of it


def upgraded_contract(gallery: Gallery, engine: FaceEngine) -> EncoderContract:
    """The contract of the gallery's faces embedded by ``engine``, found as they were."""
    return replace(engine.contract, detector=gallery.contract.detector)


def upgrade_gallery(
    gallery: Gallery,
    engine: FaceEngine,
    options: EmbedOptions | None = None,
    *,
    drop_unreadable: bool = False,
    progress: Progress = lambda done, total: None,
) -> UpgradeReport:
    """Embed all live faces of ``gallery`` again with the encoder of ``engine``.

    Photos are read again, faces are where they were found. Faces of photos that cannot be read keep
    the gallery from being switched, unless ``drop_unreadable``: then they are no longer in it, and
    come back with new ids when their photos are indexed again. ``progress`` gets faces done and
    their total. Raises InputError where the gallery has that encoder's vectors already,
    BusyGalleryError when another process is writing.
    """
    contract = upgraded_contract(gallery, engine)
    if contract == gallery.contract:
        raise InputError(f"{gallery.folder} holds vectors of {contract.name} already")
    goal = IndexGoal.of(gallery)
    with gallery.writing():
        report = _Upgrade(
            gallery, engine, options or EmbedOptions(), contract, drop_unreadable
        ).run(progress)
    if report.upgraded:
        try:
            build_index(Gallery.open(gallery.folder), goal)
        except (MissingFaissError, IndexGoalError) as error:
            logger.warning("the search index was not renewed: %s", error)
    return report


class _Upgrade:
    def __init__(
        self,
        gallery: Gallery,
        engine: FaceEngine,
        options: EmbedOptions,
        contract: EncoderContract,
        drop: bool,
    ) -> None:
        self.gallery, self.drop = gallery, drop
        self.state = gallery.state()
        self.target = Gallery(gallery.folder, contract, gallery.dtype, _folder_name(contract))
        self.report = UpgradeReport(contract.name)
        self._made_of: dict[str, str] = {}  # the digest of the old shard, by its name
        self._work = ReEmbedding(engine, contract, options, self.report.failures)

    def run(self, progress: Progress) -> UpgradeReport:
        """Make all shards that are not there, then switch where all faces are in them."""
        self._remove_others()
        self.target.shards_folder.mkdir(exist_ok=True)
        self._made_of = self._sources()
        upgrade_shards(
            self.gallery,
            self.state,
            self._work,
            self.report,
            is_done=self._is_done,
            keep=self._keep,
            drop=self.drop,
            progress=progress,
        )
        if not self.report.failures or self.drop:
            self._switch()
        return self.report

    def _remove_others(self) -> None:
        """Remove what upgrades to other encoders left, and shards that one has replaced."""
        used = {self.gallery.shards_folder, self.target.shards_folder}
        for folder in {*self.gallery.folder.glob(f"{SHARDS}*")} - used:
            shutil.rmtree(folder, ignore_errors=True)

    def _sources(self) -> dict[str, str]:
        try:
            return dict(read_json(self.target.shards_folder / SOURCES, _MOST_BYTES))
        except (OSError, ValueError, TypeError):
            return {}

    def _is_done(self, path: Path) -> bool:
        new = shard_path(self.target.shards_folder, int(path.stem))
        return new.exists() and self._made_of.get(path.name) == _digest(path)

    def _keep(self, path: Path, made: UpgradedShard) -> None:
        """Write the new shard of an old one, and of what it was made."""
        new = shard_path(self.target.shards_folder, int(path.stem))
        _remove(new)
        write_shard(new, made.content(), self.gallery.dtype)
        self._made_of[path.name] = _digest(path)
        sources = json.dumps(self._made_of).encode()
        write_atomically(self.target.shards_folder / SOURCES, sources)

    def _switch(self) -> None:
        """Make the new shards the gallery's, and remove what was made of the old ones."""
        created = created_at(self.gallery)
        for path in derived_files(self.gallery):
            path.unlink(missing_ok=True)
        shutil.rmtree(index_folder(self.gallery), ignore_errors=True)
        self.target.describe(created)
        shutil.rmtree(self.gallery.shards_folder, ignore_errors=True)
        self.report.upgraded = True


def _folder_name(contract: EncoderContract) -> str:
    digest = hashlib.sha256(json.dumps(asdict(contract), sort_keys=True).encode()).hexdigest()
    return f"{SHARDS}-{digest[:12]}"


def _digest(path: Path) -> str:
    return read_plain(digest_path(path)).decode("ascii", "replace").partition(" ")[0]


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    digest_path(path).unlink(missing_ok=True)


def created_at(gallery: Gallery) -> str:
    """When ``gallery`` was made, as its description has it."""
    return str(read_json(gallery.folder / DESCRIPTION).get("created_at", ""))


def derived_files(gallery: Gallery) -> list[Path]:
    """Files that hold what follows from vectors, or from a contract."""
    return [
        index_folder(gallery) / "index.json",
        gallery.folder / STATE_FILE,
        graph_path(gallery),
        dendrogram_path(gallery),
        calibration_path(gallery),
    ]
