"""A driver that a test can kill: ``ray_job.py ADDRESS GALLERY PHOTOS PIDS``."""

from __future__ import annotations

import sys
from pathlib import Path

from facesearch.distributed.indexing.job import embed_photos_on
from facesearch.distributed.ray_runtime import RayOptions
from facesearch.embed import EmbedOptions
from facesearch.gallery.gallery import Gallery
from support.cluster.fake_engine_maker import FakeEngineMaker

OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=3)
SECONDS = 0.3


def main() -> None:
    """Index the photos with two workers."""
    address, *paths = sys.argv[1:]
    gallery, photos, pids = map(Path, paths)
    engine = FakeEngineMaker(SECONDS, pids)
    cluster = RayOptions(address, workers=2)
    embed_photos_on(Gallery.open(gallery), engine, [photos], OPTIONS, cluster=cluster)


if __name__ == "__main__":
    main()
