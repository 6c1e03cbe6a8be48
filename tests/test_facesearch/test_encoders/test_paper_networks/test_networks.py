"""FaceNet's networks against the tables of the paper, and as modules that can be trained."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, fx, nn

from benchmarks.figures.make_docs import result
from benchmarks.vision.paper_network_costs import (
    NN1,
    NN2,
    PRINTED,
    PrintedRow,
    as_printed,
    on_meta,
    with_biases,
)
from benchmarks.vision.paper_network_costs import network as counted
from facesearch.encoders.paper_networks import inception
from facesearch.encoders.paper_networks.inception import InceptionBlock, InceptionRow, without_five
from facesearch.encoders.paper_networks.layers import L2Pool, Maxout, Size
from facesearch.encoders.paper_networks.networks import PAPER_NETWORKS, UnitVectors, paper_network
from facesearch.encoders.paper_networks.operations import layer_costs, module_cost, parameter_count
from facesearch.errors import InputError

NAMES = sorted(PAPER_NETWORKS)
SMALL = ["nn4", "nns2", "openface-nn4-small2"]

# Parameters, and multiply-adds without biases: what these networks were when the page was written.
COUNTS = {
    "nn1": (140_025_664, 1_605_944_064),
    "nn2": (7_456_304, 1_596_530_688),
    "nn3": (7_456_304, 814_620_672),
    "nn4": (6_607_888, 284_741_632),
    "nns1": (25_906_264, 221_276_896),
    "nns2": (4_325_964, 19_539_232),
    "openface-nn4-small2": (3_733_968, 200_118_272),
}
# How far from a published figure, as a share of it: half of its last digit where the layers are
# published; for the reconstructions two parts in a hundred.
WITHIN = {
    "nn1": (0.5 / 140, 0.05 / 1.6),
    "nn2": (0.05 / 7.5, 0.05 / 1.6),
    "nn3": (0.05 / 7.5, None),
    "nn4": (0.05 / 6.6, 0.5 / 285),
    "nns1": (0.02, 0.02),
    "nns2": (0.02, 0.02),
    "openface-nn4-small2": (0.0, None),
}
WRONG_IN_THE_PAPER = {("inception4a", "parameters"): ("545K", 545_536)}


def chips(name: str, count: int = 2) -> Tensor:
    size = PAPER_NETWORKS[name].size
    return torch.randn(count, 3, size.rows, size.columns)


@pytest.mark.parametrize("name", NAMES)
def test_totals_are_the_published(name: str) -> None:
    network = on_meta(name)
    cost = module_cost(network, network.input_shape)
    assert (cost.parameters, cost.operations) == COUNTS[name]
    as_the_paper = with_biases(network, network.input_shape)
    spec = PAPER_NETWORKS[name]
    published = (spec.published_parameters, spec.published_operations)
    counted = (as_the_paper.parameters, as_the_paper.operations)
    for figure, ours, tolerance in zip(published, counted, WITHIN[name], strict=True):
        assert (figure is None) == (tolerance is None)
        if figure is not None and tolerance is not None:
            assert abs(ours / figure - 1) <= tolerance


@pytest.mark.parametrize("name", PRINTED)
def test_every_row_is_the_papers(name: str) -> None:
    network = on_meta(name)
    modules = dict(network.layers.named_children())
    assert [row.layer for row in PRINTED[name]] == list(modules)
    shape: tuple[int, ...] = network.input_shape
    costs = layer_costs(network.layers, network.input_shape)
    for row, layer in zip(PRINTED[name], costs, strict=True):
        cost = with_biases(modules[row.layer], shape)
        shape = layer.output_shape
        assert_same_output(row, shape)
        for what in ("parameters", "operations"):
            printed, ours = getattr(row, what), getattr(cost, what)
            if (row.layer, what) in WRONG_IN_THE_PAPER:
                assert (printed, ours) == WRONG_IN_THE_PAPER[row.layer, what]
                assert as_printed(ours, printed) != printed
            else:
                assert (as_printed(ours, printed) if printed else "") == printed, row
                assert printed or ours == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_of_these_networks(name: str) -> None:
    assert result("networks")["networks"][name] == counted(name)


def assert_same_output(row: PrintedRow, shape: tuple[int, ...]) -> None:
    rows, columns, filters = map(int, row.output.split("x"))
    if len(shape) == 1:
        assert shape == (rows * columns * filters,), row
    else:
        assert shape == (filters, rows, columns), row


def test_table_1_has_the_22_layers_of_the_text_with_the_l2_that_is_left_out() -> None:
    assert len(NN1) + 1 == 22
    weighted = [row for row in NN1 if row.parameters]
    assert len(weighted) == 14
    assert len(NN2) + 1 == 17


def test_only_one_reading_of_nn4_gives_the_papers_figures() -> None:
    names = [row.name for row in inception.NN2.rows]
    fitting = []
    for start in range(len(names) + 1):
        table = without_five(inception.NN2, tuple(names[start:]))
        with torch.device("meta"):
            network = inception.inception_network("reading", table, Size(96, 96)).eval()
        cost = with_biases(network, network.input_shape)
        if as_printed(cost.operations, "285M") == "285M":
            fitting.append((names[start:], as_printed(cost.parameters, "6.6M"), table))
    assert fitting == [(["4e", "5a", "5b"], "6.6M", inception.NN4)]


@pytest.mark.parametrize(
    ("name", "published"), [("nn2", 7_472_144), ("openface-nn4-small2", 3_733_968)]
)
def test_with_batch_normalisation_counts_are_openfaces(name: str, published: int) -> None:
    with torch.device("meta"):
        assert parameter_count(paper_network(name, batch_norm=True)) == published


def plain_l2_pool(x: Tensor, stride: int, padding: int) -> Tensor:
    """One window after another."""
    x = nn.functional.pad(x, (padding,) * 4).double()
    rows = range(0, x.shape[2] - 2, stride)
    columns = range(0, x.shape[3] - 2, stride)
    windows = [[x[:, :, i : i + 3, j : j + 3] for j in columns] for i in rows]
    return torch.stack(
        [
            torch.stack([window.flatten(2).norm(dim=2) for window in line], dim=2)
            for line in windows
        ],
        dim=2,
    )


@pytest.mark.parametrize(("stride", "padded"), [(1, True), (2, True), (3, False)])
def test_l2_pooling_is_the_norm_of_each_window(stride: int, padded: bool) -> None:
    x = torch.randn(2, 3, 8, 11)
    expected = plain_l2_pool(x, stride, int(padded))
    assert torch.allclose(L2Pool(stride, padded)(x).double(), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_l2_pooling_has_a_finite_gradient_at_zero(dtype: torch.dtype) -> None:
    x = torch.zeros(1, 1, 6, 6, dtype=dtype)
    x[0, 0, 5, 5] = 2.0
    x.requires_grad_()
    L2Pool()(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad[0, 0, 0, 0] == 0
    assert x.grad[0, 0, 5, 5] > 3  # of four windows, each grows by one


def test_l2_pooling_has_the_right_gradient() -> None:
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(L2Pool(), (x,))


def test_maxout_is_the_largest_of_its_linear_pieces() -> None:
    layer, x = Maxout(7, 5), torch.randn(4, 7)
    first, second = (piece.weight.detach() for piece in layer.pieces)
    biases = [piece.bias.detach() for piece in layer.pieces]
    for n in range(4):
        for unit in range(5):
            expected = max(
                float(first[unit] @ x[n] + biases[0][unit]),
                float(second[unit] @ x[n] + biases[1][unit]),
            )
            assert layer(x)[n, unit].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("pool", "stride"), [("max", 2), ("L2", 3)])
def test_openfaces_poolings_are_set_in_the_middle_of_zeros(pool: str, stride: int) -> None:
    row = InceptionRow("3a", 2, 2, 2, 2, 2, pool, 4, pool_stride=stride)  # type: ignore[arg-type]
    block = InceptionBlock(row, 6, Size(12, 12), batch_norm=False)
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1.0)  # so that what is pooled stays above zero
    pooled = block(torch.rand(1, 6, 12, 12) + 1)[0, -4]
    side = (12 - 3) // stride + 1
    before = (12 - side) // 2
    inside = pooled[before : before + side, before : before + side]
    assert (inside > 0).all()
    assert torch.count_nonzero(pooled) == side**2


@pytest.mark.parametrize("name", [*SMALL[1:], pytest.param(SMALL[0], marks=pytest.mark.slow)])
def test_a_few_steps_of_training_separate_the_people(name: str) -> None:
    torch.manual_seed(0)
    network = UnitVectors(paper_network(name)).train()
    photos = two_photos_of_four_people(PAPER_NETWORKS[name].size)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    losses: list[float] = []
    while len(losses) < 10 and not have_halved(losses):
        loss = triplet_loss(network(photos))
        optimiser.zero_grad()
        loss.backward()
        gradients = [parameter.grad for parameter in network.parameters()]
        assert all(each is not None and torch.isfinite(each).all() for each in gradients)
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 0.5  # no person is distinguished from another yet
    assert have_halved(losses)


def have_halved(losses: list[float]) -> bool:
    """Whether the last three are together under half of the first."""
    return len(losses) > 3 and sum(losses[-3:]) / 3 < 0.5 * losses[0]


def two_photos_of_four_people(size: Size) -> Tensor:
    """(8, 3, rows, columns): a smooth pattern for each person, and noise for each photo."""
    patterns = torch.randn(4, 3, 5, 5)
    sized = nn.functional.interpolate(patterns, (size.rows, size.columns), mode="bilinear")
    return sized.repeat_interleave(2, dim=0) + 0.2 * torch.randn(8, 3, size.rows, size.columns)


def triplet_loss(vectors: Tensor) -> Tensor:
    """Mean over people: the second photo should be nearer than anyone else's, by a margin of 1."""
    distances = (vectors[:, None] - vectors[None]).square().sum(dim=2)
    same = distances[torch.arange(0, 8, 2), torch.arange(1, 8, 2)]
    others = distances.reshape(4, 2, 8)[:, 0].scatter(
        1, torch.arange(8).reshape(4, 2), torch.full((4, 2), 4.0)
    )
    return torch.relu(same + 1.0 - others.min(dim=1).values).mean()


