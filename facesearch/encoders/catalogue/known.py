"""The encoders known by name: from packages, and fetched by one command with pinned digests."""

from __future__ import annotations

from pathlib import Path

from facesearch.encoders.catalogue.spec import (
    UNLEARNED,
    EncoderSpec,
    Ensemble,
    PixelFormat,
    Thresholds,
)
from facesearch.encoders.catalogue.templates import ARCFACE, OPEN_MODEL_ZOO
from facesearch.model_files.download import DownloadedFile
from facesearch.model_files.packaged import PackagedFile
from facesearch.model_files.stored import StoredFile

_FACENET_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
_OPEN_MODEL_ZOO = (
    "https://storage.openvinotoolkit.org/repositories/open_model_zoo/2023.0/models_bin/1/"
    "face-reidentification-retail-0095/"
)


def _facenet(name: str, weights: DownloadedFile, trained_on: str) -> EncoderSpec:
    """An Inception-ResNet-v1 of facenet-pytorch; the thresholds are the FaceNet paper's."""
    unmeasured = Thresholds(
        verification=1.1,
        identification=0.8,
        cluster=0.9,
        chosen_on="nothing here: verification is the FaceNet paper's 1.1 (figure 1), the others "
        "are stricter by guess; learn yours with: facesearch encoders calibrate",
        learned=False,
    )
    return EncoderSpec(
        name=name,
        dimension=512,
        input_size=160,
        parameters=23_482_624,
        operations=1_417_662_304,
        alignment="margin",
        licence=f"MIT; trained on {trained_on}, which is for research only",
        source=f"{weights.name} of facenet-pytorch v2.2.9",
        weights=weights,
        lfw="not measured: the weights could not be fetched where LFW was",
        flipped=unmeasured,
        plain=unmeasured,
    )


def _open_model_zoo(folder: str, ending: str, sha256: str, size: int) -> DownloadedFile:
    """A file of retail-0095; its SHA-384 was found equal to the one that the zoo states."""
    return DownloadedFile(
        name=f"face-reidentification-retail-0095-{folder.removeprefix('FP16-')}.{ending}",
        url=f"{_OPEN_MODEL_ZOO}{folder}/face-reidentification-retail-0095.{ending}",
        sha256=sha256,
        size=size,
    )


_ON_VIEW_1 = (
    "LFW View 1: verification at the best accuracy of its 3,200 pairs, identification where one in "
    "10,000 pairs of different people would be accepted; clusters as "
    "benchmarks/clustering/quality.py chose for albums"
)
_BY_CALIBRATE_AND_ALBUM = (
    "LFW View 1, by facesearch encoders calibrate: verification at the best accuracy on as many "
    "same as different pairs, identification where one in 10,000 pairs of different people would "
    "be accepted; clusters between the best for 3,000 people of View 1 (1.0) and that for an album "
    "of 36 (1.4), since large galleries lower it by their own impostors"
)
_ENSEMBLE_BY_CALIBRATE_AND_ALBUM = (
    "LFW View 1, by facesearch encoders calibrate: verification at the best accuracy on as many "
    "same as different pairs, identification where one in 10,000 pairs of different people would "
    "be accepted; clusters between the best for 3,095 people of View 1 (0.17) and that for an "
    "album of 36 (0.22), since large galleries lower it by their own impostors; without flip "
    "averaging, times how much greater they are for 1,031 people of View 1"
)
_BY_CALIBRATE = (
    "LFW View 1, by facesearch encoders calibrate: verification at the best accuracy on as many "
    "same as different pairs, identification where one in 10,000 pairs of different people would "
    "be accepted, clusters at the best F of average linkage"
)

