"""Fuzz the parsers, guided by which lines are reached (Atheris, on libFuzzer).

    python -m fuzz.coverage [TARGET ...] [--minutes 2] [--seed 0]

with the root and ``tests`` in PYTHONPATH; ``pip install atheris``. Each target runs
in a process of its own for so many minutes. What breaks one is kept in ``.fuzz/TARGET``; put it in
``tests/fuzz/corpus/TARGET``, where the ordinary tests try it from then on. Exits with 1 where
something broke.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
_MOST_BYTES = 4096
_TOO_LONG = 30  # seconds for one input
_MOST_MEMORY = 3000  # MiB
# Parsers, and none of what Numba compiles, which cannot be instrumented.
_INSTRUMENTED = (
    "facesearch.clustering", "facesearch.curation", "facesearch.encoders.catalogue",
    "facesearch.erasure", "facesearch.gallery", "facesearch.images", "facesearch.people",
    "facesearch.people_import", "facesearch.recognition.calibration", "facesearch.service",
    "indexer.index.manifest", "indexer.storage",
)  # fmt: skip


def main() -> int:
    """Run the targets one after the other, each in its process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--minutes", type=float, default=2.0, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="0: another at each run")
    parser.add_argument("--in-process", metavar="TARGET", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_process:
        fuzz(args.in_process, args.minutes, args.seed)
        return 0
    from fuzz.targets import targets

    names = args.targets or list(targets())
    if unknown := [name for name in names if name not in targets()]:
        parser.error(f"expected targets among {', '.join(targets())}, got {', '.join(unknown)}")
    broken = [name for name in names if not _ran(name, args.minutes, args.seed)]
    print(f"broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


def _ran(name: str, minutes: float, seed: int) -> bool:
    print(f"{name}: {minutes:g} minutes", flush=True)
    words = ["--in-process", name, "--minutes", str(minutes), "--seed", str(seed)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    ran = subprocess.run(
        [sys.executable, "-m", "fuzz.coverage", *words],
        env={"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": paths},
        check=False,
    )
    return ran.returncode == 0


def fuzz(name: str, minutes: float, seed: int) -> None:
    """Run one target until its time is over, or an input breaks it; ends the process."""
    try:
        import atheris
    except ImportError:
        sys.exit("fuzzing needs Atheris: pip install atheris")
    names = io.StringIO()  # of each module that is instrumented
    with (
        contextlib.redirect_stderr(names),
        atheris.instrument_imports(include=list(_INSTRUMENTED)),
    ):
        from fuzz.targets import targets
    logging.disable(logging.CRITICAL)
    target = targets()[name]()
    found = ROOT / ".fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        begin, words = Path(scratch) / "begin", Path(scratch) / "words"
        begin.mkdir()
        for number, data in enumerate(target.seeds()):
            (begin / str(number)).write_bytes(data)
        options = [
            f"-max_total_time={round(60 * minutes)}", f"-max_len={_MOST_BYTES}",
            f"-timeout={_TOO_LONG}", f"-rss_limit_mb={_MOST_MEMORY}", f"-seed={seed}",
            f"-artifact_prefix={found}/broke-", "-print_final_stats=1",
        ]  # fmt: skip
        if target.words:
            words.write_text("\n".join(f'"{word}"' for word in target.words))
            options.append(f"-dict={words}")
        corpora = [str(found), str(begin), *map(str, sorted(CORPUS.glob(name)))]
        atheris.Setup([sys.argv[0], *options, *corpora], target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
