import pytest

from facesearch.detect import DETECTORS, create_detector
from facesearch.detect.mtcnn import MtcnnDetector
from facesearch.errors import InputError, WeightsError


def test_the_default_is_mtcnn_with_its_settings():
    detector = create_detector()
    plain = MtcnnDetector()
    assert isinstance(detector, MtcnnDetector)
    assert (detector.min_face, detector.min_score) == (plain.min_face, plain.min_score)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_named_detector_can_be_made_with_settings(name):
    detector = create_detector(name, min_face=33, min_score=0.5)
    assert (detector.min_face, detector.min_score) == (33, 0.5)


def test_a_path_means_yunet(tmp_path):
    with pytest.raises(WeightsError, match="cannot read the YuNet file"):
        create_detector(tmp_path / "missing.onnx")
    with pytest.raises(WeightsError, match="cannot read the YuNet file"):
        create_detector(str(tmp_path / "missing.ONNX"))


def test_another_name_is_refused_with_the_choices():
    with pytest.raises(InputError, match=r"one of mtcnn or the path .* got 'hog'"):
        create_detector("hog")
