"""What a gallery holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facesearch.api.arguments import AnyGallery, to_gallery
from facesearch.encoders.types import EncoderContract
from facesearch.gallery.gallery import DType
from facesearch.gallery.records import PhotoRecord
from facesearch.people.store import PeopleStore
from facesearch.quality import MIN_QUALITY
from facesearch.recognition.calibration import Calibration, read_calibration
from facesearch.search.gallery_index import IndexFacts, index_facts
from facesearch.search.knn_graph import GraphFacts, graph_facts


@dataclass(frozen=True)
class GalleryInfo:
    """Counts of what is there now, and what was made of it.

    ``photos`` are locations, also those that ``failed``; ``partial`` are those whose file ends
    early. ``faces`` are live ones. ``calibration`` and ``graph`` are None where there is none;
    ``settings`` are the detector's.
    """

    gallery: Path
    photos: int
    photos_failed: int
    faces: int
    faces_of_low_quality: int
    faces_of_unknown_quality: int
    people_named: int
    faces_named: int
    calibration: Calibration | None
    index: IndexFacts
    graph: GraphFacts | None
    shards: int
    bytes_in_shards: int
    vectors: DType
    contract: EncoderContract
    settings: Mapping[str, float]
    failed: tuple[PhotoRecord, ...]
    partial: tuple[PhotoRecord, ...] = ()


def gallery_info(gallery: AnyGallery) -> GalleryInfo:
    """What a gallery holds; raises GalleryError if the folder has none."""
    opened = to_gallery(gallery)
    state = opened.state()
    memberships = PeopleStore(opened.folder).memberships()
    shards = opened.shard_paths()
    qualities = opened.qualities(state.live_ids())
    return GalleryInfo(
        gallery=opened.folder,
        photos=len(state.photos) - state.count("gone"),
        photos_failed=state.count("failed"),
        faces=state.face_count,
        faces_of_low_quality=int((qualities < MIN_QUALITY).sum()),
        faces_of_unknown_quality=int(np.isnan(qualities).sum()),
        people_named=len(set(memberships.names)),
        faces_named=len(memberships.names),
        calibration=read_calibration(opened),
        index=index_facts(opened, state),
        graph=graph_facts(opened, state),
        shards=len(shards),
        bytes_in_shards=sum(path.stat().st_size for path in shards),
        vectors=opened.dtype,
        contract=opened.contract,
        settings=opened.settings,
        failed=tuple(state.having("failed")),
        partial=tuple(state.partial()),
    )
