"""Do an album's suggestions and groups stay clear of the crowd and of what is no face?

    python -m benchmarks.curation.crowd --gallery MIXED.gallery --crowd FOLDER --boxes boxes.json

``MIXED.gallery`` holds the photos of an album and, under ``--crowd``, photos of crowds (WIDER FACE)
with the labelled boxes of all their faces. A face of a crowd photo that overlaps no labelled box is
a false find. Counted are the suggestions that are about faces of crowd photos alone: of all, and of
the first ones in the order of expected gain, as suggestions were, and in the order they have now.
And the groups of two or more that are mostly false finds, or led by poor faces, where poor faces
join by the gallery's rule and, as before, within the identification threshold.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from cluster.adaptive.clustering import adaptive_merges
from cluster.agglomerative import clusters_at
from cluster.attach_outliers import attach
from cluster.constraints import Constraints
from cluster.types import Clustering
from facesearch.album.build import gallery_album
from facesearch.album.model import Album
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.encoders import thresholds_in_use
from facesearch.gallery.face_table import FaceTable
from facesearch.gallery.gallery import Gallery
from facesearch.quality import MIN_QUALITY

FIRST = (4, 10, 20)
_OVERLAP = 0.3  # labelled boxes are tighter or wider than found ones

Marks = NDArray[np.bool_]


def main() -> None:
    """Count and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gallery", type=Path, required=True)
    parser.add_argument("--crowd", type=Path, required=True, help="folder of the crowd photos")
    parser.add_argument("--boxes", type=Path, required=True, help="their labelled boxes, JSON")
    args = parser.parse_args()
    gallery = Gallery.open(args.gallery)
    state = gallery.state()
    table = FaceTable.read(gallery, state)
    faces = gallery.faces(table.ids, state)
    crowd = np.array([face.photo.location.is_relative_to(args.crowd) for face in faces])
    boxes = json.loads(args.boxes.read_text(encoding="utf-8"))
    false = np.array(
        [
            bool(mark) and not overlaps(face.box, boxes_of(boxes, face.photo.location, args.crowd))
            for face, mark in zip(faces, crowd, strict=True)
        ]
    )
    poor = table.quality < MIN_QUALITY
    run = run_clustering(gallery, state, ClusterOptions.for_gallery(gallery))
    album = gallery_album(gallery, state, run, "album and crowds")
    result = {
        "faces": len(faces),
        "crowd": int(crowd.sum()),
        "poor": int(poor.sum()),
        "false_finds": int(false.sum()),
        "false_finds_not_poor": int((false & ~poor).sum()),
        "suggestions": suggestions(album, {*table.ids[crowd].tolist()}),
        "groups": {
            name: groups(found, table.ids, false, poor)
            for name, found in clusterings(gallery, table, run.clustering).items()
        },
    }
    print(json.dumps(result, indent=1))
    record("crowd", result)


def boxes_of(boxes: dict[str, Any], photo: Path, folder: Path) -> NDArray[np.float64]:
    """The labelled boxes of a photo as x0, y0, x1, y1, float64 (b, 4)."""
    name = photo.relative_to(folder).as_posix()
    labelled = boxes.get(name) or boxes.get(photo.name)
    if labelled is None:
        raise SystemExit(f"expected labelled boxes of {name}, found none")
    corners = np.array(labelled["boxes_xywh"], np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return corners


def overlaps(box: tuple[float, ...], labelled: NDArray[np.float64]) -> bool:
    """Whether a found face is one of those labelled."""
    found = iou(np.array([box], np.float64), labelled)
    return bool(len(labelled)) and float(found.max()) >= min(_OVERLAP, SAME_FACE_IOU)


def suggestions(album: Album, crowd: set[int]) -> dict[str, Any]:
    """How many suggestions are about the crowd alone: of all, and of the first in two orders."""
    strangers = {
        each.key for each in album.people if all(face.face_id in crowd for face in each.faces)
    }
    advice = album.advice
    kinds: dict[str, list[tuple[float, bool]]] = {
        "merges": [(each.gain, {*each.keys} <= strangers) for each in advice.merges],
        "mixtures": [(each.gain, each.key in strangers) for each in advice.mixtures],
        "doubts": [(each.probability, each.key in strangers) for each in advice.doubts],
    }
    return {
        kind: {
            "all": len(found),
            "crowd": sum(mark for _, mark in found),
            "first_by_gain": first(sorted(found, key=lambda each: -each[0])),
            "first_now": first(found),
        }
        for kind, found in kinds.items()
    }


def first(found: list[tuple[float, bool]]) -> list[dict[str, int]]:
    """Of the first ones, how many are about the crowd."""
    return [{"first": n, "crowd": sum(mark for _, mark in found[:n])} for n in FIRST]


def clusterings(gallery: Gallery, table: FaceTable, now: Clustering) -> dict[str, Clustering]:
    """What `cluster` gives now, and with poor faces put to the nearest group, as before."""
    good = ~(table.quality < MIN_QUALITY)
    limits = thresholds_in_use(gallery.contract)
    apart = Constraints(table.photo[good])
    learnt = adaptive_merges(table.vectors[good], limits.cluster, constraints=apart)
    if learnt is None:
        raise SystemExit("too few faces or people")
    formed = clusters_at(
        table.ids[good],
        table.vectors[good],
        learnt.dendrogram,
        0.0,
        alone=learnt.rule.distance(1, 1),
    )
    before = attach(
        formed,
        table.vectors[good],
        table.ids[~good],
        table.vectors[~good],
        min(limits.cluster, limits.identification),
        photos=(table.photo[good], table.photo[~good]),
    )
    return {"nearest_group": before, "now": now}


def groups(found: Clustering, ids: NDArray[np.int64], false: Marks, poor: Marks) -> dict[str, int]:
    """How many groups of two or more there are, mostly of false finds, and led by poor faces."""
    rows = np.searchsorted(ids, found.ids)
    several = [np.flatnonzero(found.labels == label) for label in range(found.count)]
    several = [members for members in several if len(members) > 1]
    return {
        "two_or_more": len(several),
        "false_finds": sum(bool(2 * false[rows[each]].sum() > len(each)) for each in several),
        "led_by_poor": sum(bool(2 * poor[rows[each]].sum() > len(each)) for each in several),
    }


if __name__ == "__main__":
    main()
