"""``export`` and ``import``: a gallery as one file, and back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from facesearch.cli.output import print_json, size_text
from facesearch.text import count, printable


def add_commands(commands: Any) -> None:
    """Add both commands."""
    export = commands.add_parser(
        "export",
        help="write a gallery to one file, as a backup",
        description="Write a gallery as it is at this moment to one file, a ZIP archive with a "
        "SHA-256 digest of each file in it: faces, names, decisions, index, graph and clusterings. "
        "Photos are not in it, nor is the report, which facesearch report writes again. Other "
        "commands may write to the gallery meanwhile. The archive is not encrypted.",
    )
    export.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    export.add_argument("archive", type=Path, metavar="ARCHIVE", help="new file to write")
    export.set_defaults(run=run_export)
    importing = commands.add_parser(
        "import",
        help="restore a gallery from an archive",
        description="Restore the gallery in an archive, in a new or empty folder. Every file is "
        "compared with its digest first; where one is damaged, nothing is made.",
    )
    importing.add_argument(
        "archive", type=Path, metavar="ARCHIVE", help="file that facesearch export wrote"
    )
    importing.add_argument("folder", type=Path, metavar="GALLERY", help="new or empty folder")
    importing.set_defaults(run=run_import)


def run_export(args: argparse.Namespace) -> int:
    """Write the archive and print what is in it."""
    from facesearch.api.backup import export_gallery

    report = export_gallery(args.gallery, args.archive)
    if args.json:
        print_json({"gallery": args.gallery, "archive": report.path, **_figures(report)})
    else:
        print(f"{printable(str(report.path))}: {_text(report)} of {printable(str(args.gallery))}")
    return 0


def run_import(args: argparse.Namespace) -> int:
    """Make the gallery; 1 where it was damaged already when it was exported."""
    from facesearch.api.backup import import_gallery

    report = import_gallery(args.archive, args.folder)
    if args.json:
        print_json({"gallery": report.path, "archive": args.archive, **_figures(report)})
    else:
        print(f"{printable(str(report.path))}: {_text(report)}, each as it was exported")
        for problem in report.problems:
            print(f"DAMAGED when it was exported: {printable(problem)}")
    return 1 if report.problems else 0


def _figures(report: Any) -> dict[str, Any]:
    return {"files": report.files, "bytes": report.bytes, "problems": report.problems}


def _text(report: Any) -> str:
    return f"{count(report.files, 'file')}, {size_text(report.bytes)}"