def test_activations_keep_their_size_from_layer_to_layer() -> None:
    torch.manual_seed(1)
    network = paper_network("nn2").eval()
    x = chips("nn2", 2)
    with torch.no_grad():
        for layer in network.layers:
            x = layer(x)
            assert 0.3 < float(x.square().mean().sqrt()) < 5


@pytest.mark.parametrize("name", SMALL)
def test_in_evaluation_a_vector_does_not_depend_on_the_batch(name: str) -> None:
    network, batch = paper_network(name).eval(), chips(name, 3)
    with torch.no_grad():
        together, alone = network(batch), torch.cat([network(chip[None]) for chip in batch])
        unit = UnitVectors(network)(batch)
    assert torch.allclose(together, alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together.norm(dim=1), torch.ones(3), atol=0.01)
    assert torch.allclose(unit.norm(dim=1), torch.ones(3))
    assert torch.allclose(unit * together.norm(dim=1, keepdim=True), together, atol=1e-5)
    assert network(batch[:0]).shape == (0, 128)


def test_state_goes_to_another_network_and_back() -> None:
    first, second = (paper_network("nns2").eval() for _ in range(2))
    batch = chips("nns2")
    assert not torch.equal(first(batch), second(batch))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(batch), second(batch))
    assert torch.equal(first(batch), copy.deepcopy(first)(batch))


