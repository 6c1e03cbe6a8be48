"""The default detector: MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using
Multitask Cascaded Convolutional Networks"), run by this project's own kernels.

P-Net slides a 12-pixel window over an image pyramid and proposes boxes; R-Net looks at each as a
24-pixel crop and O-Net at what remains as 48-pixel crops; each drops boxes, moves their edges and
suppresses overlaps. R-Net and O-Net run over the crops of all photos of a call together.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import Boxes, nms, squared
from facesearch.detect.mtcnn_networks import Networks
from facesearch.detect.mtcnn_weights import NAME, Floats
from facesearch.detect.photos import check_photo, check_score
from facesearch.detect.types import Detections, Pixels
from facesearch.errors import InputError

_WINDOW = 12  # pixels that P-Net sees
_STRIDE = 2  # pixels between its windows
_SAME_LEVEL_OVERLAP = 0.5
_PROPOSAL_OVERLAP = 0.7
_REFINED_OVERLAP = 0.7
_FINAL_OVERLAP = 0.7  # of the smaller box
_CHUNK = 256  # crops given to a network at once; bounds memory


class MtcnnDetector:
    """MTCNN with the weights of the PyPI package ``mtcnn`` 1.0.0.

    ``min_face`` is the side in pixels, at least 12, of the smallest faces looked for (a little
    smaller ones may still be found); time grows with 1 / min_face^2. ``min_score`` in [0, 1) is the
    least score of a face that is returned; ``proposal_score`` and ``refined_score`` the least that
    R-Net and O-Net are shown. Each pyramid level is ``pyramid_factor`` the size of the one before.

    Raises InputError for settings out of range, WeightsError if the weights are not the pinned
    ones. May be called from several threads at once.
    """

    name = NAME

    def __init__(
        self,
        min_face: int = 20,
        min_score: float = 0.7,
        *,
        proposal_score: float = 0.6,
        refined_score: float = 0.7,
        pyramid_factor: float = 0.709,
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
        self._networks = Networks()

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        """Faces of each photo (RGB uint8 (h, w, 3)), best score first.

        Raises InputError for a photo of another shape or dtype.
        """
        for photo in photos:
            check_photo(photo)
        proposals = [self._propose(photo) for photo in photos]
        refined = self._refine(photos, proposals)
        return self._output(photos, refined)

    def _propose(self, photo: Pixels) -> Boxes:
        """Boxes (n, 4), square, that P-Net finds on the pyramid of one photo."""
        boxes, scores, offsets = [], [], []
        height, width = photo.shape[:2]
        for scale in pyramid_scales(height, width, self.min_face, self.pyramid_factor):
            size = (int(width * scale + 1), int(height * scale + 1))
            level = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
            maps, moves = self._networks.propose(np.asarray(level, np.uint8))
            rows, columns = np.nonzero(maps >= self.proposal_score)
            corners = np.stack([columns, rows], axis=1).astype(np.float32) * _STRIDE
            low = np.floor((corners + 1) / scale)
            high = np.floor((corners + _WINDOW) / scale)
            found = np.concatenate([low, high], axis=1).astype(np.float32)
            kept = nms(found, maps[rows, columns], _SAME_LEVEL_OVERLAP)
            boxes.append(found[kept])
            scores.append(maps[rows, columns][kept])
            offsets.append(moves[rows, columns][kept])
        if not boxes:
            return np.zeros((0, 4), np.float32)
        found = np.concatenate(boxes)
        kept = nms(found, np.concatenate(scores), _PROPOSAL_OVERLAP)
        return squared(_moved(found[kept], np.concatenate(offsets)[kept]))

    def _refine(self, photos: Sequence[Pixels], proposals: list[Boxes]) -> list[Boxes]:
        """What remains of each photo's proposals after R-Net, square again."""
        owners, boxes = _pooled(proposals)
        scores = np.zeros(len(boxes), np.float32)
        offsets = np.zeros((len(boxes), 4), np.float32)
        for start in range(0, len(boxes), _CHUNK):
            part = slice(start, start + _CHUNK)
            crops = _crops(photos, owners[part], boxes[part], 24)
            scores[part], offsets[part] = self._networks.refine(crops)
        result = []
        for number in range(len(photos)):
            rows = np.flatnonzero((owners == number) & (scores > self.refined_score))
            rows = rows[nms(boxes[rows], scores[rows], _REFINED_OVERLAP)]
            result.append(squared(_moved(boxes[rows], offsets[rows])))
        return result

    def _output(self, photos: Sequence[Pixels], refined: list[Boxes]) -> list[Detections]:
        """The faces that O-Net sees in the refined boxes of each photo."""
        owners, boxes = _pooled(refined)
        scores = np.zeros(len(boxes), np.float32)
        offsets = np.zeros((len(boxes), 4), np.float32)
        points = np.zeros((len(boxes), 2, 5), np.float32)
        for start in range(0, len(boxes), _CHUNK):
            part = slice(start, start + _CHUNK)
            crops = _crops(photos, owners[part], boxes[part], 48)
            scores[part], offsets[part], points[part] = self._networks.output(crops)
        extent = (boxes[:, 2:] - boxes[:, :2])[:, None]
        landmarks = boxes[:, None, :2] + points.transpose(0, 2, 1) * extent
        moved = _moved(boxes, offsets)
        result = []
        for number in range(len(photos)):
            rows = np.flatnonzero((owners == number) & (scores > self.min_score))
            rows = rows[nms(moved[rows], scores[rows], _FINAL_OVERLAP, of_smaller=True)]
            result.append(Detections(moved[rows], landmarks[rows], scores[rows]))
        return result


def pyramid_scales(height: int, width: int, min_face: int, factor: float) -> list[float]:
    """Scales at which P-Net's window sees faces of ``min_face`` pixels, then of more and more."""
    scale = _WINDOW / min_face
    scales = []
    while min(height, width) * scale >= _WINDOW:
        scales.append(scale)
        scale *= factor
    return scales


def _moved(boxes: Boxes, offsets: Floats) -> Boxes:
    """Boxes with each edge moved by its offset, a fraction of the box's width or height."""
    extent = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + offsets * np.concatenate([extent, extent], axis=1), np.float32)


def _pooled(boxes: list[Boxes]) -> tuple[NDArray[np.int64], Boxes]:
    """The boxes of all photos in one array, and the number of the photo that each is in."""
    owners = np.repeat(np.arange(len(boxes)), [len(b) for b in boxes])
    together = np.concatenate([*boxes, np.zeros((0, 4), np.float32)])
    return owners, together


def _crops(photos: Sequence[Pixels], owners: NDArray[np.int64], boxes: Boxes, side: int) -> Pixels:
    """Each box cut out of its photo and resized to ``side`` pixels; outside it is black."""
    crops = np.zeros((len(boxes), side, side, 3), np.uint8)
    for crop, owner, box in zip(crops, owners, boxes, strict=True):
        photo = photos[owner]
        x0, y0 = (max(int(v), 0) for v in box[:2])
        x1, y1 = int(min(box[2], photo.shape[1])), int(min(box[3], photo.shape[0]))
        if x0 < x1 and y0 < y1:
            part = photo[y0:y1, x0:x1]
            crop[:] = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
    return crops
