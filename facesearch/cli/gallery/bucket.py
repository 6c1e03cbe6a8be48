"""``push`` and ``pull``; and every other command on a gallery in an object store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.gallery import encryption
from facesearch.cli.gallery.shown_folder import shown_as
from facesearch.cli.output import print_json, size_text
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.bucket.transfer import TransferReport

_USE = (
    "Other commands take the address in place of the folder: they bring a copy that this machine "
    "keeps up to date, work on it, and send what they changed."
)
_ELSEWHERE = {"encrypt", "decrypt", "change-key"}


def add_commands(commands: Any) -> None:
    """Add both commands."""
    push = commands.add_parser(
        "push",
        help="send a gallery to an object store",
        description="Send a gallery to an address in an object store, or what has changed of it "
        "since. Each file is made once and read back, and the list of files is made last, so a "
        f"transfer that is interrupted changes nothing there. {_USE}",
    )
    push.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    push.add_argument("address", metavar="ADDRESS", help="such as s3://bucket/my.gallery")
    push.set_defaults(run=run_push)
    pull = commands.add_parser(
        "pull",
        help="fetch a gallery from an object store",
        description="Fetch a gallery from an object store into a new or empty folder, or bring a "
        f"copy there up to date. Every file is compared with its digest. {_USE}",
    )
    pull.add_argument("address", metavar="ADDRESS", help="such as s3://bucket/my.gallery")
    pull.add_argument(
        "folder", type=Path, metavar="GALLERY", help="new or empty folder, or a copy from before"
    )
    pull.add_argument(
        "--discard", action="store_true", help="discard what was changed in the copy since"
    )
    pull.set_defaults(run=run_pull)


def run_push(args: argparse.Namespace) -> int:
    """Send, and print how much that was."""
    from facesearch.api.backup import push_gallery

    _print_report(args, "sent", push_gallery(args.gallery, args.address))
    return 0


def run_pull(args: argparse.Namespace) -> int:
    """Fetch, and print how much that was."""
    from facesearch.api.backup import pull_gallery

    report = pull_gallery(args.address, args.folder, discard=args.discard)
    _print_report(args, "fetched", report)
    return 0


def run(args: argparse.Namespace) -> int:
    """Run the command of ``args``, on a copy where its gallery is in an object store."""
    from facesearch.images.remote.addresses import address_of, is_remote

    given = getattr(args, "gallery", None)
    if not isinstance(given, Path) or not is_remote(given) or args.run is run_push:
        return encryption.run(args)
    from facesearch.api.backup import bucket_gallery
    from facesearch.errors import FacesearchError

    command, address = encryption.command_name(args), address_of(given)
    _require_fit(args, command, address)
    reads_only = command in encryption.READING
    with bucket_gallery(address, reads_only=reads_only) as folder:
        args.gallery = folder
        try:
            with shown_as(str(folder), address):
                return encryption.run(args)
        except FacesearchError as error:
            said = (str(each).replace(str(folder), address) for each in error.args)
            error.args = tuple(said)
            raise


def _require_fit(args: argparse.Namespace, command: str, address: str) -> None:
    """Raise InputError where a command cannot work on a copy."""
    from facesearch.errors import InputError

    if command in _ELSEWHERE:
        raise InputError(
            f"expected a folder for {command}, got the address {address}; fetch the gallery with "
            "facesearch pull, and name its folder"
        )
    if command == "report" and args.out is None:
        raise InputError(
            f"expected a folder for the report of {address}, got none; name one with --out DIR"
        )


def _print_report(args: argparse.Namespace, done: str, report: TransferReport) -> None:
    if args.json:
        print_json(vars(report))
        return
    whole = f"{count(report.files, 'file')}, {size_text(report.bytes)}"
    moved = f"{count(report.moved, 'file')}, {size_text(report.moved_bytes)}"
    print(f"{printable(report.address)}: {whole}; {done} now: {moved}")
