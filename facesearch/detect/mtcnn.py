"""The default detector: MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using
Multitask Cascaded Convolutional Networks"), run by this project's own kernels.

P-Net slides a 12-pixel window over an image pyramid and proposes boxes; R-Net looks at each as a
24-pixel crop and O-Net at what remains as 48-pixel crops; each drops boxes, moves their edges and
suppresses overlaps. R-Net and O-Net run over the crops of all photos of a call together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import Boxes, nms, squared
from facesearch.detect.image_pyramid import Pyramid, build_pyramid, sample_crops
from facesearch.detect.mtcnn_networks import MtcnnNetworks
from facesearch.detect.mtcnn_weights import NAME, Floats
from facesearch.detect.types import Detections, Pixels
from facesearch.detect.validation import check_photo, check_score
from facesearch.errors import InputError

_WINDOW = 12  # pixels that P-Net sees
_SAME_LEVEL_OVERLAP = 0.5
_PROPOSAL_OVERLAP = 0.7
_REFINED_OVERLAP = 0.7
_FINAL_OVERLAP = 0.7  # of the smaller box
_GROUP = 8  # photos that go through the stages together; with _CHUNK it bounds memory
_CHUNK = 256  # crops given to a network at once


class MtcnnDetector:
    """MTCNN with the weights of the PyPI package ``mtcnn`` 1.0.0.

    ``min_face`` is the side in pixels, at least 12, of the smallest faces looked for (a little
    smaller ones may still be found); time grows with 1 / min_face^2. ``min_score`` in [0, 1) is the
    least score of a face that is returned; ``proposal_score`` and ``refined_score`` the least that
    R-Net and O-Net are shown. Each pyramid level is ``pyramid_factor`` the size of the one before.
    The defaults had the best recall on 60 labelled photos among those with no more false detections
    than facenet-pytorch's; other photos are reported on (benchmarks/vision/detection.py).

    Raises InputError for settings out of range, WeightsError if the weights are not the pinned
    ones. May be called from several threads at once.
    """

    name = NAME

    def __init__(
        self,
        min_face: int = 20,
        min_score: float = 0.6,
        *,
        proposal_score: float = 0.6,
        refined_score: float = 0.6,
        pyramid_factor: float = 0.65,
    ) -> None:
        if min_face < _WINDOW:
            raise InputError(f"expected min_face of at least {_WINDOW} pixels, got {min_face}")
        for setting, value in (
            ("min_score", min_score),
            ("proposal_score", proposal_score),
            ("refined_score", refined_score),
        ):
            check_score(setting, value)
        if not 0.1 <= pyramid_factor <= 0.95:
            raise InputError(f"expected pyramid_factor in [0.1, 0.95], got {pyramid_factor}")
        self.min_face = min_face
        self.min_score = min_score
        self.proposal_score = proposal_score
        self.refined_score = refined_score
        self.pyramid_factor = pyramid_factor
        self._networks = MtcnnNetworks()

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        """Faces of each photo (RGB uint8 (h, w, 3)), best score first.

        Raises InputError for a photo of another shape or dtype.
        """
        for photo in photos:
            check_photo(photo)
        found = []
        for start in range(0, len(photos), _GROUP):
            pyramids = [self._pyramid(photo) for photo in photos[start : start + _GROUP]]
            proposals = [self._propose(pyramid) for pyramid in pyramids]
            found += self._output(pyramids, self._refine(pyramids, proposals))
        return found

    def _pyramid(self, photo: Pixels) -> Pyramid:
        scale = _WINDOW / self.min_face
        return build_pyramid(np.ascontiguousarray(photo), scale, self.pyramid_factor, _WINDOW)

    def _propose(self, pyramid: Pyramid) -> Boxes:
        """Boxes (n, 4), square, that P-Net finds in one photo."""
        boxes = [np.zeros((0, 4), np.float32)]
        moved = [np.zeros((0, 4), np.float32)]
        scores = [np.zeros(0, np.float32)]
        for level, ratios in zip(
            pyramid.levels[pyramid.first :], pyramid.ratios[pyramid.first :], strict=True
        ):
            corners, level_scores, offsets = self._networks.propose(level, self.proposal_score)
            windows = np.concatenate([corners, corners + np.float32(_WINDOW)], axis=1)
            windows /= np.concatenate([ratios, ratios])
            kept = nms(windows, level_scores, _SAME_LEVEL_OVERLAP)
            boxes.append(windows[kept])
            moved.append(_moved(windows[kept], offsets[kept]))
            scores.append(level_scores[kept])
        kept = nms(np.concatenate(boxes), np.concatenate(scores), _PROPOSAL_OVERLAP)
        return squared(np.concatenate(moved)[kept])

    def _refine(self, pyramids: list[Pyramid], proposals: list[Boxes]) -> list[Boxes]:
        """What remains of each photo's proposals after R-Net, square again."""
        boxes = np.concatenate(proposals)
        scores = np.zeros(len(boxes), np.float32)
        offsets = np.zeros((len(boxes), 4), np.float32)
        for part, crops in _crops(pyramids, proposals, 24):
            scores[part], offsets[part] = self._networks.refine(crops)
        result = []
        for span in _spans(proposals):
            rows = span[scores[span] > self.refined_score]
            rows = rows[nms(boxes[rows], scores[rows], _REFINED_OVERLAP)]
            result.append(squared(_moved(boxes[rows], offsets[rows])))
        return result

    def _output(self, pyramids: list[Pyramid], refined: list[Boxes]) -> list[Detections]:
        """The faces that O-Net sees in the refined boxes of each photo."""
        boxes = np.concatenate(refined)
        scores = np.zeros(len(boxes), np.float32)
        offsets = np.zeros((len(boxes), 4), np.float32)
        points = np.zeros((len(boxes), 10), np.float32)
        for part, crops in _crops(pyramids, refined, 48):
            scores[part], offsets[part], points[part] = self._networks.output(crops)
        extent = (boxes[:, 2:] - boxes[:, :2])[:, None]
        landmarks = boxes[:, None, :2] + points.reshape(-1, 2, 5).transpose(0, 2, 1) * extent
        moved = _moved(boxes, offsets)
        result = []
        for span in _spans(refined):
            rows = span[scores[span] > self.min_score]
            rows = rows[nms(moved[rows], scores[rows], _FINAL_OVERLAP, of_smaller=True)]
            result.append(Detections(moved[rows], landmarks[rows], scores[rows]))
        return result


def _spans(boxes: list[Boxes]) -> list[NDArray[np.int64]]:
    """For each photo the rows its boxes have once those of all photos are concatenated."""
    counts = [len(b) for b in boxes]
    return np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])


def _crops(
    pyramids: list[Pyramid], boxes: list[Boxes], side: int
) -> Iterator[tuple[slice, Floats]]:
    """Crops of all photos' boxes, at most _CHUNK at once, and the rows that they are."""
    pending: list[Floats] = []
    done = count = 0
    for pyramid, ours in zip(pyramids, boxes, strict=True):
        for start in range(0, len(ours), _CHUNK):
            crops = sample_crops(pyramid, ours[start : start + _CHUNK], side)
            if count + len(crops) > _CHUNK:
                yield slice(done, done + count), np.concatenate(pending)
                done, count, pending = done + count, 0, []
            pending.append(crops)
            count += len(crops)
    if count:
        yield slice(done, done + count), np.concatenate(pending)


def _moved(boxes: Boxes, offsets: Floats) -> Boxes:
    """Boxes with each edge moved by its offset, a fraction of the box's width or height."""
    extent = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + offsets * np.concatenate([extent, extent], axis=1), np.float32)
