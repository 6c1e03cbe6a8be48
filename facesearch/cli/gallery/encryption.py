"""``encrypt``, ``decrypt`` and ``change-key``; and every other command on an encrypted gallery."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.gallery.shown_folder import shown_as
from facesearch.cli.output import print_json, size_text
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.encryption.convert import SealReport
    from facesearch.encryption.keys import Secret

KEY_FILE = "FACESEARCH_KEY_FILE"
PASSPHRASE = "FACESEARCH_PASSPHRASE"
# Others may write while these run.
READING = {"search", "identify", "info", "check", "people list", "people show", "people history"}
_SEALED = "gallery.sealed"
_USE = (
    "Every command works on an encrypted gallery: it is decrypted in memory, asks for the "
    f"passphrase (or takes it from {PASSPHRASE}), or reads the key file that {KEY_FILE} names."
)


def add_commands(commands: Any) -> None:
    """Add the three commands."""
    encrypt = commands.add_parser(
        "encrypt",
        help="encrypt a gallery under a passphrase or key file",
        description="Encrypt all files of a gallery: vectors, names, paths, decisions, index and "
        f"clusterings. {_USE} Its report is removed; write one elsewhere with facesearch report "
        "GALLERY --out DIR. Without the passphrase or key file nothing can ever be read again.",
    )
    _add_key_file(encrypt, "key file, made where it is missing")
    encrypt.set_defaults(run=run_encrypt)
    decrypt = commands.add_parser(
        "decrypt",
        help="decrypt an encrypted gallery",
        description="Make an encrypted gallery an ordinary one again.",
    )
    _add_key_file(decrypt, "its key file")
    decrypt.set_defaults(run=run_decrypt)
    change = commands.add_parser(
        "change-key",
        help="encrypt an encrypted gallery again under another passphrase or key file",
        description="Encrypt all files of an encrypted gallery again, under another passphrase or "
        "key file and with a new key, so that the old one opens nothing any more.",
    )
    _add_key_file(change, "its present key file")
    change.add_argument(
        "--new-key-file",
        type=Path,
        metavar="FILE",
        help="new key file, made where it is missing (default: ask for a passphrase)",
    )
    change.set_defaults(run=run_change_key)


def _add_key_file(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help=f"{what} (default: the one that {KEY_FILE} names, or else a passphrase)",
    )


def run_encrypt(args: argparse.Namespace) -> int:
    """Encrypt, and say what is left."""
    from facesearch.encryption.convert import encrypt_gallery

    report = encrypt_gallery(args.gallery, _new_secret(args, _key_file(args)))
    _print_report(args, "encrypted", report)
    return 0


def run_decrypt(args: argparse.Namespace) -> int:
    """Decrypt."""
    from facesearch.encryption.convert import decrypt_gallery

    _print_report(args, "decrypted", decrypt_gallery(args.gallery, _secret(args)))
    return 0


def run_change_key(args: argparse.Namespace) -> int:
    """Encrypt again."""
    from facesearch.encryption.convert import rotate_key

    old = _secret(args)
    new = _new_secret(args, args.new_key_file, takes_environment=False)
    _print_report(args, "encrypted again", rotate_key(args.gallery, old, new))
    return 0


def run(args: argparse.Namespace) -> int:
    """Run the command of ``args``, on a gallery in memory where its gallery is encrypted."""
    folder = getattr(args, "gallery", None)
    ours = args.run in (run_encrypt, run_decrypt, run_change_key)
    if ours or not isinstance(folder, Path) or not os.path.lexists(folder / _SEALED):
        return int(args.run(args))
    from facesearch.encryption.unlocked import unlocked_gallery

    command = command_name(args)
    _require_fit(args, command)
    with (
        unlocked_gallery(folder, _secret(args), reads_only=command in READING) as work,
        shown_as(str(work.parent), str(folder.absolute().parent)),
    ):
        args.gallery = work
        return int(args.run(args))


def command_name(args: argparse.Namespace) -> str:
    """``people list`` of ``run_list`` there, ``search`` of ``run_search``."""
    name = args.run.__name__.removeprefix("run_").replace("_", "-")
    return f"people {name}" if args.run.__module__.endswith(".people.people") else name


def _require_fit(args: argparse.Namespace, command: str) -> None:
    """Raise InputError where a command would put what is encrypted into a file that is not."""
    from facesearch.errors import InputError

    if command == "report" and args.out is None:
        raise InputError(
            f"{args.gallery} is encrypted, and browsers cannot open an encrypted report; name a "
            "folder for an unencrypted one with --out DIR"
        )
    if command == "export-vectors":
        raise InputError(
            f"{args.gallery} is encrypted, and the vectors in a Parquet file would not be; decrypt "
            "it first"
        )
    if command == "export":
        raise InputError(
            f"{args.gallery} is encrypted, and an archive would not be; copy the folder while no "
            "command writes to it, or decrypt it first"
        )


def _secret(args: argparse.Namespace) -> Secret:
    """What opens the gallery."""
    from facesearch.encryption.keys import Secret
    from facesearch.encryption.sealed_files import is_sealed, secret_kind
    from facesearch.errors import InputError

    if not is_sealed(args.gallery):
        raise InputError(f"{args.gallery} is no encrypted gallery")
    if secret_kind(args.gallery) == "passphrase":
        return Secret.of_passphrase(_passphrase("passphrase of the gallery: "))
    path = _key_file(args)
    if path is None:
        raise InputError(f"{args.gallery} opens with a key file; set {KEY_FILE} to its path")
    return Secret.of_key_file(path)


def _new_secret(
    args: argparse.Namespace, path: Path | None, *, takes_environment: bool = True
) -> Secret:
    """What is to open the gallery."""
    from facesearch.encryption.keys import Secret, make_key_file
    from facesearch.errors import InputError

    if path is not None:
        if path.absolute().is_relative_to(args.gallery.absolute()):
            raise InputError(
                f"expected a key file outside {args.gallery}, got {path}: whoever has the gallery "
                "would have the key"
            )
        if not os.path.lexists(path):
            make_key_file(path)
            print(f"key file made: {path}; keep a copy of it elsewhere", file=sys.stderr)
        return Secret.of_key_file(path)
    if takes_environment and PASSPHRASE in os.environ:
        return Secret.of_passphrase(os.environ[PASSPHRASE])
    text = _asked("new passphrase: ")
    secret = Secret.of_passphrase(text)
    if _asked("the same again: ") != text:
        raise InputError("the two passphrases differ; nothing was done")
    return secret


def _passphrase(prompt: str) -> str:
    return os.environ[PASSPHRASE] if PASSPHRASE in os.environ else _asked(prompt)


def _asked(prompt: str) -> str:
    from facesearch.errors import InputError

    if not sys.stdin.isatty():
        raise InputError(
            f"expected a terminal to ask for the passphrase; set {PASSPHRASE}, or use a key file"
        )
    return getpass.getpass(prompt)


def _key_file(args: argparse.Namespace) -> Path | None:
    given = getattr(args, "key_file", None) or os.environ.get(KEY_FILE)
    return Path(given) if given else None


def _print_report(args: argparse.Namespace, done: str, report: SealReport) -> None:
    if args.json:
        print_json({"gallery": args.gallery, **vars(report)})
        return
    files = f"{count(report.files, 'file')}, {size_text(report.bytes)}"
    print(f"{printable(str(args.gallery))}: {files}, {done}")
    if report.removed_report:
        print(f"the report was removed; write one with: facesearch report {args.gallery} --out DIR")
    for name in report.left:
        print(f"not part of the gallery, so left as it is: {printable(name)}")
