"""``cluster`` and ``report``: the gallery's faces as people, and the page that shows them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import (
    fraction,
    positive_int,
    squared_distance,
)
from facesearch.cli.output import print_facts, print_json, print_table, printable
from facesearch.text import count

if TYPE_CHECKING:
    from facesearch.clustering.person_matching import PeopleChanges
    from facesearch.clustering.run_store import RunInfo

_MOVES_SHOWN = 10


def add_commands(commands: Any) -> None:
    """Add both commands."""
    cluster = commands.add_parser("cluster", help="group the gallery's faces into people")
    cluster.add_argument("gallery", type=Path, metavar="GALLERY")
    cluster.add_argument("--method", choices=("agglomerative", "hdbscan"), default="agglomerative")
    cluster.add_argument(
        "--threshold",
        type=squared_distance,
        metavar="D",
        help="largest mean squared distance of one person; hdbscan takes groups apart beyond 1.15 "
        "times as much (default: what the gallery's own impostors give at its size, at most the "
        "encoder's); where only this changes, the merges that were kept are cut there",
    )
    cluster.add_argument(
        "--linkage",
        choices=("average", "complete", "single"),
        default="average",
        help="which distance between groups counts: the mean of all pairs, the farthest pair (up "
        "to 10,000 faces), or the nearest, which joins in chains; the last two need --threshold",
    )
    cluster.add_argument(
        "--min-size",
        type=positive_int,
        default=1,
        metavar="N",
        help="smaller groups are noise (default: 1; hdbscan needs at least 2)",
    )
    cluster.add_argument(
        "--min-quality",
        type=fraction,
        metavar="Q",
        help="faces below this quality form no groups; each joins the group it is near, or is "
        "noise (default: 0.3; 0 lets all take part)",
    )
    cluster.add_argument(
        "--same-photo",
        action="store_true",
        help="two faces of one photo may be one person, as in collages and mirrors",
    )
    cluster.add_argument(
        "--full",
        action="store_true",
        help="cluster all faces anew; else, where the options are those of the run before and not "
        "too many faces are new, these join its people or form new ones",
    )
    cluster.set_defaults(run=run_cluster)

    report = commands.add_parser("report", help="write the album of the last clustering")
    report.add_argument("gallery", type=Path, metavar="GALLERY")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: GALLERY/report")
    report.add_argument("--title", help="default: the gallery's name")
    report.add_argument(
        "--xmp",
        action="store_true",
        help="also write who is on each photo as XMP sidecar files (face regions of the Metadata "
        "Working Group), to DIR/xmp; photos are never changed",
    )
    report.add_argument(
        "--xmp-beside",
        action="store_true",
        help="write the sidecar files beside the photos, as PHOTO.xmp; those of other programs "
        "are left alone",
    )
    report.set_defaults(run=run_report)


def run_cluster(args: argparse.Namespace) -> int:
    """Cluster and keep the result."""
    import numpy as np

    from facesearch.api.clustering import cluster_gallery
    from facesearch.clustering.options import ClusterOptions
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
    )
    run = cluster_gallery(gallery, options)
    labels = run.clustering.labels
    sizes = np.bincount(labels[labels >= 0], minlength=run.clustering.count)
    facts = {
        "faces": len(labels),
        "groups": run.clustering.count,
        "groups_of_one": int((sizes == 1).sum()),
        "largest_group": int(sizes.max()) if len(sizes) else 0,
        "noise": int((labels < 0).sum()),
        "method": run.method,
        "threshold": run.threshold,
        "threshold_from": run.how.threshold_from,
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
    if not run.how.exact:
        print(f"facesearch: {_why_inexact(run.how, args.gallery)}", file=sys.stderr)
    for text in run.contradictions:
        print(f"facesearch: contradiction: {text}", file=sys.stderr)
    if args.json:
        print_json({**facts, "changes": run.changes, "contradictions": run.contradictions})
    else:
        print_facts([(name.replace("_", " "), value) for name, value in facts.items()])
        _print_changes(run.changes)
    return 0


def _why_inexact(how: RunInfo, gallery: Path) -> str:
    """Why single linkage may have missed a pair, and what to do."""
    if how.edge_recall == 1:
        return (
            "single linkage is approximate here: some faces may have more others within the "
            "threshold than the graph has neighbours; take a smaller threshold, or a graph of "
            f"more: facesearch graph {gallery} -k K"
        )
    delete = f", delete {gallery / 'graph.h5'}" if how.graph == "kept" else ""
    return (
        f"single linkage is approximate here: the graph has a share of {how.edge_recall:.5f} of "
        f"the nearest neighbours; for all of them: facesearch build {gallery} --recall 1{delete}, "
        f"then facesearch graph {gallery}; those of low quality count with --min-quality 0"
    )


def _print_changes(changes: PeopleChanges) -> None:
    """What became of the people of before, the largest moves first."""
    if changes == type(changes)(born=changes.born):
        return  # there was nobody before
    print(
        f"people who are still there: {changes.kept}, merged into others: "
        f"{changes.count('merge')}, gone: {len(changes.gone)}, split off: "
        f"{changes.count('split')}, new: {changes.born}, back from earlier runs: {changes.returned}"
    )
    print(
        f"faces that joined people of before: {changes.joined}, that moved between people: "
        f"{changes.moved}, that are nobody's now: {changes.left}"
    )
    moves = sorted(changes.moves, key=lambda each: -each.faces)[:_MOVES_SHOWN]
    if moves:
        print_table(
            ("change", "from", "to", "faces", "reason"),
            [(m.kind, f"p{m.source}", f"p{m.target}", m.faces, m.reason) for m in moves],
        )
    if len(changes.moves) > len(moves):
        print(f"and {len(changes.moves) - len(moves)} more; --json lists all")


def run_report(args: argparse.Namespace) -> int:
    """Write the report and say where it is."""
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
        print(f"{count(people, 'person', 'people')} in {photos}: {path}")
        for each, where in zip(sidecars, _sidecar_places(args, path), strict=True):
            print(f"{count(each.written, 'sidecar file')} {where}")
    for photo in skipped:
        text = f"no sidecar for {photo.name}: {photo.reason}: {photo.detail}"
        print(printable(text), file=sys.stderr)
    return 0


def _sidecar_places(args: argparse.Namespace, index: Path) -> list[str]:
    places = [f"in {index.parent / 'xmp'}"] if args.xmp else []
    return [*places, "beside the photos"] if args.xmp_beside else places
