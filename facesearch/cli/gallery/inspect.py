"""``info`` and ``check``: show what a gallery holds, and verify it."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import (
    description_facts,
    graph_text,
    print_facts,
    print_json,
    print_table,
    size_text,
)
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.search.gallery_index import IndexFacts
    from facesearch.search.knn_graph import GraphFacts


def add_commands(commands: Any) -> None:
    """Add both commands."""
    info = commands.add_parser("info", help="show what a gallery holds")
    info.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    info.add_argument(
        "--failed", action="store_true", help="list the photos that failed or were read in part"
    )
    info.set_defaults(run=run_info)
    check = commands.add_parser(
        "check",
        help="verify the files of a gallery",
        description="Verify checksums, the encoder contract, names, and whether index, graph and "
        "clustering are up to date.",
    )
    check.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    check.add_argument(
        "--erased",
        type=Path,
        metavar="RECEIPT",
        help="only look for what forget deleted, by its receipt",
    )
    check.add_argument(
        "--name",
        nargs="+",
        default=[],
        metavar="NAME",
        help="with --erased: look for names too, which a receipt does not hold",
    )
    check.set_defaults(run=run_check)


def run_info(args: argparse.Namespace) -> int:
    """Print counts, the encoder contract and failures."""
    from facesearch.api.info import gallery_info

    info = gallery_info(args.gallery)
    failed = info.failed
    lists = ("failed", "partial")
    facts = {name: value for name, value in vars(info).items() if name not in lists}
    reasons = Counter(record.reason for record in failed)
    if args.json:
        listed = {
            name: [
                {"photo": each.location, "reason": each.reason, "detail": each.detail}
                for each in getattr(info, name)
            ]
            for name in lists
        }
        print_json({**facts, "failed_reasons": reasons, **listed})
        return 0
    print_facts(_lines(facts))
    if args.failed:
        print_table(
            ("photo", "reason", "detail"),
            [(each.name, each.reason, each.detail) for each in (*failed, *info.partial)],
        )
    elif failed:
        print("failures: " + ", ".join(f"{n} {reason}" for reason, n in reasons.most_common()))
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Print every problem; 1 when shards or names, which nothing can rebuild, are damaged."""
    from facesearch.api.maintenance import check_erased, check_gallery
    from facesearch.errors import InputError

    if args.erased:
        problems = check_erased(args.gallery, args.erased, names=args.name)
        if args.json:
            print_json({"gallery": args.gallery, "receipt": args.erased, "found": problems})
        elif not problems:
            print(f"{args.gallery}: nothing is left of what {args.erased} says was deleted")
        for problem in () if args.json else problems:
            print(f"FOUND: {printable(problem)}")
        return 1 if problems else 0
    if args.name:
        raise InputError("expected --erased RECEIPT with --name, got --name alone")
    findings = check_gallery(args.gallery)
    if args.json:
        print_json({"gallery": args.gallery, "problems": findings})
    elif not findings:
        print(f"{args.gallery}: no problems found")
    for finding in () if args.json else findings:
        print(f"{'DAMAGED' if finding.severe else 'note'}: {finding.subject}: {finding.problem}")
    return 1 if any(finding.severe for finding in findings) else 0


def _lines(facts: dict[str, Any]) -> list[tuple[str, object]]:
    """The facts in words."""
    from facesearch.gallery.description import settings_text

    contract = facts["contract"]
    named = count(facts["people_named"], "person", "people")
    shards = f"{count(facts['shards'], 'shard')}, {size_text(facts['bytes_in_shards'])}"
    return [
        ("gallery", facts["gallery"]),
        ("photos", f"{facts['photos']:,}, of which {facts['photos_failed']:,} failed"),
        (
            "faces",
            f"{facts['faces']:,}, of which {facts['faces_of_low_quality']:,} of low and "
            f"{facts['faces_of_unknown_quality']:,} of unknown quality",
        ),
        ("named", f"{named} with {count(facts['faces_named'], 'face')}"),
        *_index_lines(facts["index"]),
        *_graph_lines(facts["graph"]),
        ("threshold", _calibration_text(facts)),
        ("storage", f"{shards}, vectors of {contract.dimension} x {facts['vectors']}"),
        ("encoder", f"{contract.name} (weights {contract.weights_sha256[:12]})"),
        ("alignment", contract.preprocessing),
        ("detector", f"{contract.detector} ({settings_text(facts['settings'])})"),
    ]


def _index_lines(index: IndexFacts) -> list[tuple[str, object]]:
    """What the index is and how many of the faces it covers."""
    if index.coverage is None or index.description is None:
        return [("index", f"not used: {index.problem}")]
    coverage = index.coverage
    serves = f"{coverage.share:.1%} of the faces"
    if coverage.fresh:
        serves += f"; {count(coverage.fresh, 'newer one')} searched separately"
    if coverage.hidden:
        serves += f"; {count(coverage.hidden, 'deleted one')} skipped"
    return [*description_facts(index.description), ("index covers", serves)]


def _graph_lines(graph: GraphFacts | None) -> list[tuple[str, object]]:
    """What the saved graph is, if there is one."""
    if graph is None:
        return []
    return [("graph", f"not used: {graph.problem}" if graph.problem else graph_text(graph))]


def _calibration_text(facts: dict[str, Any]) -> str:
    """The calibrated threshold, and whether it still holds."""
    from facesearch.cli.recognition.calibrate import rate_text

    calibration = facts["calibration"]
    if calibration is None:
        return "the encoder's default (not calibrated)"
    stale = calibration.outgrown(facts["people_named"], facts["faces_named"])
    return f"{calibration.result.threshold:.4f}, calibrated for {rate_text(calibration.result)}" + (
        f"; stale: {stale}" if stale else ""
    )
