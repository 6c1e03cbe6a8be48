"""What the state of a large gallery costs, which every command reads first.

    python -m benchmarks.jobs.state_cost --label NAME [--photos 200000 1000000] [--repeats 3]

The galleries are made: shards of 512 photos in nested folders, 1.3 faces each, of which some were
copied, some moved, some edited, some removed and some failed. Their vectors have few components,
for nothing here reads them. Measured, each time in a process of its own: the state from the shards
alone, the state after a writer was there, and ``facesearch index`` over the folder unchanged
(without an engine, in the first gallery only, whose files are there, with holes for bytes). The
figures of other labels stay in the result, if this machine made them.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.clustering.quality import memory_kib
from benchmarks.clustering.scale import forget_peak
from benchmarks.common.idle import TimingParser
from benchmarks.common.record import kept_runs, record
from benchmarks.common.vector_gallery import seal_shard, vector_gallery
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.shards.builder import PhotoRow

NAME = "gallery_state"
SHARD_PHOTOS = 512
DIMENSION = 8
FACES_EACH = 1.3
SIZES = 3_000_000  # bytes of files, to each its own nearly
# Of all photos, one in so many
COPIED, FAILED, MOVED, EDITED, REMOVED = 50, 200, 40, 100, 100


def main() -> None:
    """Make a gallery of each size, measure, record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--label", required=True, help="what the measured code is called")
    parser.add_argument("--photos", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    runs = kept_runs(NAME)
    runs[args.label] = {}
    for photos in args.photos:
        with tempfile.TemporaryDirectory() as scratch:
            with_files = photos == args.photos[0]
            gallery = made_gallery(Path(scratch), photos, with_files)
            runs[args.label][str(photos)] = measured(gallery, args.repeats, with_files)
        print(json.dumps(runs[args.label], indent=2))
    about = {"shard_photos": SHARD_PHOTOS, "faces_each": FACES_EACH}
    print(f"recorded in {record(NAME, {**about, 'runs': runs})}")


def measured(gallery: Gallery, repeats: int, with_files: bool) -> dict[str, Any]:
    """What each stage takes, every repeat."""
    stages = {"state, from shards": in_new_processes(read_state, gallery, repeats)}
    with gallery.writing():
        faces = gallery.state().face_count
    stages["state"] = in_new_processes(read_state, gallery, repeats)
    if with_files:
        stages["index, nothing new"] = in_new_processes(index_unchanged, gallery, repeats)
    return {"faces": faces, "shards": len(gallery.shard_paths()), "stages": stages}


def in_new_processes(stage: Callable[[Gallery], object], gallery: Gallery, repeats: int) -> Any:
    """Seconds and MiB of growth of each of ``repeats`` processes."""
    runs = []
    for _ in range(repeats):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            runs.append(pool.apply(run, (stage, gallery.folder)))
    return {name: [each[name] for each in runs] for name in runs[0]}


def run(stage: Callable[[Gallery], object], folder: Path) -> dict[str, float]:
    """Seconds, processor seconds, and MiB by which the process grew at its peak."""
    gallery = Gallery.open(folder)
    forget_peak()
    before = memory_kib("VmRSS")
    started, processor = time.perf_counter(), time.process_time()
    kept = stage(gallery)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    grown = memory_kib("VmHWM") - before
    del kept
    return {
        "seconds": round(seconds, 3),
        "processor_seconds": round(processor, 3),
        "peak_growth_mib": round(grown / 1024, 1),
    }


def read_state(gallery: Gallery) -> object:
    """What every command begins with."""
    return gallery.state()


def index_unchanged(gallery: Gallery) -> object:
    """The job over a folder in which nothing changed."""
    engine: Any = SimpleNamespace(contract=gallery.contract)
    report = embed_photos(gallery, engine, [gallery.folder.parent / "photos"], EmbedOptions(0, 1))
    if report.done or report.gone:
        raise RuntimeError(f"expected nothing to do, got {report}")
    return report


def made_gallery(folder: Path, photos: int, with_files: bool) -> Gallery:
    """A gallery of so many photos; and, ``with_files``, those there at the end of its log."""
    gallery = vector_gallery(folder / "my.gallery", DIMENSION)
    rng = np.random.default_rng(0)
    now: dict[bytes, PhotoRecord] = {}
    with gallery.writing():
        log = made_log(folder / "photos", photos)
        while rows := list(islice(log, SHARD_PHOTOS)):
            write_rows(gallery, rows, rng)
            if with_files:
                now |= {each.location_bytes: each for each in rows}
    for row in now.values():
        if row.status != "gone":
            make_file(row)
    return gallery


def made_log(root: Path, photos: int) -> Iterator[PhotoRecord]:
    """All photos as they were indexed first, and then what became of some of them."""
    for number in range(photos):
        yield first_row(root, number)
    for number in range(0, photos, MOVED):
        row = first_row(root, number)
        yield replace(row, path=b"moved/" + row.path, status=again(row.status))
        yield PhotoRow.gone(row).record
    for number in range(1, photos, EDITED):
        row = first_row(root, number)
        yield replace(row, sha256=sha256(-number), size=row.size + 1, mtime_ns=1)
    for number in range(2, photos, REMOVED):
        yield PhotoRow.gone(first_row(root, number)).record


def first_row(root: Path, number: int) -> PhotoRecord:
    """A photo; some are copies of the one before, some failed."""
    failed, copied = number % FAILED == 7, number % COPIED == 9
    content = number - copied
    event = number // 300
    return PhotoRecord(
        photo_id=-1,
        root=os.fsencode(root),
        path=f"{1990 + event % 36}/{event:05d} a day out/DSC_{number % 10000:04d}.JPG".encode(),
        size=content * 7919 % SIZES + 1,
        mtime_ns=(1_500_000_000 + number) * 10**9,
        sha256=sha256(content),
        width=0 if failed or copied else 4000,
        height=0 if failed or copied else 3000,
        taken_at="" if failed or copied else f"{1990 + event % 36}-05-04T09:30:00",
        status="failed" if failed else "known" if copied else "ok",
        reason="truncated" if failed else "",
        detail="the file ends before its picture does" if failed else "",
    )


def again(status: str) -> str:
    return "known" if status == "ok" else status


def sha256(content: int) -> str:
    return hashlib.sha256(str(content).encode()).hexdigest()


def write_rows(gallery: Gallery, rows: list[PhotoRecord], rng: np.random.Generator) -> None:
    """Seal a shard; each photo in it that was decoded has faces."""
    decoded = np.flatnonzero([row.status == "ok" for row in rows])
    photo = np.repeat(decoded, rng.poisson(FACES_EACH, len(decoded))).astype(np.int32)
    vectors = np.eye(1, DIMENSION, dtype=np.float32).repeat(len(photo), axis=0)
    seal_shard(gallery, rows, photo, vectors)


def make_file(row: PhotoRecord) -> None:
    """A file of the size and time that the row says, without a byte on the disk."""
    path = row.location
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, row.size)
    os.utime(path, ns=(row.mtime_ns, row.mtime_ns))


if __name__ == "__main__":
    main()
