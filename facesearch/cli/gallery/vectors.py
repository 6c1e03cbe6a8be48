"""``export-vectors`` and ``import-vectors``: a gallery's vectors for other programs, and theirs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from facesearch.cli.output import counting_progress, print_json, size_text
from facesearch.text import count, printable


def add_commands(commands: Any) -> None:
    """Add both commands."""
    export = commands.add_parser(
        "export-vectors",
        help="write vectors, photos and names to a Parquet file for other programs",
        description="Write every face of a gallery as a row of one Parquet file: id, unit vector, "
        "photo, box, quality, person and name. Vector databases load it (docs/exchange.md). The "
        "photos are not in it, and it is not encrypted. For a backup use facesearch export.",
    )
    export.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    export.add_argument("file", type=Path, metavar="FILE", help="new file *.parquet to write")
    export.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="type of the vectors' components: float16 takes half the space, and not every "
        "program reads it (default: float32)",
    )
    export.set_defaults(run=run_export_vectors)
    importing = commands.add_parser(
        "import-vectors",
        help="make a gallery of vectors from a file, without photos",
        description="Add the vectors of a file to a gallery, which is made if it is missing. Every "
        "command works on it but those that read the photos, which are not here. A Parquet file "
        "needs a column named vector; the columns of facesearch export-vectors are taken too, "
        "others are left out. Faces of one photo must follow each other. An interrupted import "
        "continues when it is started again.",
    )
    importing.add_argument(
        "file", type=Path, metavar="FILE", help="vectors: *.parquet, or an array (n, d) as *.npy"
    )
    importing.add_argument(
        "gallery", type=Path, metavar="GALLERY", help="folder of the gallery, new or not"
    )
    importing.add_argument(
        "--encoder-name",
        metavar="NAME",
        help="encoder that made the vectors, where the file does not say it",
    )
    importing.add_argument(
        "--like",
        type=Path,
        metavar="OTHER",
        help="gallery whose engine made the vectors: with it photos can be searched for here too",
    )
    importing.add_argument(
        "--dtype",
        choices=("float16", "float32"),
        default="float16",
        help="type of the vectors in a new gallery (default: float16)",
    )
    importing.add_argument(
        "--normalise", action="store_true", help="bring vectors to length 1 that have another"
    )
    importing.add_argument("--quiet", action="store_true", help="show no progress bar")
    importing.set_defaults(run=run_import_vectors)


def run_export_vectors(args: argparse.Namespace) -> int:
    """Write the file and print what is in it."""
    from facesearch.api.backup import export_vectors

    report = export_vectors(args.gallery, args.file, dtype=args.dtype)
    if args.json:
        print_json(report)
    else:
        print(
            f"{printable(str(report.path))}: {count(report.faces, 'face')} of "
            f"{count(report.photos, 'photo')}, {report.named:,} with a name, "
            f"{size_text(report.bytes)}"
        )
    return 0


def run_import_vectors(args: argparse.Namespace) -> int:
    """Import, and print what became of the rows; 1 where some were refused."""
    from facesearch.api.backup import import_vectors

    report = import_vectors(
        args.file,
        args.gallery,
        encoder_name=args.encoder_name,
        like=args.like,
        dtype=args.dtype,
        normalise=args.normalise,
        progress=counting_progress(args.quiet, " vectors"),
    )
    if args.json:
        print_json(report)
        return 1 if report.refused else 0
    print(
        f"{printable(str(report.gallery))}: {count(report.faces, 'face')} of "
        f"{count(report.photos, 'photo')} imported, {report.named:,} with a name; "
        f"{report.known:,} of photos that were here before"
    )
    if report.faces:
        print("their photos are not here: a report shows no pictures of them")
    for reason, rows in sorted(report.refused.items()):
        print(f"not imported: {count(rows, 'row')}, {reason}")
    for each in report.examples:
        print(f"  row {each.row}: {printable(each.detail)}")
    return 1 if report.refused else 0
