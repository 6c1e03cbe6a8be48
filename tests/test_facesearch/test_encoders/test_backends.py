"""Every back end and precision against the network computed plainly in float64."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from facesearch.encoders import backends as module
from facesearch.encoders import encoder_spec, int8_calibration, load_encoder
from facesearch.encoders.backends import Backend, Placement, load_backend, precision_of
from facesearch.encoders.backends.torch_backend import TorchBackend
from facesearch.encoders.int8_calibration import calibrate_int8, measured_ranges
from facesearch.encoders.load import ranges_file, read_network
from facesearch.encoders.network_ir import (
    INPUT,
    Concatenate,
    Convolution,
    Dense,
    FillToSum,
    GlobalAverage,
    Network,
    NetworkBuilder,
    Pool,
    Relu,
)
from facesearch.encoders.quantization import ActivationRanges, read_ranges
from facesearch.errors import InputError, WeightsError

DLIB = "dlib-resnet-v1"
SIDE = 24
COSINE = {"fp32": 1 - 1e-6, "bf16": 0.9995, "int8": 0.999}


def random_network(seed: int) -> Network:
    """All operations once, with random parameters and sizes."""
    generator = np.random.default_rng(seed)

    def convolution(inputs: int, outputs: int, size: int, relu: bool, **more: int) -> Convolution:
        weight = generator.normal(size=(outputs, inputs, size, size)) / (size * np.sqrt(inputs))
        bias = generator.normal(size=outputs) / 10
        stride, padding = more.get("stride", 1), more.get("padding", 0)
        arrays = weight.astype(np.float32), bias.astype(np.float32)
        return Convolution(*arrays, (stride, stride), (padding, padding), relu)

    widths = generator.integers(4, 12, 3)
    build = NetworkBuilder(SIDE)
    x = build.add(convolution(3, widths[0], 3, relu=True), INPUT)  # 22
    x = build.add(Pool("max", (3, 3), (2, 2), (1, 1)), x)  # 11
    halved = build.add(convolution(widths[0], widths[1], 3, relu=False, stride=2), x)  # 5
    shortcut = build.add(Pool("average", (2, 2), (2, 2)), x)
    x = build.add(FillToSum(relu=True), halved, shortcut)
    wide = build.add(convolution(max(widths[:2]), widths[2], 3, relu=False, padding=1), x)
    x = build.add(Concatenate(), build.add(Relu(), wide), x)
    x = build.add(GlobalAverage(), x)
    columns = widths[2] + max(widths[:2])
    weight = generator.normal(size=(columns, 16)).astype(np.float32)
    build.add(Dense(weight, generator.normal(size=16).astype(np.float32)), x)
    return build.network()


def plain(network: Network, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The network in float64, one textbook operation after another."""
    outputs = {INPUT: torch.tensor(pixels).double().permute(0, 3, 1, 2)}
    for number, node in enumerate(network.nodes):
        inputs, operation = [outputs[index] for index in node.inputs], node.operation
        match operation:
            case Convolution():
                weight, bias = torch.tensor(operation.weight), torch.tensor(operation.bias)
                x = functional.conv2d(
                    inputs[0], weight.double(), bias.double(), operation.stride, operation.padding
                )
                x = x.clamp(min=0) if operation.relu else x
            case Relu():
                x = inputs[0].clamp(min=0)
            case Pool():
                pool = functional.max_pool2d if operation.kind == "max" else functional.avg_pool2d
                x = pool(inputs[0], operation.size, operation.stride, operation.padding)
            case FillToSum():
                sizes = [max(s) for s in zip(*(each.shape for each in inputs), strict=True)]
                x = torch.zeros(sizes, dtype=torch.float64)
                for each in inputs:
                    x[tuple(slice(size) for size in each.shape)] += each
                x = x.clamp(min=0) if operation.relu else x
            case Concatenate():
                x = torch.cat(inputs, 1)
            case GlobalAverage():
                x = inputs[0].mean((2, 3))
            case Dense():
                x = inputs[0] @ torch.tensor(operation.weight).double()
                x = x + torch.tensor(operation.bias)
        outputs[number] = x
    vectors: NDArray[np.float64] = outputs[len(network.nodes) - 1].numpy()
    return vectors


