"""Two encoders as one: what the join promises for any two, and the one that comes along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesearch.api.encoders import quantise_encoder
from facesearch.detect.types import Detections, Pixels
from facesearch.encoders import backends, encoder_spec, load_encoder
from facesearch.encoders.backends import parted_precision, precision_of
from facesearch.encoders.ensemble import EnsembleEncoder, joined_chips, joined_vectors, leading
from facesearch.encoders.flip_averaging import FlipAveraged, flip_averaged
from facesearch.encoders.types import Embeddings, Encoder
from facesearch.engine import EncoderChoice, FaceEngine, create_aligner, create_engine
from facesearch.errors import InputError
from support.oracles.projecting_encoder import ProjectingEncoder, random_chips

NAME = "dlib-facenet-ensemble"
SHARES = st.floats(0.01, 0.99)


def two(first_side: int = 7, second_side: int = 4) -> tuple[ProjectingEncoder, ProjectingEncoder]:
    return ProjectingEncoder(first_side, 5, seed=1), ProjectingEncoder(second_side, 3, seed=2)


def distances(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = vectors.astype(np.float64)
    return np.asarray(((exact[:, None] - exact[None]) ** 2).sum(axis=2))


@settings(max_examples=40)
@given(
    count=st.integers(0, 6),
    sides=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    share=SHARES,
    flip=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_vectors_are_the_join_of_both_encoders_and_distances_their_weighted_sum(
    count: int, sides: tuple[int, int], share: float, flip: bool, seed: int
) -> None:
    first, second = two(*sides)
    chips = [random_chips(count, side, seed + number) for number, side in enumerate(sides)]
    ensemble: Encoder = EnsembleEncoder("both", first, second, share)
    alone: list[Encoder] = [first, second]
    if flip:
        ensemble, alone = flip_averaged(ensemble), [FlipAveraged(each) for each in alone]
    found = ensemble.embed(joined_chips(*chips))
    one, other = (encoder.embed(part) for encoder, part in zip(alone, chips, strict=True))
    assert found.vectors.shape == (count, 8)
    assert found.vectors.dtype == np.float32
    expected = np.concatenate(
        [np.sqrt(share) * one.vectors, np.sqrt(1 - share) * other.vectors], axis=1
    )
    np.testing.assert_allclose(found.vectors, expected, atol=1e-6)
    np.testing.assert_array_equal(found.norms, one.norms)
    np.testing.assert_allclose(
        distances(found.vectors),
        share * distances(one.vectors) + (1 - share) * distances(other.vectors),
        atol=1e-5,
    )


@given(share=SHARES, seed=st.integers(0, 2**32 - 1))
def test_a_face_and_its_mirror_image_get_the_same_vector(share: float, seed: int) -> None:
    chips = [random_chips(3, side, seed + side) for side in (7, 4)]
    encoder = flip_averaged(EnsembleEncoder("both", *two(), share))
    straight = encoder.embed(joined_chips(*chips))
    mirrored = encoder.embed(joined_chips(*(part[:, :, ::-1] for part in chips)))
    np.testing.assert_allclose(mirrored.vectors, straight.vectors, atol=1e-6)
    np.testing.assert_allclose(mirrored.norms, straight.norms, rtol=1e-6)


@pytest.mark.parametrize("sides", [(7, 4), (4, 7), (5, 5)])
def test_chips_come_apart_as_they_were_and_quality_sees_the_first(sides: tuple[int, int]) -> None:
    chips = [random_chips(3, side, side) for side in sides]
    joined = joined_chips(*chips)
    assert joined.shape == (3, max(sides), max(sides), 6)
    ensemble = EnsembleEncoder("both", *two(*sides), 0.5)
    for part, whole in zip(ensemble.parted(joined), chips, strict=True):
        np.testing.assert_array_equal(part, whole)
        assert part.flags.c_contiguous
    encoder, seen = leading(ensemble, joined)
    assert encoder is ensemble.first
    np.testing.assert_array_equal(seen, chips[0])
    alone = two(*sides)[0]
    encoder, seen = leading(alone, chips[0])
    assert encoder is alone
    assert seen is chips[0]


def test_a_vector_that_is_zero_leaves_the_distance_to_the_other() -> None:
    chips = [random_chips(2, 7), random_chips(2, 4)]
    chips[1][:] = 0
    ensemble = EnsembleEncoder("both", *two(), 0.9)
    vectors = ensemble.embed(joined_chips(*chips)).vectors
    np.testing.assert_allclose(vectors[:, :5], two()[0].embed(chips[0]).vectors, atol=1e-6)
    assert not vectors[:, 5:].any()
    chips[0][:] = 0
    assert not ensemble.embed(joined_chips(*chips)).vectors.any()


def test_other_chips_are_refused() -> None:
    ensemble = EnsembleEncoder("both", *two(), 0.9)
    for shape in ((1, 7, 7, 3), (1, 6, 6, 6), (7, 7, 6)):
        with pytest.raises(InputError, match=r"expected joined chips uint8 .* with the aligner"):
            ensemble.embed(np.zeros(shape, np.uint8))


def test_weights_order_and_share_make_the_digest() -> None:
    first, second = two()
    third = ProjectingEncoder(4, 3, seed=9)
    made = [
        EnsembleEncoder("both", *encoders, share).weights_sha256
        for encoders, share in (
            ((first, second), 0.9),
            ((first, second), 0.91),
            ((second, first), 0.9),
            ((first, third), 0.9),
        )
    ]
    assert len({*made}) == len(made)
    assert {len(each) for each in made} == {64}
    again = EnsembleEncoder("another name", *two(), 0.9)
    assert again.weights_sha256 == made[0]
    assert flip_averaged(again).weights_sha256 == made[0]


@pytest.mark.parametrize(
    ("first", "second", "joined", "precision", "parted"),
    [
        ("fp32", "fp32", "fp32", "fp32", ("fp32", "fp32")),
        ("int8-0123456789ab", "fp32", "int8-0123456789ab+fp32", "int8+fp32", ("int8", "fp32")),
        ("int8-a", "int8-b", "int8-a+int8-b", "int8", ("int8", "int8")),
        ("fp32", "bf16", "fp32+bf16", "fp32+bf16", ("fp32", "bf16")),
    ],
)
def test_numerics_say_how_to_compute_again(
    first: str, second: str, joined: str, precision: str, parted: tuple[str, str]
) -> None:
    one, other = two()
    one.numerics, other.numerics = first, second
    assert EnsembleEncoder("both", one, other, 0.5).numerics == joined
    assert precision_of(joined) == precision
    assert parted_precision(precision) == parted


def portrait() -> Pixels:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image for a portrait")
    return np.ascontiguousarray(data.astronaut())


@pytest.fixture(scope="module")
def engines() -> dict[str, FaceEngine]:
    """The ensemble and both of its encoders alone, each by its default numerics."""
    spec = encoder_spec(NAME)
    assert spec.ensemble is not None
    names = (NAME, spec.ensemble.first.name, spec.ensemble.second.name)
    return {name: create_engine(encoder=name) for name in names}


def test_the_table_agrees_with_the_loaded_ensemble(engines: dict[str, FaceEngine]) -> None:
    spec, contract = encoder_spec(NAME), engines[NAME].contract
    assert spec.present
    assert (spec.name, spec.dimension, spec.input_size) == (
        contract.name,
        contract.dimension,
        contract.input_size,
    )
    assert spec.files == (*spec.ensemble.first.files, *spec.ensemble.second.files)  # type: ignore[union-attr]
    assert spec.chip_shape == (150, 150, 6)


def test_faces_get_both_encoders_vectors_and_the_first_ones_quality(
    engines: dict[str, FaceEngine],
) -> None:
    photo = portrait()
    photos = [photo, np.ascontiguousarray(photo[:, ::-1]), photo // 2]
    found = engines[NAME].detect(photos)
    joined, first, second = (each.embed(photos, found) for each in engines.values())
    share = encoder_spec(NAME).ensemble.share  # type: ignore[union-attr]
    assert sum(map(len, joined)) >= 3
    for both, one, other in zip(joined, first, second, strict=True):
        expected = joined_vectors(one.embeddings.vectors, other.embeddings.vectors, share)
        np.testing.assert_allclose(both.embeddings.vectors, expected, atol=1e-5)
        for of_both, of_one in zip(
            vars(both.qualities).values(), vars(one.qualities).values(), strict=True
        ):
            np.testing.assert_array_equal(of_both, of_one)
        np.testing.assert_array_equal(both.embeddings.norms, one.embeddings.norms)
    (nobody,) = engines[NAME].embed([photo], [Detections.none()])
    assert nobody.embeddings.vectors.shape == (0, 256)


def test_a_contract_leads_back_to_the_same_vectors(engines: dict[str, FaceEngine]) -> None:
    contract = engines[NAME].contract
    contract.check()
    assert contract.flip
    again = create_engine(encoder=EncoderChoice.of(contract))
    assert again.contract == contract
    plain = create_engine(encoder=EncoderChoice(NAME, precision="fp32", flip=False)).contract
    assert plain.numerics == "fp32"
    assert not plain.flip
    assert create_engine(encoder=EncoderChoice.of(plain)).contract == plain


def test_the_aligner_cuts_what_both_aligners_cut(engines: dict[str, FaceEngine]) -> None:
    photo = portrait()
    (found,) = engines[NAME].detect([photo])
    spec = encoder_spec(NAME)
    aligner = create_aligner(spec)
    assert aligner.size == spec.input_size
    chips = aligner.align(photo, found)
    assert chips.shape == (len(found), *spec.chip_shape)
    ensemble = engines[NAME].encoder
    assert isinstance(ensemble, EnsembleEncoder)
    for part, member in zip(
        ensemble.parted(chips),
        (spec.ensemble.first, spec.ensemble.second),  # type: ignore[union-attr]
        strict=True,
    ):
        alone = create_aligner(member)
        assert alone.name in aligner.name
        np.testing.assert_array_equal(part, alone.align(photo, found))
    assert aligner.align(photo, Detections.none()).shape == (0, *spec.chip_shape)


def real_chips(engine: FaceEngine) -> NDArray[np.uint8]:
    photo = portrait()
    return engine.aligner.align(photo, engine.detect([photo])[0])


def test_torch_computes_what_openvino_does(
    engines: dict[str, FaceEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    chips = real_chips(engines[NAME])
    expected = load_encoder(NAME, device="cpu", precision="fp32", threads=1).embed(chips)
    monkeypatch.setattr(backends, "has_openvino", lambda: False)
    encoder = load_encoder(NAME, device="cpu", threads=1)
    assert encoder.numerics == "fp32"
    np.testing.assert_allclose(encoder.embed(chips).vectors, expected.vectors, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_gpu_computes_what_the_cpu_does(engines: dict[str, FaceEngine], precision: str) -> None:
    chips = real_chips(engines[NAME])
    expected: Embeddings = load_encoder(NAME, device="cpu", precision="fp32").embed(chips)
    found = load_encoder(NAME, device="cuda", precision=precision).embed(chips)
    assert (found.vectors * expected.vectors).sum(axis=1).min() > 0.999


def test_it_loads_no_torch_where_openvino_is() -> None:
    pytest.importorskip("openvino")
    code = (
        f"import sys, facesearch.encoders as e; e.load_encoder({NAME!r}, device='cpu', threads=1);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_cannot_be_had_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="joins two encoders, each with its own weights"):
        load_encoder(NAME, tmp_path / "other.dat")
    with pytest.raises(InputError, match="take one of them: dlib-resnet-v1 or facenet-small"):
        quantise_encoder(NAME, tmp_path)
    for wrong in ("fp8", "fp32+fp8", "fp32+fp32+fp32"):
        with pytest.raises(InputError, match="expected precision to be one of"):
            load_encoder(NAME, device="cpu", precision=wrong)
    with pytest.raises(InputError, match="expected precision to be one of"):
        load_encoder("dlib-resnet-v1", device="cpu", precision="int8+fp32")
