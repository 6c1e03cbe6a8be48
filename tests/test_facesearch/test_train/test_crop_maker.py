"""Crops from photos: landmarks where the template wants them, names from folders, no photo lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from facesearch.detect.types import Detections, Pixels
from facesearch.encoders.catalogue.templates import OPEN_MODEL_ZOO
from facesearch.encoders.types import Embeddings
from facesearch.errors import InputError
from facesearch.train.data.crop_file import open_crops
from facesearch.train.data.crop_maker import MARGIN, SIDE, Teacher, make_crops

FACE = np.array([(40, 50), (80, 50), (60, 70), (44, 92), (76, 92)], np.float32)


class MarkDetector:
    """Finds a face at FACE, moved to wherever a photo is green; none where it is not."""

    name = "marks"
    min_face, min_score = 20, 0.5

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        return [self._detect(photo) for photo in photos]

    def _detect(self, photo: Pixels) -> Detections:
        if photo[0, 0, 0] == 255:
            raise RuntimeError("a red photo")
        green = np.argwhere((photo[..., 1] > 200) & (photo[..., 0] < 100))
        if not len(green):
            return Detections.none()
        corner = green.min(0)[::-1].astype(np.float32)
        points = FACE - FACE[0] + corner
        box = np.concatenate([points.min(0) - 20, points.max(0) + 20])
        return Detections(box[None], points[None], np.ones(1, np.float32))


class MeanTeacher:
    """Vectors are a chip's mean colours, normalised."""

    name, weights_sha256, dimension, input_size, numerics = "mean", "0" * 64, 3, 10, "fp32"
    size = 10

    def align(self, photo: Pixels, detections: Detections) -> np.ndarray:
        return np.stack([cv2.resize(photo, (10, 10)) for _ in detections.scores])

    def embed(self, chips: np.ndarray) -> Embeddings:
        means = chips.mean((1, 2)).astype(np.float32)
        norms = np.linalg.norm(means, axis=1)
        return Embeddings(means / norms[:, None], norms)


def write_photo(path: Path, corner: tuple[int, int] | None, colour=(30, 30, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    photo = np.full((200, 160, 3), colour, np.uint8)
    if corner is not None:
        for x, y in (FACE - FACE[0] + corner).astype(int):
            photo[y : y + 1, x : x + 1] = (0, 255, 0)
    cv2.imwrite(str(path), photo[:, :, ::-1])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    write_photo(root / "ann" / "1.png", (40, 50))
    write_photo(root / "ann" / "2.png", (60, 60), (90, 20, 60))
    write_photo(root / "ben" / "1.png", (30, 40))
    write_photo(root / "ben" / "none.png", None)
    write_photo(root / "ben" / "red.png", None, (255, 0, 0))
    write_photo(root / "alone.png", (50, 55))
    (root / "ben" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return root


def test_every_photo_is_a_crop_or_a_failure_with_a_reason(photos: Path, tmp_path: Path) -> None:
    teacher = MeanTeacher()
    report = make_crops(
        [photos], tmp_path / "out.h5", MarkDetector(), [Teacher(teacher, teacher)], decoders=0
    )
    assert (report.photos, report.crops, report.people) == (7, 4, 2)
    reasons = {Path(each.photo).name: each.reason for each in report.failures}
    assert reasons["none.png"] == "no-face"
    assert reasons["red.png"] == "internal"
    assert reasons["broken.jpg"] in ("truncated", "corrupt", "unsupported")
    file = open_crops(tmp_path / "out.h5")
    names = [None if row < 0 else file.people[row] for row in file.person]
    assert names == [None, "ann", "ann", "ben"]
    expected = np.array([90, 20, 60]) / np.linalg.norm([90, 20, 60])
    assert np.allclose(file.vectors("mean")[2], expected, atol=0.02)


def test_landmarks_lie_where_the_template_wants_them(photos: Path, tmp_path: Path) -> None:
    make_crops([photos], tmp_path / "out.h5", MarkDetector(), decoders=0)
    file = open_crops(tmp_path / "out.h5")
    assert (file.side, file.margin) == (SIDE, MARGIN)
    inner = SIDE - 2 * MARGIN
    for crop in file.read(np.arange(len(file))):
        # The five marks become patches about as large as the face was enlarged, brightest at
        # the middle.
        count, _, _, places = cv2.connectedComponentsWithStats(
            (crop[..., 1] > 130).astype(np.uint8)
        )
        assert count == 6
        found = places[1:] - MARGIN
        wanted = np.array(OPEN_MODEL_ZOO.points) * inner
        distances = np.linalg.norm(found[:, None] - wanted[None], axis=2)
        assert distances.min(0).max() < 8  # FACE is no exact copy of the template
        assert sorted(distances.argmin(1)) == [0, 1, 2, 3, 4]


def test_folders_need_not_be_people(photos: Path, tmp_path: Path) -> None:
    report = make_crops([photos], tmp_path / "out.h5", MarkDetector(), labelled=False, decoders=0)
    assert report.people == 0
    assert (open_crops(tmp_path / "out.h5").person == -1).all()


def test_a_folder_that_is_not_there_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found nothing"):
        make_crops([tmp_path / "no"], tmp_path / "out.h5", MarkDetector())
    assert list(tmp_path.iterdir()) == []
