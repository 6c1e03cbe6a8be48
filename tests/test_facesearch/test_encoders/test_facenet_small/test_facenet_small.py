"""``facenet-small``: as trained, as kept in 16 bits, and as the back ends run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facesearch.demo import DemoTruth
from facesearch.encoders import encoder_spec, load_encoder
from facesearch.encoders.backends import Placement, load_backend
from facesearch.encoders.facenet_small.architecture import DIVISOR, MEAN
from facesearch.encoders.facenet_small.network import SIDE, facenet_small
from facesearch.encoders.facenet_small.stored_network import read_weights
from facesearch.encoders.facenet_small.weights import export_weights
from facesearch.encoders.paper_networks.operations import module_cost
from facesearch.encoders.torch_import import traced_network
from facesearch.engine import create_engine
from facesearch.errors import InputError, WeightsError
from facesearch.images.decode import decode_photo
from facesearch.train.validation import standardised
from indexer.exact.distances import quick_distances


def used_network() -> torch.nn.Module:
    """A network whose running statistics are no longer those of the start."""
    torch.manual_seed(0)
    network = facenet_small()
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 3, SIDE, SIDE))
    return network.eval()


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return used_network()


@pytest.fixture
def weights(network: torch.nn.Module, tmp_path: Path) -> Path:
    export_weights(network.state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_cost_is_within_what_was_promised(network: torch.nn.Module, weights: Path) -> None:
    cost = module_cost(network, network.input_shape)
    assert cost.parameters <= 8_000_000
    assert cost.operations < 271_000_000 * 0.6  # dlib's network has 271 million
    assert weights.stat().st_size <= 16 * 2**20


@pytest.mark.parametrize("device", ["cpu"])
def test_back_ends_give_the_vectors_of_the_module(
    network: torch.nn.Module, weights: Path, device: str
) -> None:
    chips = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)
    with torch.no_grad():
        expected = network(standardised(chips)).numpy()
    weighted = read_weights(weights)
    loaded = load_backend(weighted.network, Placement(device, "fp32", 1, 1), None)
    vectors = loaded.backend(chips)
    assert vectors.shape == (5, 128)
    cosines = (vectors * expected).sum(1) / np.linalg.norm(vectors, axis=1)
    cosines /= np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.9999  # 16-bit weights
    assert weighted.sha256 == read_weights(weights).sha256


def test_the_file_is_read_as_the_module_is_traced(network: torch.nn.Module, weights: Path) -> None:
    half = facenet_small().eval()
    half.load_state_dict(
        {name: tensor.half().to(tensor.dtype) for name, tensor in network.state_dict().items()}
    )
    expected, found = traced_network(half, SIDE, MEAN, DIVISOR), read_weights(weights).network
    assert found.side == expected.side
    for mine, theirs in zip(found.nodes, expected.nodes, strict=True):
        assert mine.inputs == theirs.inputs
        assert type(mine.operation) is type(theirs.operation)
        for name, value in vars(theirs.operation).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_allclose(getattr(mine.operation, name), value, atol=1e-6)
            else:
                assert getattr(mine.operation, name) == value


def test_reading_loads_no_torch() -> None:
    code = (
        "import sys; from facesearch.encoders.load import read_network;"
        "from facesearch.encoders import encoder_spec;"
        "read_network(encoder_spec('facenet-small')); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_of_smaller_chips_are_those_of_the_whole_network() -> None:
    torch.manual_seed(0)
    small = facenet_small(side=64).eval()
    whole = facenet_small().eval()
    whole.load_state_dict(small.state_dict())
    with torch.no_grad():
        assert small(torch.randn(2, 3, 64, 64)).shape == whole(torch.randn(2, 3, SIDE, SIDE)).shape


@pytest.mark.parametrize("side", [31, 113])
def test_a_side_that_no_chip_can_have_is_refused(side: int) -> None:
    with pytest.raises(InputError, match="expected a side from 32 to 112 pixels"):
        facenet_small(side=side)


def test_damaged_and_other_files_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(tmp_path / "none.safetensors")
    short = tmp_path / "short.safetensors"
    short.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(short)
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="another network"):
        read_weights(tmp_path / "other.safetensors")


def test_what_16_bits_do_not_hold_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="a has values"):
        export_weights({"a": torch.tensor([1e6])}, tmp_path / "w.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_other_weights_make_it_another_encoder(weights: Path) -> None:
    spec = encoder_spec("facenet-small")
    encoder = load_encoder("facenet-small", weights, "cpu", "fp32", 1)
    chips = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    vectors = encoder.embed(chips).vectors
    assert vectors.shape == (3, spec.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (encoder.name, encoder.input_size) == (spec.name, spec.input_size)
    assert encoder.weights_sha256 != spec.weights.sha256


def test_the_weights_that_are_shipped_tell_the_demos_people_apart(
    demo_photos: tuple[Path, DemoTruth],
) -> None:
    folder, truth = demo_photos
    engine = create_engine(encoder="facenet-small")
    spec = encoder_spec("facenet-small")
    assert spec.present
    assert engine.contract.weights_sha256 == spec.weights.sha256
    vectors, people = [], []
    for name, labels in truth.people.items():
        if len(labels) != 1:
            continue
        photo = decode_photo(folder / name)
        (faces,) = engine.faces([photo.pixels])
        if len(faces) == 1:
            vectors.append(faces.embeddings.vectors[0])
            people.append(min(labels))
    found = np.stack(vectors)
    distances = quick_distances(found, found)
    same = np.equal.outer(people, people)
    limit = spec.thresholds(True).identification
    assert len(vectors) > 10
    assert (distances[~same] > limit).all()
    assert np.median(distances[same]) < limit


def test_the_catalogue_has_its_cost(network: torch.nn.Module) -> None:
    spec = encoder_spec("facenet-small")
    cost = module_cost(network, network.input_shape)
    assert (spec.parameters, spec.operations) == (cost.parameters, cost.operations)
