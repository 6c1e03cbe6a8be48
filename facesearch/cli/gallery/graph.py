"""``graph``: the nearest neighbours of every face of a gallery, kept for clustering."""

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
        help="find and keep the nearest neighbours of every face",
        description="Find the nearest neighbours of every live face among all others, and keep "
        "them in graph.h5. A graph that is there is only extended by what is new. Through an "
        "approximate index some neighbours are missed, which the graph remembers: for an exact one "
        "delete graph.h5 and build an exact index (facesearch build --recall 1) first.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY")
    parser.add_argument(
        "-k", type=positive_int, default=32, help="neighbours of a face (default: 32)"
    )
    add_search_device(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run_graph)


def run_graph(args: argparse.Namespace) -> int:
    """Make or extend the graph and say what was done."""
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
            f"{graph_text(graph)}, in {path}: {report.searched} searched for among all, "
            f"{report.updated} among the new ones"
        )
    return 0
