"""``graph``: find the nearest neighbours of every face and save them for clustering."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from facesearch.cli.engine_options import add_search_device, positive_int
from facesearch.cli.output import counting_progress, graph_text, print_json


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "graph",
        help="find and save the nearest neighbours of every face",
        description="Find the nearest neighbours of every face and save them in graph.h5, which "
        "speeds up the clustering of large galleries. An existing graph is extended by the new "
        "faces only. A graph made with an approximate index misses some neighbours; for an exact "
        "one, delete graph.h5 and run facesearch build --recall 1 first.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.add_argument(
        "-k", type=positive_int, default=32, help="neighbours for each face (default: 32)"
    )
    add_search_device(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    parser.set_defaults(run=run_graph)


def run_graph(args: argparse.Namespace) -> int:
    """Build or extend the graph and print what was done."""
    from facesearch.api.indexing import make_graph
    from facesearch.gallery.gallery import Gallery
    from facesearch.search.knn_graph import GraphFacts, graph_path

    gallery = Gallery.open(args.gallery)
    progress = counting_progress(args.quiet, " faces")
    report = make_graph(gallery, args.k, device=args.search_device, progress=progress)
    path = graph_path(gallery)
    graph = GraphFacts.of(report.count, report.k, report.accuracy)
    if args.json:
        facts = {"file": path, "faces": graph.faces, "k": graph.k, "exact": graph.exact}
        work = {"searched": report.searched, "updated": report.updated}
        print_json({**facts, "index_recall": graph.index_recall, **work})
    elif not report.searched and not report.updated:
        print(f"{path} is up to date: {graph_text(graph)}")
    else:
        print(
            f"{path}: {graph_text(graph)}; {report.searched} faces were compared with all, "
            f"{report.updated} with the new ones only"
        )
    return 0
