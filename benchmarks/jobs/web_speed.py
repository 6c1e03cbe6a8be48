"""How soon the first view of a large gallery is there in Chromium, and how large the page grows.

    python -m benchmarks.jobs.web_speed [--faces 500000] [--people 5000] [--repeats 5]

The gallery is made: vectors without photos, so crops are answered as missing and the page draws the
outline of a head. A service that is warm is opened by a fresh browser; measured are the time until
something is painted, and until the first people with their names are there. Then the end of the
list is asked for by the End key, timed likewise, and the elements of the page are counted. Needs
playwright, Chromium and the extra ``serve``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.record import record
from benchmarks.common.vector_gallery import add_faces, vector_gallery
from benchmarks.jobs.naming_effort import opened, served
from cluster.types import Clustering
from facesearch.clustering.run_store import ClusterRun, save_run
from facesearch.gallery.gallery import Gallery

SEED = 0
DIMENSION = 128
SHARD_FACES = 50_000
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
NOW = "performance.now()"
ELEMENTS = "document.querySelectorAll('*').length"


def main() -> None:
    """Make the gallery, open it, record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faces", type=int, default=500_000)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="record nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        gallery = made_gallery(Path(scratch) / "large.gallery", args.faces, args.people)
        with served(gallery, Path(scratch) / "state") as address:
            first_view(address, args.people)  # the service reads the gallery
            runs = [first_view(address, args.people) for _ in range(args.repeats)]
    result = {
        "seed": SEED,
        "faces": args.faces,
        "people": args.people,
        "median": {
            name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]
        },
        "runs": runs,
    }
    print(json.dumps(result, indent=2))
    if not args.dry:
        print(f"recorded in {record('web_speed', result)}")


def made_gallery(folder: Path, faces: int, people: int) -> Gallery:
    """A gallery of ``faces`` faces of ``people`` people of very different sizes, clustered."""
    rng = np.random.default_rng(SEED)
    gallery = vector_gallery(folder, DIMENSION)
    ids = []
    for begin in range(0, faces, SHARD_FACES):
        count = min(SHARD_FACES, faces - begin)
        vectors = rng.normal(size=(count, DIMENSION)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ids.append(add_faces(gallery, vectors, begin + np.arange(count)))
    shares = 1 / np.arange(5, 5 + people)  # Zipf's law, without its steep head
    labels = rng.choice(people, faces, p=shares / shares.sum())
    labels[:people] = np.arange(people)
    clustering = Clustering(
        np.concatenate(ids), labels.astype(np.int32), rng.random(faces).astype(np.float32)
    )
    state = gallery.state()
    run = ClusterRun(
        clustering,
        "agglomerative",
        0.5,
        "2026-05-04T09:30:00+00:00",
        state.digest(),
        0.0,
        False,
        people=1 + np.arange(people),
    )
    save_run(gallery, run)
    return gallery


def first_view(address: str, people: int) -> dict[str, Any]:
    """Milliseconds from the start of the navigation, and elements in the page."""
    with opened(address) as page:
        page.get_by_role("link", name="photo").first.wait_for()
        shown = page.evaluate(NOW)
        times = {"painted": page.evaluate(PAINT), "people_shown": shown}
        elements = page.evaluate(ELEMENTS)
        page.locator(".grid a").first.focus()
        begin = page.evaluate(NOW)
        page.keyboard.press("End")
        page.locator(f".grid > li[aria-posinset='{people}'] a").wait_for()
        end = page.evaluate(NOW) - begin
        return times | {
            "end_shown": end,
            "elements": max(elements, page.evaluate(ELEMENTS)),
        }


if __name__ == "__main__":
    main()