def smooth_pixels(count: int, seed: int, side: int = SIDE) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    whole = -(-side // 4)
    return coarse.repeat(whole, axis=1).repeat(whole, axis=2)[:, :side, :side].copy()


def cosines(found: NDArray[np.floating], expected: NDArray[np.floating]) -> NDArray[np.floating]:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    result: NDArray[np.floating] = (found * expected).sum(axis=1) / lengths
    return result


def openvino_backend(network: Network, precision: str) -> Backend:
    pytest.importorskip("openvino")
    from facesearch.encoders.backends.openvino_backend import OpenVinoBackend

    ranges = measured_ranges(network, [smooth_pixels(64, 99, network.side)])
    return OpenVinoBackend(network, precision, ranges)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize(
    ("library", "precision"),
    [("torch", "fp32"), ("torch", "bf16"), *(("openvino", p) for p in ("fp32", "bf16", "int8"))],
)
def test_random_networks_are_computed_rightly(library: str, precision: str, seed: int) -> None:
    if precision == "int8" and module._BYTE_PRODUCTS.isdisjoint(module._processor_flags()):
        pytest.skip("sums of bytes saturate on this processor, so int8 is refused")
    network, pixels = random_network(seed), smooth_pixels(9, seed)
    expected = plain(network, pixels)
    if library == "torch":
        found = TorchBackend(network, precision)(pixels)
    else:
        found = openvino_backend(network, precision)(pixels)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert cosines(found, expected).min() > COSINE[precision]
    if precision == "fp32":
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_dlibs_network_is_close_to_fp32(precision: str) -> None:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image for a portrait")
    pytest.importorskip("openvino")
    portrait = np.ascontiguousarray(data.astronaut())
    chips = np.stack(
        [portrait[y : y + 150, x : x + 150] for y in (0, 40, 60) for x in (130, 150, 170)]
    )
    exact = load_encoder(DLIB, device="cpu", precision="fp32").embed(chips).vectors
    needed = {"bf16": {"avx512_bf16", "amx_bf16"}, "int8": {"avx512_vnni", "avx_vnni"}}[precision]
    if needed.isdisjoint(module._processor_flags()):
        pytest.skip(f"the processor has no instructions for {precision}")
    reduced = load_encoder(DLIB, device="cpu", precision=precision).embed(chips).vectors
    assert cosines(reduced, exact).min() > 0.999
    assert not np.array_equal(reduced, exact)


def test_int8_is_refused_where_sums_of_bytes_saturate(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(module, "_processor_flags", lambda: frozenset({"avx2"}))
    with pytest.raises(InputError, match="VNNI"):
        load_encoder(DLIB, device="cpu", precision="int8")
    load_encoder(DLIB, device="cpu", precision="auto")


@pytest.mark.parametrize(
    ("flags", "with_ranges", "without"),
    [
        ({"avx2"}, "fp32", "fp32"),
        ({"avx2", "avx_vnni"}, "int8", "fp32"),
        ({"avx512_vnni", "avx512_bf16"}, "int8", "fp32"),
        (set(), "fp32", "fp32"),
    ],
)
def test_the_default_is_int8_where_it_was_measured_and_bytes_are_multiplied(
    flags: set[str],
    with_ranges: str,
    without: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(module, "_processor_flags", lambda: frozenset(flags))
    assert precision_of(load_encoder(DLIB, device="cpu").numerics) == with_ranges
    loaded = load_backend(random_network(0), Placement(device="cpu"), tmp_path / "none.json")
    assert loaded.numerics == without


def test_other_weights_have_no_ranges_and_run_in_fp32(tmp_path: Path) -> None:
    data = bytearray(encoder_spec(DLIB).weights.locate().read_bytes())
    data[len(data) // 2] ^= 1  # in one of the filters
    (tmp_path / "other.dat").write_bytes(data)
    assert load_encoder(DLIB, weights=tmp_path / "other.dat", device="cpu").numerics == "fp32"


def test_without_openvino_torch_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chips = smooth_pixels(3, 1, 150)
    expected = load_encoder(DLIB, device="cpu", precision="fp32").embed(chips).vectors
    monkeypatch.setattr(module, "has_openvino", lambda: False)
    encoder = load_encoder(DLIB, device="cpu")
    assert encoder.numerics == "fp32"
    np.testing.assert_allclose(encoder.embed(chips).vectors, expected, atol=1e-6)
    with pytest.raises(InputError, match="pip install openvino"):
        load_encoder(DLIB, device="cpu", precision="int8")


def test_several_threads_get_what_one_gets() -> None:
    chips = [smooth_pixels(5, seed, 150) for seed in range(8)]
    encoder = load_encoder(DLIB, threads=1, callers=4)
    expected = [encoder.embed(each).vectors for each in chips]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda each: encoder.embed(each).vectors, chips))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        (Placement(precision="fp8"), "expected precision to be one of"),
        (Placement(device="tpu"), "expected device to be one of"),
        (Placement(threads=0), "expected threads of 1 or more, got 0"),
        (Placement(callers=0), "expected callers of 1 or more, got 0"),
        (Placement(device="cpu", precision="fp16"), "it is for GPUs"),
    ],
)
def test_impossible_placements_are_refused(placement: Placement, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_backend(random_network(0), placement, None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="torch finds no CUDA GPU"):
        load_encoder(DLIB, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_the_gpu_computes_what_the_cpu_does(precision: str) -> None:
    chips = smooth_pixels(40, 3, 150)
    expected = load_encoder(DLIB, device="cpu", precision="fp32").embed(chips).vectors
    found = load_encoder(DLIB, device="cuda", precision=precision).embed(chips).vectors
    assert cosines(found, expected).min() > 0.999


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_recorded_network_gives_what_the_network_gives() -> None:
    from facesearch.encoders.backends.cuda_graph import CudaGraphBackend

    network, pixels = random_network(5), smooth_pixels(11, 5)
    backend = TorchBackend(network, "fp32", "cuda")
    graphed = CudaGraphBackend(backend, network.side, batch=4)
    for count in (11, 3, 4, 0, 5):
        np.testing.assert_allclose(graphed(pixels[:count]), backend(pixels[:count]), atol=1e-5)


def test_int8_without_ranges_says_what_to_do() -> None:
    pytest.importorskip("openvino")
    with pytest.raises(InputError, match="--precision fp32"):
        load_backend(random_network(0), Placement(device="cpu", precision="int8"), None)


def test_ranges_round_trip_and_belong_to_one_network(tmp_path: Path) -> None:
    network = random_network(1)
    ranges = measured_ranges(network, [smooth_pixels(4, 0), smooth_pixels(3, 1)])
    assert ranges.chips == 7
    path = tmp_path / "ranges.json"
    path.write_text(ranges.to_json())
    assert read_ranges(path, network) == ranges
    with pytest.raises(WeightsError, match="of another network"):
        read_ranges(path, random_network(2))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"network": "x", "chips": 1, "largest": 3}'])
def test_damaged_ranges_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(text)
    with pytest.raises(WeightsError, match=r"cannot read the int8 ranges .*--precision fp32"):
        read_ranges(path, random_network(1))


def test_ranges_are_the_largest_inputs_of_convolutions() -> None:
    network, pixels = random_network(4), smooth_pixels(6, 4)
    ranges = measured_ranges(network, [pixels[:2], pixels[2:]])
    outputs = TorchBackend(network).outputs(pixels)
    sources = {network.nodes[index].inputs[0] for index in network.convolutions} - {INPUT}
    assert ranges.largest == {node: float(outputs[node].max()) for node in sources}


def test_no_chips_give_no_ranges() -> None:
    with pytest.raises(InputError, match="expected chips"):
        measured_ranges(random_network(1), [])


@pytest.mark.parametrize("needed", [-1.0, 2.0])
def test_calibration_keeps_ranges_only_where_int8_is_close(
    needed: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    network, path = random_network(2), tmp_path / "cache" / "ranges.json"
    monkeypatch.setattr(int8_calibration, "LEAST_COSINE", needed)
    with pytest.raises(InputError, match="expected 64 faces or more"):
        calibrate_int8(network, smooth_pixels(10, 2), path)
    if module._BYTE_PRODUCTS.isdisjoint(module._processor_flags()):
        with pytest.raises(InputError, match="VNNI"):
            calibrate_int8(network, smooth_pixels(64, 2), path)
        return
    result = calibrate_int8(network, smooth_pixels(64, 2), path)
    assert (result.measured, result.compared) == (48, 16)
    assert 0.99 < result.least_cosine <= result.mean_cosine <= 1 + 1e-6
    assert path.exists() == result.good == (needed < 1)


def test_packaged_ranges_are_of_the_packaged_network() -> None:
    spec = encoder_spec(DLIB)
    weighted = read_network(spec)
    ranges = read_ranges(ranges_file(weighted.network), weighted.network)
    assert isinstance(ranges, ActivationRanges)
    assert ranges.chips > 500
    arrays = [
        value
        for node in weighted.network.nodes
        for value in vars(node.operation).values()
        if isinstance(value, np.ndarray)
    ]
    no_bias = spec.dimension  # the dense layer has a bias of zeros that the file has not
    assert sum(array.size for array in arrays) - no_bias == spec.parameters


@pytest.mark.parametrize(
    ("numerics", "precision"), [("fp32", "fp32"), ("int8-0123456789ab", "int8"), ("bf16", "bf16")]
)
def test_precision_of_numerics(numerics: str, precision: str) -> None:
    assert precision_of(numerics) == precision


def test_the_default_encoder_loads_no_torch_where_openvino_is() -> None:
    pytest.importorskip("openvino")
    code = (
        "import sys, facesearch.encoders as e; e.load_encoder(device='cpu', precision='fp32');"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
