"""What encryption costs: encrypting, opening, indexing and searching a gallery of made faces.

    python -m benchmarks.jobs.encryption [--faces 100000] [--dimension 512] [--repeats 3]

The gallery is of made vectors, each of a photo of its own. Each step
is timed on the ordinary and on the encrypted gallery: open and read the state, open the index and
search, write one more shard. A key file is the secret; what a passphrase adds is timed by itself.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from benchmarks.common.vector_gallery import add_faces, vector_gallery
from facesearch.api.encryption import (
    change_key,
    decrypt_gallery,
    encrypt_gallery,
    unlocked_gallery,
)
from facesearch.encryption.keys import Secret, make_key_file, new_key, wrapped_key
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import build_index, open_search

SHARD_FACES = 20_000
QUERIES = 100


def main() -> int:
    """Time each step on both galleries and record all repeats."""
    parser = TimingParser(__doc__)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_key_file(folder / "key")
        made_gallery(folder / "plain.gallery", args.faces, args.dimension)
        size = sum(each.stat().st_size for each in (folder / "plain.gallery").rglob("*"))
        runs = [measured(folder) for _ in range(args.repeats)]
    steps = {name: [run[name] for run in runs] for name in runs[0]}
    result = {"faces": args.faces, "dimension": args.dimension, "bytes": size, "seconds": steps}
    print(record("encryption", result))
    for name, seconds in steps.items():
        print(f"{name:<36} {statistics.median(seconds):9.3f} s")
    return 0


def measured(folder: Path) -> dict[str, float]:
    """Seconds of each step, once."""
    key = folder / "key"
    plain, sealed = folder / "plain.gallery", folder / "sealed.gallery"
    shutil.rmtree(sealed, ignore_errors=True)
    shutil.copytree(plain, sealed)
    seconds = {"encrypt": timed(lambda: encrypt_gallery(sealed, key_file=key))}

    @contextmanager
    def ordinary() -> Iterator[Path]:
        yield plain

    def encrypted() -> Any:
        return unlocked_gallery(sealed, key_file=key)

    for name, opened in (("ordinary", ordinary), ("encrypted", encrypted)):
        for step, work in (("open", opened_state), ("search", searched), ("index", indexed)):

            def run(opened: Any = opened, work: Callable[[Path], None] = work) -> None:
                with opened() as place:
                    work(place)

            seconds[f"{step}, {name}"] = timed(run)
    (folder / "other").unlink(missing_ok=True)
    make_key_file(folder / "other")
    seconds["change the key"] = timed(
        lambda: change_key(sealed, key_file=key, new_key_file=folder / "other")
    )
    seconds["decrypt"] = timed(lambda: decrypt_gallery(sealed, key_file=folder / "other"))
    secret = Secret.of_passphrase("correct horse battery staple")
    seconds["a passphrase, each time"] = timed(lambda: wrapped_key(new_key(), secret))
    remove_last_shard(plain)
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def made_gallery(folder: Path, faces: int, dimension: int) -> None:
    """A gallery of ``faces`` made vectors, each of a photo of its own, with an exact index."""
    gallery = vector_gallery(folder, dimension)
    for start in range(0, faces, SHARD_FACES):
        add_made_faces(gallery, start, min(SHARD_FACES, faces - start))
    with gallery.writing():
        gallery.state()
    build_index(gallery)


def add_made_faces(gallery: Gallery, first: int, count: int) -> None:
    """A shard of so many faces, whose numbers begin with ``first``."""
    random = np.random.default_rng(first)
    vectors = random.standard_normal((count, gallery.contract.dimension), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    add_faces(gallery, vectors, np.arange(first, first + count))


def opened_state(folder: Path) -> None:
    """What every command does first."""
    gallery = Gallery.open(folder)
    assert gallery.state().face_count


def searched(folder: Path) -> None:
    """One command's searches."""
    gallery = Gallery.open(folder)
    state = gallery.state()
    queries = gallery.vectors(state.live_ids()[:QUERIES])
    assert len(open_search(gallery, state).search(queries, 10).ids) == QUERIES


def indexed(folder: Path) -> None:
    """One more shard, as a job of ``index`` seals it."""
    add_made_faces(Gallery.open(folder), 1 << 30, 1000)


def remove_last_shard(folder: Path) -> None:
    """So that the next repeat begins with the same gallery."""
    path = Gallery.open(folder).shard_paths()[-1]
    for each in (path, path.with_name(f"{path.name}.sha256")):
        each.unlink()


if __name__ == "__main__":
    sys.exit(main())
