"""How soon the first view of a large gallery is there in Chromium, and how smoothly it scrolls.

    python -m benchmarks.jobs.web_speed [--faces 500000] [--people 5000] [--repeats 5]

The gallery is made: vectors without photos, so crops are answered as missing and the page draws the
outline of a head; a fifth of the faces is of nobody. A service that is warm is opened by a fresh
browser; measured are the time until something is painted, and until the first people with their
names are there. Then the people and the faces of nobody are scrolled through by the wheel for a few
seconds each, a step a frame: how long frames take, and tasks of more than 50 ms that hold up the
page. Last, the end of each list is asked for by the End key, with the requests that it takes, and
the elements of the page are counted. Needs playwright, Chromium and the extra ``serve``.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from benchmarks.common.vector_gallery import add_faces, vector_gallery
from benchmarks.jobs.naming_effort import opened, served
from cluster.types import NOISE, Clustering
from facesearch.clustering.run_store import ClusterRun, save_run
from facesearch.gallery.gallery import Gallery

SEED = 0
DIMENSION = 128
SHARD_FACES = 50_000
OF_NOBODY = 0.2  # of the faces
SCROLL_SECONDS = 4
STEP = 120  # pixels a frame, as a quick turn of the wheel
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
NOW = "performance.now()"
ELEMENTS = "document.querySelectorAll('*').length"
# Frames are counted while the page moves; what blocks it is noted by the browser.
SCROLL = """async ([seconds, step]) => {
    const long = [];
    const observer = new PerformanceObserver((list) => long.push(...list.getEntries()));
    observer.observe({ type: "longtask" });
    const frames = [];
    let before = await new Promise(requestAnimationFrame);
    const end = before + 1000 * seconds;
    while (before < end) {
        scrollBy(0, step);
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - before);
        before = now;
    }
    observer.disconnect();
    return { frames, tasks: long.map((each) => each.duration), to: scrollY };
}"""


def main() -> None:
    """Make the gallery, open it, record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--faces", type=int, default=500_000)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="record nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        gallery = made_gallery(Path(scratch) / "large.gallery", args.faces, args.people)
        with served(gallery, Path(scratch) / "state") as address:
            measured(address)  # the service reads the gallery
            runs = [measured(address) for _ in range(args.repeats)]
    result = {
        "seed": SEED,
        "faces": args.faces,
        "people": args.people,
        "faces_of_nobody": int(args.faces * OF_NOBODY),
        "median": {
            name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]
        },
        "runs": runs,
    }
    print(json.dumps(result, indent=2))
    if not args.dry:
        print(f"recorded in {record('web_speed', result)}")


def made_gallery(folder: Path, faces: int, people: int) -> Gallery:
    """A gallery of ``faces`` faces of nobody and of ``people`` people of very different sizes."""
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
    labels[faces - int(faces * OF_NOBODY) :] = NOISE
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


def measured(address: str) -> dict[str, float]:
    """Milliseconds from the start of the navigation, frames and tasks while scrolling, requests
    and elements."""
    with opened(address) as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.get_by_role("link", name="photo").first.wait_for()
        times = {"people_shown": page.evaluate(NOW), "painted": page.evaluate(PAINT)}
        elements = [page.evaluate(ELEMENTS)]
        times |= scrolled(page, "people")
        times |= end_of_list(page, "people", requests)
        elements.append(page.evaluate(ELEMENTS))
        page.evaluate("location.hash = `${location.hash.split('/', 3).join('/')}/nobody`")
        page.get_by_role("heading", name="Faces of nobody").wait_for()
        page.locator(".grid a").first.wait_for()
        times |= scrolled(page, "faces")
        times |= end_of_list(page, "faces", requests)
        elements.append(page.evaluate(ELEMENTS))
        return times | {"elements": max(elements)}


def scrolled(page: Page, name: str) -> dict[str, float]:
    """How long frames take while the list is scrolled, in milliseconds: the median, 99 of 100 and
    the longest; and long tasks."""
    found = page.evaluate(SCROLL, [SCROLL_SECONDS, STEP])
    frames = sorted(found["frames"])
    return {
        f"{name}_frame_p50": statistics.median(frames),
        f"{name}_frame_p99": frames[min(len(frames) - 1, int(0.99 * len(frames)))],
        f"{name}_frame_longest": frames[-1],
        f"{name}_frames": len(frames),
        f"{name}_long_tasks": len(found["tasks"]),
        f"{name}_long_task_longest": max(found["tasks"], default=0.0),
        f"{name}_pixels": found["to"],
    }


def end_of_list(page: Page, name: str, requests: list[str]) -> dict[str, float]:
    """Milliseconds from the End key until the last item is shown, and the lists asked for."""
    page.evaluate("scrollTo(0, 0)")
    first = page.locator(".grid > li[aria-posinset='1'] a[data-cell]")
    first.wait_for()
    first.focus()
    total = first.locator("xpath=ancestor::li").get_attribute("aria-setsize")
    del requests[:]
    begin = page.evaluate(NOW)
    page.keyboard.press("End")
    page.locator(f".grid > li[aria-posinset='{total}'] a[data-cell]").wait_for()
    took = page.evaluate(NOW) - begin
    asked = [url for url in requests if "limit=" in url]
    return {f"{name}_end_shown": took, f"{name}_end_requests": len(asked)}


if __name__ == "__main__":
    main()
