"""How fast the report of a large album opens in Chromium.

    python -m benchmarks.jobs.report_speed [--photos 10000] [--repeats 5]

The album is made: people of very different sizes, every crop a file of its own with the bytes a
face's crop takes, photos that are links to one small file (the report links to them, and shows
none until one is opened). A fresh browser opens the page from the disk, each time in a new
profile; measured are the time until something is painted, until the document with its script is
ready, and until the load event, when all pictures of the first screen are there. Needs
playwright and Chromium.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from cluster.types import Clustering
from facesearch.album.model import AdviceBasis, Album, AlbumFace, AlbumInfo, build_album
from facesearch.report import write_report
from facesearch.report.crop_images import CROP_QUALITY, CROP_SIDE, crop_name

FACES_EACH = 1.25  # a photo, on average
SEEN_ONCE = 0.25  # of the faces: strangers
SIZE = (640, 480)
SCALE = 0.14
SEED = 0
WIDTHS = {"1280": {"width": 1280, "height": 900}, "390": {"width": 390, "height": 844}}
TIMES = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return {
        first_paint: paint ? paint.startTime : null,
        ready: page.domContentLoadedEventEnd,
        loaded: page.loadEventEnd,
    };
}"""


def main() -> None:
    """Make the album, open it, record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        album = made_album(folder, args.photos)
        index = write_report(album, folder / "report", workers=0)
        result: dict[str, Any] = {
            "photos": args.photos,
            "faces": album.face_count,
            "people": len(album.people),
            "page_bytes": {path.name: path.stat().st_size for path in index.parent.glob("*.html")},
            "crop_bytes": sum(path.stat().st_size for path in (index.parent / "crops").iterdir()),
        }
        with sync_playwright() as playwright:
            found = [
                shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")
            ]
            options = {"args": ["--no-sandbox"] if os.geteuid() == 0 else []}
            for width, viewport in WIDTHS.items():
                runs = []
                for _ in range(args.repeats):
                    browser = playwright.chromium.launch(
                        executable_path=next(filter(None, found), None), **options
                    )
                    result["chromium"] = browser.version
                    runs.append(opened(browser, index, viewport))
                    browser.close()
                result[f"milliseconds_{width}"] = summary(runs)
    print(json.dumps(result, indent=2))
    print(f"recorded in {record('report_speed', result)}")


def opened(browser: Browser, index: Path, viewport: dict[str, int]) -> dict[str, float]:
    """Milliseconds from the start of the navigation."""
    page = browser.new_context(viewport=viewport).new_page()
    page.goto(index.as_uri(), wait_until="load")
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    times: dict[str, float] = page.evaluate(TIMES)
    return times


def summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    """The median of each time, and every run."""
    names = runs[0].keys()
    medians = {name: round(statistics.median(run[name] for run in runs), 1) for name in names}
    return {"median": medians, "runs": runs}


def made_album(folder: Path, photos: int) -> Album:
    """An album of ``photos`` made photos, whose crops lie in ``folder/report`` already."""
    rng = np.random.default_rng(SEED)
    count = int(photos * FACES_EACH)
    labels = made_labels(count, rng)
    centres = rng.normal(size=(labels.max() + 1, 128))
    vectors = centres[labels] + 0.25 * rng.normal(size=(count, 128))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    faces = made_faces(folder, rng.integers(0, photos, count), rng)
    clustering = Clustering(
        np.arange(count), labels.astype(np.int32), rng.random(count).astype(np.float32)
    )
    return build_album(
        faces,
        vectors,
        clustering,
        {label: f"Person {label}" for label in range(0, 200, 3)},
        about=AlbumInfo(
            title="A large album",
            created_at="2026-05-04T09:30:00",
            method="agglomerative",
            threshold=SCALE,
            encoder="made",
            photo_count=photos,
        ),
        basis=AdviceBasis(SCALE),
    )


def made_labels(count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """A person for each face: some seen hundreds of times, most a few times, strangers once."""
    once = int(SEEN_ONCE * count)
    shares = 1 / np.arange(5, 5 + count // 20)  # Zipf's law, without its steep head
    known = rng.choice(len(shares), count - once, p=shares / shares.sum())
    labels = np.concatenate([known, len(shares) + np.arange(once)])
    return np.unique(labels, return_inverse=True)[1]


def made_faces(
    folder: Path, photos: np.ndarray[Any, Any], rng: np.random.Generator
) -> list[AlbumFace]:
    """A face on each of ``photos`` (n,), numbers, with its crop."""
    (folder / "photos").mkdir()
    (folder / "report" / "crops").mkdir(parents=True)
    (folder / "report" / ".facesearch-report").touch()
    original = folder / "original.jpg"
    Image.new("RGB", SIZE, (120, 120, 120)).save(original)
    faces = []
    for face_id, number in enumerate(photos.tolist()):
        photo = folder / "photos" / f"IMG_{number:05}.jpg"
        if not photo.exists():
            os.link(original, photo)
        box = (*rng.uniform(0, 300, 2).tolist(), 420.0, 420.0)
        face = AlbumFace(
            face_id,
            photo,
            photo.name,
            box,
            SIZE,
            0.99,
            0.5,
            taken_at=f"{2010 + number % 14}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00",
            sha256=hashlib.sha256(photo.name.encode()).hexdigest(),
            quality=0.9,
        )
        (folder / "report" / crop_name(face, "")).write_bytes(made_crop(rng))
        faces.append(face)
    return faces


def made_crop(rng: np.random.Generator) -> bytes:
    """A JPEG of about the bytes that a face's crop takes, 5 to 8 kB."""
    coarse = Image.fromarray(rng.integers(40, 220, (20, 20, 3), dtype=np.uint8))
    fine = rng.normal(0, 9, (CROP_SIDE, CROP_SIDE, 1))
    smooth = np.asarray(coarse.resize((CROP_SIDE, CROP_SIDE), Image.Resampling.BICUBIC))
    pixels = np.clip(smooth + fine, 0, 255).astype(np.uint8)
    data = BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=CROP_QUALITY)
    return data.getvalue()


if __name__ == "__main__":
    main()
