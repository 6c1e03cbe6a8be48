import hashlib

import pytest

from facesearch.detect import mtcnn_weights
from facesearch.detect.mtcnn_weights import O_NET, P_NET, R_NET
from facesearch.errors import WeightsError

# Of the arrays of mtcnn 1.0.0's pnet.lz4, rnet.lz4 and onet.lz4, in their order, as joblib reads
# them: the bytes of all of them one after the other.
ORIGINALS = {
    "pnet": "13b6e2c6d49be93cf0eb957a139daa5c8ba4d6b162ccc644ff2125c19a73f524",
    "rnet": "5073c2b622b16c4cd7acca5408838f9b8e703c39a9bfb4f14382c23a756d0ef2",
    "onet": "112f10e8fa59867395794dbcb6f5c49c239365d4dcc91703841e0231bf1197c7",
}


@pytest.mark.parametrize("network", [P_NET, R_NET, O_NET], ids=lambda network: network.name)
def test_weights_are_those_of_the_original_files_to_the_bit(network):
    digest = hashlib.sha256()
    for layer in network.load():
        for array in (layer.kernel, layer.bias, layer.slopes):
            assert array.dtype == "float32"
            digest.update(array.tobytes())
    assert digest.hexdigest() == ORIGINALS[network.name]


def test_layers_have_the_shapes_of_the_paper():
    kernels = {
        name: [layer.kernel.shape for layer in network.load()]
        for name, network in (("p", P_NET), ("r", R_NET), ("o", O_NET))
    }
    assert kernels["p"][:3] == [(3, 3, 3, 10), (3, 3, 10, 16), (3, 3, 16, 32)]
    assert kernels["r"][3:] == [(576, 128), (128, 4), (128, 2)]
    assert kernels["o"][4:] == [(1152, 256), (256, 4), (256, 10), (256, 2)]


def test_hidden_layers_have_a_slope_a_channel_and_heads_none():
    for network in (P_NET, R_NET, O_NET):
        layers = network.load()
        for number, layer in enumerate(layers):
            slopes = layer.kernel.shape[-1] if number < network.hidden else 0
            assert layer.slopes.shape == (slopes,)
            assert layer.bias.shape == layer.kernel.shape[-1:]


def test_a_damaged_file_is_refused_with_both_digests(monkeypatch, tmp_path):
    data = bytearray(mtcnn_weights.PATH.read_bytes())
    data[-1] ^= 1
    damaged = tmp_path / "mtcnn.safetensors"
    damaged.write_bytes(data)
    monkeypatch.setattr(mtcnn_weights, "PATH", damaged)
    found = hashlib.sha256(data).hexdigest()
    with pytest.raises(WeightsError, match=f"{mtcnn_weights.SHA256}, found {found}; reinstall"):
        P_NET.load()


def test_a_missing_file_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(mtcnn_weights, "PATH", tmp_path / "mtcnn.safetensors")
    with pytest.raises(WeightsError, match=r"cannot read .*reinstall"):
        R_NET.load()
