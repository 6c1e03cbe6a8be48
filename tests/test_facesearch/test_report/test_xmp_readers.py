"""A matrix of eight orientations, six formats and four readers: exiftool and this program, of the
sidecars beside the photos and of what was copied from them into the photos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import features

from benchmarks.exchange.xmp_matrix import (
    BOX,
    FORMATS,
    NAME,
    SIZE,
    WITHIN,
    exiftool,
    read_everywhere,
    write_turned,
)
from facesearch.images import decode_photo
from facesearch.images.formats.metadata import read_metadata
from facesearch.people_import.xmp_names import names_in_xmp

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs exiftool on the PATH"
)


@pytest.mark.parametrize(
    "orientations",
    [(1, 6), pytest.param(tuple(range(1, 9)), marks=pytest.mark.slow)],
    ids=["two", "eight"],
)
def test_regions_and_names_round_trip(tmp_path: Path, orientations: tuple[int, ...]) -> None:
    kinds = [kind for kind in FORMATS if kind != "avif" or features.check("avif")]
    photos = [write_turned(tmp_path, each, kind) for each in orientations for kind in kinds]
    for photo in photos:
        pixels = decode_photo(photo).pixels
        assert pixels.shape == (SIZE[1], SIZE[0], 3)
        assert pixels[50, 50].min() > 220 and pixels[100, 100].max() < 120, photo
    for reader, boxes in read_everywhere(photos).items():
        assert len(boxes) == len(photos)
        for photo, box in zip(photos, boxes, strict=True):
            assert box == pytest.approx(BOX, abs=WITHIN), (reader, photo)
    wanted = ("-PersonInImage", "-Subject", "-HierarchicalSubject", "-TagsList")
    read = json.loads(exiftool("-j", "-struct", "-n", *wanted, *photos))
    assert len(read) == len(photos)
    for photo, found in zip(photos, read, strict=True):
        assert found["PersonInImage"] == [NAME]
        listed = (found["Subject"], found["HierarchicalSubject"], found["TagsList"])
        assert [each if isinstance(each, str) else each[0] for each in listed] == [
            *(NAME, f"People|{NAME}", f"People/{NAME}")
        ]
        names = names_in_xmp(read_metadata(photo).xmp, str(photo))
        (region,) = names.regions
        assert (region.name, names.people) == (NAME, (NAME,))
