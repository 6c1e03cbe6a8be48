"""A gallery with clear people, for tests of decisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cluster.types import Clustering
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import ClusterRun, save_run
from facesearch.curation.editor import PeopleEditor
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.gallery.gallery import Gallery
from support.fake_engine import FakeEngine, write_photo

CLEAR = ClusterOptions("agglomerative", 0.5)


def index(gallery: Gallery, folder: Path) -> None:
    """Add the photos of ``folder``."""
    options = EmbedOptions(decoders=0, threads=1)
    embed_photos(gallery, FakeEngine(), [folder], options)  # type: ignore[arg-type]


def people_gallery(folder: Path, people: int = 4, each: int = 3, name: str = "my") -> Gallery:
    """``people`` with ``each`` photos: "PERSON-NUMBER.png", person 1 to ``people``."""
    for person in range(1, people + 1):
        for number in range(each):
            write_photo(
                folder / "photos" / f"{person}-{number}.png", [person], 10 * person + number
            )
    gallery = Gallery.create(folder / f"{name}.gallery", FakeEngine().contract)
    index(gallery, folder / "photos")
    return gallery


def cluster(gallery: Gallery, options: ClusterOptions = CLEAR) -> ClusterRun:
    """Cluster and keep the run."""
    run = run_clustering(gallery, gallery.state(), options)
    save_run(gallery, run)
    return run


def photos_of_people(gallery: Gallery) -> dict[str, set[str]]:
    """The photos of every person there is, by name or number."""
    deciding = PeopleEditor(gallery)
    people = deciding.now.people
    return {p.label: {each.photo.name for each in deciding.records(p)} for p in people}


def halved_people_gallery(folder: Path, people: int = 4) -> Gallery:
    """``people``, each in two clusters of three faces, as by too strict a threshold: p1 and p2 are
    one, p3 and p4, and so on, as suggestions then say."""
    gallery = people_gallery(folder, people, 6)
    ids = gallery.state().live_ids()
    labels = np.arange(len(ids), dtype=np.int32) // 3
    found = Clustering(ids, labels, np.full(len(ids), 0.9, np.float32))
    digest, numbers = gallery.state().digest(), np.arange(1, found.count + 1)
    run = ClusterRun(found, "agglomerative", 0.5, "t", digest, 0.0, False, numbers)
    save_run(gallery, run)
    return gallery