DLIB = EncoderSpec(
    name="dlib-resnet-v1",
    dimension=128,
    input_size=150,
    parameters=5_607_488,
    operations=270_854_144,
    alignment="dlib",
    licence="CC0-1.0",
    source="dlib_face_recognition_resnet_model_v1.dat in face-recognition-models 0.3.0",
    weights=PackagedFile(
        distribution="face-recognition-models",
        path="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
    lfw="View 2: 99.05 +- 0.10 %, TAR 0.975 at FAR 0.001 (int8, flip; docs/performance.md)",
    flipped=Thresholds(0.172, 0.115, 0.14, _ON_VIEW_1),
    plain=Thresholds(0.183, 0.12, 0.15, _ON_VIEW_1),
)
RETAIL_0095 = EncoderSpec(
    name="retail-0095",
    dimension=256,
    input_size=128,
    parameters=1_106_814,
    operations=288_699_392,
    alignment="five points",
    template=OPEN_MODEL_ZOO,
    pixels=PixelFormat("BGR"),
    licence="Apache-2.0",
    source="face-reidentification-retail-0095 of Open Model Zoo 2023.0",
    weights=_open_model_zoo(
        "FP16", "xml", "ce53d2c9c08c0bd1c1660fb8a5b6d0e3e4ec19eb92f1036d2d83a85e83082dce", 350_427
    ),
    companion=_open_model_zoo(
        "FP16", "bin", "241229ca3d206321868d46ce74a3c0b06c49cea58db7dc70b2e842ff287545d1", 2_213_628
    ),
    int8=(
        _open_model_zoo(
            "FP16-INT8",
            "xml",
            "06626e796a2c308f5ff32b3045d5587ad5a83ba62a63797bb7e10c735a6da1fc",
            650_833,
        ),
        _open_model_zoo(
            "FP16-INT8",
            "bin",
            "b422592479d85804b7bb52c37f4663f3ef33ac9f2154d6072f09c2e251890aec",
            1_196_364,
        ),
    ),
    lfw="View 2: 99.47 +- 0.13 % (int8, flip; its makers state 99.47 %; docs/encoders.md)",
    flipped=Thresholds(1.365, 1.125, 1.2, _BY_CALIBRATE_AND_ALBUM),
    plain=Thresholds(1.4, 1.14, 1.2, _BY_CALIBRATE_AND_ALBUM),
)
MOBILEFACENET = EncoderSpec(
    name="mobilefacenet",
    dimension=128,
    input_size=112,
    parameters=990_107,
    operations=233_810_432,
    alignment="five points",
    template=ARCFACE,
    pixels=PixelFormat("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    licence="Apache-2.0",
    source="MobileFaceNet.onnx of foamliu/MobileFaceNet, trained on MS-Celeb-1M",
    weights=DownloadedFile(
        name="mobilefacenet_foamliu.onnx",
        url="https://raw.githubusercontent.com/foamliu/MobileFaceNet/"
        "a6cc9032a659b615f477833e1a70b5e7931bcccc/weights/MobileFaceNet.onnx",
        sha256="b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
        size=3_998_070,
    ),
    lfw="View 2: 99.10 +- 0.19 % (fp32, flip; its makers state 99.48 %; docs/encoders.md)",
    flipped=Thresholds(1.42, 1.19, 1.08, _BY_CALIBRATE),
    plain=Thresholds(1.435, 1.195, 1.125, _BY_CALIBRATE),
)
SFACE = EncoderSpec(
    name="sface",
    dimension=128,
    input_size=112,
    parameters=9_673_536,
    operations=1_100_000_000,
    alignment="five points",
    template=ARCFACE,
    pixels=PixelFormat("RGB"),
    licence="Apache-2.0",
    source="face_recognition_sface_2021dec.onnx of the OpenCV Zoo",
    weights=DownloadedFile(
        name="face_recognition_sface_2021dec.onnx",
        url="https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/"
        "models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
        sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        size=38_696_353,
    ),
    lfw="not measured here: its makers state 99.60 % on View 2",
    flipped=UNLEARNED,
    plain=UNLEARNED,
)
ARCFACE_R100 = EncoderSpec(
    name="arcface-r100",
    dimension=512,
    input_size=112,
    parameters=65_132_000,
    operations=12_106_000_000,
    alignment="five points",
    template=ARCFACE,
    pixels=PixelFormat("RGB"),
    licence="Apache-2.0",
    source="arcfaceresnet100-8.onnx of the ONNX model zoo, Open Model Zoo's "
    "face-recognition-resnet100-arcface-onnx",
    weights=DownloadedFile(
        name="arcfaceresnet100-8.onnx",
        url="https://media.githubusercontent.com/media/onnx/models/"
        "bb0d4cf3d4e2a5f7376c13a08d337e86296edbe8/vision/body_analysis/arcface/model/"
        "arcfaceresnet100-8.onnx",
        sha256="f0a2e278b430372d308fef67c1aea308c2baf37f32e8908d9bfce035c26a3fb4",
        size=261_036_388,
    ),
    lfw="not measured here: Open Model Zoo states 99.68 % on View 2",
    flipped=UNLEARNED,
    plain=UNLEARNED,
)

FACENET_SMALL = EncoderSpec(
    name="facenet-small",
    dimension=128,
    input_size=112,
    parameters=3_568_512,
    operations=158_167_392,
    alignment="five points",
    template=OPEN_MODEL_ZOO,
    licence="Apache-2.0; trained on photos that are for research only (docs/model_card.md)",
    source="facesearch train, by distillation from retail-0095 (docs/training.md)",
    weights=StoredFile(
        Path(__file__).parents[1] / "facenet_small" / "data" / "facenet-small.safetensors",
        "3c3f016b6995e8364c45ccbc53f1e2c89571341bdfba6d3fb010512d649ba64d",
        "reinstall facesearch",
    ),
    lfw="TAR 0.77 at FAR 1e-4 over all pairs (bf16, flip; docs/model_card.md)",
    flipped=Thresholds(1.492, 0.972, 0.961, _BY_CALIBRATE),
    plain=Thresholds(1.508, 0.986, 0.989, _BY_CALIBRATE),
)

# What either gives away: dlib's encoder takes Asian women and young people for each other, and
# facenet-small recognises fewer people. The share was chosen by
# ``python -m benchmarks.recognition.ensemble_share``.
DLIB_FACENET = EncoderSpec.joined(
    "dlib-facenet-ensemble",
    Ensemble(DLIB, FACENET_SMALL, 0.95),
    lfw="View 2: 99.15 +- 0.09 %, TAR 0.885 at FAR 1e-4 over all pairs (int8 and fp32, flip; "
    "docs/encoders.md)",
    flipped=Thresholds(0.242, 0.17, 0.195, _ENSEMBLE_BY_CALIBRATE_AND_ALBUM),
    plain=Thresholds(0.256, 0.175, 0.197, _ENSEMBLE_BY_CALIBRATE_AND_ALBUM),
)

ENCODERS = {
    spec.name: spec
    for spec in (
        DLIB,
        RETAIL_0095,
        MOBILEFACENET,
        SFACE,
        ARCFACE_R100,
        FACENET_SMALL,
        DLIB_FACENET,
        _facenet(
            "facenet-vggface2",
            DownloadedFile(
                name="20180402-114759-vggface2.pt",
                url=_FACENET_RELEASE + "20180402-114759-vggface2.pt",
                sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
                size=111_898_327,
            ),
            "VGGFace2",
        ),
        _facenet(
            "facenet-casia-webface",
            DownloadedFile(
                name="20180408-102900-casia-webface.pt",
                url=_FACENET_RELEASE + "20180408-102900-casia-webface.pt",
            ),
            "CASIA-WebFace",
        ),
    )
}

# Best first, of those that are fit for any use and were measured here: what a new gallery takes is
# the first whose files are present. The last is always there.
PREFERRED = (RETAIL_0095.name, DLIB.name)