@pytest.mark.parametrize("name", NAMES)
def test_fx_sees_the_whole_network_as_plain_operations(name: str) -> None:
    with torch.device("meta"):
        network = paper_network(name).eval()
    graph = fx.symbolic_trace(network)
    inside = {
        type(graph.get_submodule(n.target)) for n in graph.graph.nodes if n.op == "call_module"
    }
    assert {kind.__module__.split(".")[:2] == ["torch", "nn"] for kind in inside} == {True}
    fx.symbolic_trace(UnitVectors(network))


@pytest.mark.parametrize("name", SMALL)
def test_a_traced_network_computes_the_same(name: str) -> None:
    network, batch = paper_network(name).eval(), chips(name)
    with torch.no_grad():
        assert torch.equal(fx.symbolic_trace(network)(batch), network(batch))


@pytest.mark.parametrize(
    ("batch", "got"),
    [
        (torch.zeros(2, 3, 96, 97), r"got torch.float32 \(2, 3, 96, 97\)"),
        (torch.zeros(3, 96, 96), r"got torch.float32 \(3, 96, 96\)"),
        (torch.zeros(1, 96, 96, 3), r"got torch.float32 \(1, 96, 96, 3\)"),
        (torch.zeros(2, 3, 96, 96, dtype=torch.uint8), "got torch.uint8"),
        (torch.zeros(2, 3, 96, 96).numpy(), "got <class 'numpy.ndarray'>"),
    ],
)
def test_other_shapes_are_refused_saying_what_was_expected(batch: Tensor, got: str) -> None:
    network = paper_network("nn4")
    with pytest.raises(InputError, match=rf"nn4 as a float tensor \(n, 3, 96, 96\), {got}"):
        network(batch)


def test_unknown_names_are_refused_naming_the_known() -> None:
    with pytest.raises(InputError, match=r"nn1, nn2, .*got 'nn5'"):
        paper_network("nn5")
