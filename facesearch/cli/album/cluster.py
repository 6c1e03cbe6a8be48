"""``cluster`` and ``report``: group faces into people, and write the album that shows them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.album.cluster_text import print_changes, print_run, why_inexact
from facesearch.cli.engine_options import (
    fraction,
    positive_int,
    squared_distance,
)
from facesearch.cli.output import print_json
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.clustering.run_store import ClusterRun


def add_commands(commands: Any) -> None:
    """Add both commands."""
    _add_cluster(commands)
    _add_report(commands)


def _add_cluster(commands: Any) -> None:
    cluster = commands.add_parser("cluster", help="group the faces of a gallery into people")
    cluster.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    _add_method(cluster)
    _add_faces(cluster)
    cluster.add_argument(
        "--full",
        action="store_true",
        help="cluster all faces again. Without this, new faces join the people of the previous "
        "run or form new ones, if the options are the same and not too many faces are new",
    )
    _add_partitions(cluster)
    cluster.set_defaults(run=run_cluster)


def _add_partitions(cluster: argparse.ArgumentParser) -> None:
    """In how many parts, and who works on them."""
    group = cluster.add_argument_group(
        "galleries larger than one memory",
        "The graph of neighbours and the merges are made in partitions, by average linkage at the "
        "threshold. All faces are clustered again.",
    )
    group.add_argument(
        "--partitions",
        type=positive_int,
        metavar="N",
        help="number of partitions; a worker holds about one at a time",
    )
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="let the Ray cluster at this address work on them: host:port, auto, or local to start "
        "one here (default: this process, one after the other)",
    )


def _add_method(cluster: argparse.ArgumentParser) -> None:
    """How faces are compared and merged."""
    cluster.add_argument(
        "--method",
        choices=("agglomerative", "hdbscan"),
        default="agglomerative",
        help="clustering method (default: agglomerative)",
    )
    cluster.add_argument(
        "--threshold",
        type=squared_distance,
        metavar="D",
        help="largest mean squared distance within a person; hdbscan splits clusters beyond 1.15 "
        "times this (default: none; the merges of the gallery tell up to where faces are more "
        "likely one person than two). Changing only this option is fast: saved merges are cut "
        "again",
    )
    cluster.add_argument(
        "--linkage",
        choices=("average", "complete", "single"),
        default="average",
        help="distance between two clusters: the mean over all pairs of faces, the farthest pair "
        "(complete; up to 10,000 faces), or the nearest pair (single; forms chains). complete and "
        "single need --threshold (default: average)",
    )


def _add_faces(cluster: argparse.ArgumentParser) -> None:
    """Which faces are people, and which may be one."""
    cluster.add_argument(
        "--min-size",
        type=positive_int,
        default=1,
        metavar="N",
        help="smallest number of faces of a person; faces of smaller clusters have no person "
        "(default: 1; hdbscan needs at least 2)",
    )
    cluster.add_argument(
        "--min-quality",
        type=fraction,
        metavar="Q",
        help="faces below this quality form no clusters; each joins the nearest person, if near "
        "enough (default: 0.3; 0 lets all faces form clusters)",
    )
    cluster.add_argument(
        "--same-photo",
        action="store_true",
        help="allow two faces of one photo to be the same person, as in collages and mirrors",
    )


def _add_report(commands: Any) -> None:
    report = commands.add_parser("report", help="write the last clustering as an HTML album")
    report.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    report.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write to (default: GALLERY/report)"
    )
    report.add_argument("--title", help="title of the album (default: the name of the gallery)")
    report.add_argument(
        "--xmp",
        action="store_true",
        help="also write the people of each photo to XMP sidecar files in DIR/xmp (face regions of "
        "the Metadata Working Group); photos are never changed",
    )
    report.add_argument(
        "--xmp-beside",
        action="store_true",
        help="write the sidecar files next to the photos, as PHOTO.xmp; those of other programs "
        "are not changed",
    )
    report.set_defaults(run=run_report)


def run_cluster(args: argparse.Namespace) -> int:
    """Cluster, save the result and print it."""
    from facesearch.api.clustering import cluster_gallery
    from facesearch.clustering.options import ClusterOptions
    from facesearch.distributed.ray_runtime import RayOptions
    from facesearch.errors import InputError
    from facesearch.gallery.gallery import Gallery

    gallery = Gallery.open(args.gallery)
    options = ClusterOptions.for_gallery(
        gallery,
        method=args.method,
        threshold=args.threshold,
        linkage=args.linkage,
        min_size=args.min_size,
        min_quality=args.min_quality,
        same_photo=args.same_photo,
        full=args.full,
        partitions=args.partitions or 0,
    )
    if args.ray is not None and not args.partitions:
        raise InputError("expected --partitions N with --ray, got none")
    cluster = None if args.ray is None else RayOptions(args.ray)
    run = cluster_gallery(gallery, options, cluster=cluster)
    if not run.how.exact:
        print(f"facesearch: {why_inexact(run.how, args.gallery)}", file=sys.stderr)
    for text in run.contradictions:
        print(f"facesearch: contradiction: {text}", file=sys.stderr)
    if args.json:
        print_json(_facts(run))
    else:
        print_run(run)
        print_changes(run.changes)
    return 0


def _facts(run: ClusterRun) -> dict[str, Any]:
    """All that ``--json`` prints."""
    import numpy as np

    labels = run.clustering.labels
    sizes = np.bincount(labels[labels >= 0], minlength=run.clustering.count)
    facts = {
        "faces": len(labels),
        "people_with_several_faces": int((sizes > 1).sum()),
        "groups": run.clustering.count,
        "groups_of_one": int((sizes == 1).sum()),
        "largest_group": int(sizes.max()) if len(sizes) else 0,
        "noise": int((labels < 0).sum()),
        "method": run.method,
        "threshold": run.threshold,
        "threshold_from": run.how.threshold_from,
        "rule": run.how.rule,
        "graph": run.how.graph or "all pairs",
        "edge_recall": run.how.edge_recall,
        "min_quality": run.min_quality,
        "same_photo": run.same_photo,
        "file": run.path,
        "full": run.how.full,
        "cut": run.how.cut,
        "why": run.how.why,
    }
    if run.how.linkage != "average":
        facts |= {"linkage": run.how.linkage, "exact": run.how.exact}
    if run.how.partitions:
        facts |= {"partitions": run.how.partitions, "worker_bytes": run.how.worker_bytes}
    return {**facts, "changes": run.changes, "contradictions": run.contradictions}


def run_report(args: argparse.Namespace) -> int:
    """Write the report and print where it is."""
    from facesearch.api.clustering import gallery_album, write_report, write_sidecars

    album = gallery_album(args.gallery, title=args.title)
    if album.about.outdated:
        print(f"facesearch: {album.about.outdated}", file=sys.stderr)
    path = write_report(album, args.out)
    sidecars = []
    if args.xmp:
        sidecars.append(write_sidecars(album, path.parent / "xmp"))
    if args.xmp_beside:
        sidecars.append(write_sidecars(album, None))
    skipped = [photo for each in sidecars for photo in each.skipped]
    if args.json:
        facts = {"report": path, "people": len(album.people), "faces": album.face_count}
        if sidecars:
            facts["sidecars"] = sum(each.written for each in sidecars)
            facts["sidecars_skipped"] = skipped
        print_json(facts)
    else:
        people, photos = len(album.people), count(album.about.photo_count, "photo")
        print(f"{count(people, 'person', 'people')} in {photos}; album written to {path}")
        for each, where in zip(sidecars, _sidecar_places(args, path), strict=True):
            print(f"{count(each.written, 'sidecar file')} {where}")
    for photo in skipped:
        text = f"no sidecar for {photo.name}: {photo.reason}: {photo.detail}"
        print(printable(text), file=sys.stderr)
    return 0


def _sidecar_places(args: argparse.Namespace, index: Path) -> list[str]:
    places = [f"in {index.parent / 'xmp'}"] if args.xmp else []
    return [*places, "next to the photos"] if args.xmp_beside else places
