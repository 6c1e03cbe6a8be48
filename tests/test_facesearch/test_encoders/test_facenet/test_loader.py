"""Published checkpoints: parity with facenet-pytorch's own network, and every kind of bad file."""

from __future__ import annotations

import functools
import io
import os
import pickle
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.peers.facenet import random_facenet
from facesearch.encoders import encoder_spec, load_encoder
from facesearch.encoders.facenet.checkpoint import load_checkpoint
from facesearch.encoders.facenet.inception_resnet import PARAMETERS, InceptionResnetV1
from facesearch.encoders.load import read_network
from facesearch.encoders.paper_networks.operations import module_cost
from facesearch.errors import WeightsError
from indexer.storage.atomic_files import sha256_of

NAME = "facenet-vggface2"
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return dict(InceptionResnetV1().state_dict())


def smooth_chips(count: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (count, 10, 10, 3), np.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


def test_parameters_keys_and_operations(state: State) -> None:
    module = InceptionResnetV1()
    assert sum(each.numel() for each in module.parameters()) == PARAMETERS == 23_482_624
    assert len(state) == 714
    spec = encoder_spec(NAME)
    assert spec.parameters == PARAMETERS
    assert module_cost(module.eval(), (3, 160, 160)).operations == pytest.approx(
        spec.operations, rel=0.001
    )


def test_parity_with_facenet_pytorch(tmp_path: Path) -> None:
    peers = os.environ.get("FACESEARCH_PEERS", "")
    if not (Path(peers) / "facenet_pytorch").is_dir():
        pytest.skip("needs facenet-pytorch 2.6.0; name its folder in FACESEARCH_PEERS")
    peer = random_facenet(Path(peers), 0)
    torch.save(peer.state_dict(), tmp_path / "random.pt")
    chips = smooth_chips(4)
    with torch.inference_mode():
        x = (torch.tensor(chips).permute(0, 3, 1, 2).float() - 127.5) / 128
        expected = peer(x).numpy()
    encoder = load_encoder(NAME, tmp_path / "random.pt", "cpu", "fp32")
    found = encoder.embed(chips).vectors
    # Random networks give all chips nearly one vector, so what differs between chips counts.
    centre = expected.mean(axis=0)
    apart = np.linalg.norm(expected - centre, axis=1)
    assert (np.linalg.norm(found - expected, axis=1) < 0.01 * apart).all()
    assert (found * expected).sum(axis=1).min() > 0.99999
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "classifier"), [("w.pt", False), ("w.pth", True), ("w.safetensors", True)]
)
def test_files_of_either_kind_load_with_and_without_classifier(
    state: State, name: str, classifier: bool, tmp_path: Path
) -> None:
    extra = {"logits.weight": torch.ones(10, 512), "logits.bias": torch.ones(10)}
    saved = {**state, **(extra if classifier else {})}
    save = safetensors.torch.save_file if name.endswith("safetensors") else torch.save
    save(saved, tmp_path / name)
    loaded = load_checkpoint(tmp_path / name)
    assert not loaded.module.training
    found = loaded.module.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in found.items())


def test_files_without_batch_counters_load(state: State, tmp_path: Path) -> None:
    saved = {key: value for key, value in state.items() if "num_batches" not in key}
    torch.save(saved, tmp_path / "w.pt")
    weighted = read_network(encoder_spec(NAME), tmp_path / "w.pt")
    assert (weighted.network.side, weighted.network.dimension) == (160, 512)
    assert weighted.sha256 == sha256_of(tmp_path / "w.pt")


def test_numbers_of_half_precision_load_as_float32(state: State, tmp_path: Path) -> None:
    halves = {
        key: value.half() if value.is_floating_point() else value for key, value in state.items()
    }
    safetensors.torch.save_file(halves, tmp_path / "w.safetensors")
    found = load_checkpoint(tmp_path / "w.safetensors").module.state_dict()
    assert all(found[key].dtype == value.dtype for key, value in state.items())
    key = "last_linear.weight"
    assert torch.equal(found[key], state[key].half().float())


class Evil:
    def __reduce__(self) -> Any:
        return print, ("code of the file was run",)


def damaged(  # noqa: PLR0912 - one a kind
    kind: str, state: State, path: Path
) -> None:
    first = "conv2d_1a.conv.weight"
    match kind:
        case "absent":
            return
        case "empty":
            path.write_bytes(b"")
        case "web page":
            path.write_bytes(b"<!DOCTYPE html><html>not found</html>")
        case "truncated":
            torch.save(state, path)
            path.write_bytes(path.read_bytes()[:1_000_000])
        case "code":
            path.write_bytes(pickle.dumps({"a": Evil()}))
        case "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("a.txt", "hello")
        case "list":
            torch.save([1, 2], path)
        case "not tensors":
            torch.save({"a": 1}, path)
        case "missing":
            torch.save({key: value for key, value in state.items() if key != first}, path)
        case "unknown":
            torch.save({**state, "more": torch.ones(1)}, path)
        case "shape":
            torch.save({**state, first: torch.ones(3)}, path)
        case "nan":
            torch.save({**state, first: torch.full_like(state[first], np.nan)}, path)
        case "numbered":
            torch.save({1: torch.ones(1)}, path)
        case "sparse":
            torch.save({**state, first: state[first].to_sparse()}, path)
        case "variance":
            torch.save({**state, "conv2d_1a.bn.running_var": -torch.ones(32)}, path)
        case "whole numbers":
            torch.save({**state, first: state[first].int()}, path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("absent", "No such file"),
        ("empty", "damaged or no checkpoint"),
        ("web page", "it is a web page"),
        ("truncated", "damaged or no checkpoint"),
        ("code", "objects other than tensors|damaged or no checkpoint"),
        ("zip", "damaged or no checkpoint"),
        ("list", "expected tensors by name .* found list"),
        ("not tensors", "but 'a' is none"),
        ("missing", "misses 1 tensors .conv2d_1a.conv.weight"),
        ("unknown", "has unknown 1 tensors .more"),
        ("shape", "has other shapes of 1 tensors"),
        ("nan", "NaN or infinity in conv2d_1a.conv.weight"),
        ("numbered", "but 1 is none"),
        ("sparse", "'conv2d_1a.conv.weight' is sparse"),
        ("variance", "negative variance in conv2d_1a.bn.running_var"),
        ("whole numbers", "expected numbers with a fraction"),
    ],
)
def test_bad_files_say_what_is_wrong(
    kind: str, message: str, state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pt"
    damaged(kind, state, path)
    with pytest.raises(WeightsError, match=message):
        load_checkpoint(path)
    assert capsys.readouterr().out == ""


@functools.cache
def small_file(legacy: bool) -> bytes:
    """A checkpoint of two tensors; made once, for torch numbers them by their addresses."""
    stream = io.BytesIO()
    small = {"conv2d_1a.conv.weight": torch.ones(2, 3), "more": torch.zeros(4)}
    torch.save(small, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


@settings(max_examples=150, deadline=None)
@given(legacy=st.booleans(), data=st.data())
def test_damaged_bytes_are_refused_and_never_crash(legacy: bool, data: st.DataObject) -> None:
    damaged = bytearray(small_file(legacy))
    places = st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=6)):
        damaged[place] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.pt"
        path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
        with pytest.raises(WeightsError):
            load_checkpoint(path)


@pytest.mark.parametrize("data", [b"", b"x" * 7, b"\xff" * 100, (10**15).to_bytes(8, "little")])
def test_damaged_safetensors_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="cannot read"):
        load_checkpoint(path)
