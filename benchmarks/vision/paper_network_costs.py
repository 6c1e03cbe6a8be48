"""Parameters and multiply-adds of FaceNet's networks beside what the paper prints.

    python -m benchmarks.vision.paper_network_costs

The paper's FLOPS are multiply-adds, a bias counted as one more at each place; the figures here
count them so too, to be comparable to the last digit that is printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.common.record import record
from facesearch.encoders.paper_networks.layers import FaceNetwork
from facesearch.encoders.paper_networks.networks import PAPER_NETWORKS, paper_network
from facesearch.encoders.paper_networks.operations import Cost, layer_costs, module_cost

UNITS = {"K": 1_000, "M": 1_000_000, "B": 1_000_000_000}


@dataclass(frozen=True)
class PrintedRow:
    """One row of a table of the paper: our name of the layer, "rows x columns x filters", figures
    as printed, empty where the paper leaves them out."""

    layer: str
    output: str
    parameters: str = ""
    operations: str = ""


# Table 1 without its last row, L2.
NN1 = (
    PrintedRow("conv1", "110x110x64", "9K", "115M"),
    PrintedRow("pool1", "55x55x64"),
    PrintedRow("rnorm1", "55x55x64"),
    PrintedRow("conv2a", "55x55x64", "4K", "13M"),
    PrintedRow("conv2", "55x55x192", "111K", "335M"),
    PrintedRow("rnorm2", "55x55x192"),
    PrintedRow("pool2", "28x28x192"),
    PrintedRow("conv3a", "28x28x192", "37K", "29M"),
    PrintedRow("conv3", "28x28x384", "664K", "521M"),
    PrintedRow("pool3", "14x14x384"),
    PrintedRow("conv4a", "14x14x384", "148K", "29M"),
    PrintedRow("conv4", "14x14x256", "885K", "173M"),
    PrintedRow("conv5a", "14x14x256", "66K", "13M"),
    PrintedRow("conv5", "14x14x256", "590K", "116M"),
    PrintedRow("conv6a", "14x14x256", "66K", "13M"),
    PrintedRow("conv6", "14x14x256", "590K", "116M"),
    PrintedRow("pool4", "7x7x256"),
    PrintedRow("concat", "7x7x256"),
    PrintedRow("fc1", "1x32x128", "103M", "103M"),
    PrintedRow("fc2", "1x32x128", "34M", "34M"),
    PrintedRow("fc7128", "1x1x128", "524K", "0.5M"),
)
# Table 2 without its last row, L2 normalization.
NN2 = (
    PrintedRow("conv1", "112x112x64", "9K", "119M"),
    PrintedRow("pool_norm", "56x56x64"),
    PrintedRow("inception2", "56x56x192", "115K", "360M"),
    PrintedRow("norm_pool", "28x28x192"),
    PrintedRow("inception3a", "28x28x256", "164K", "128M"),
    PrintedRow("inception3b", "28x28x320", "228K", "179M"),
    PrintedRow("inception3c", "14x14x640", "398K", "108M"),
    PrintedRow("inception4a", "14x14x640", "545K", "107M"),
    PrintedRow("inception4b", "14x14x640", "595K", "117M"),
    PrintedRow("inception4c", "14x14x640", "654K", "128M"),
    PrintedRow("inception4d", "14x14x640", "722K", "142M"),
    PrintedRow("inception4e", "7x7x1024", "717K", "56M"),
    PrintedRow("inception5a", "7x7x1024", "1.6M", "78M"),
    PrintedRow("inception5b", "7x7x1024", "1.6M", "78M"),
    PrintedRow("average_pool", "1x1x1024"),
    PrintedRow("fully_connected", "1x1x128", "131K", "0.1M"),
)
PRINTED = {"nn1": NN1, "nn2": NN2}


def number(printed: str) -> float:
    """What a printed figure stands for; nothing printed is 0."""
    return float(printed[:-1]) * UNITS[printed[-1]] if printed else 0.0


def as_printed(value: float, printed: str) -> str:
    """``value`` in the unit and with the decimals of ``printed``."""
    decimals = len(printed[:-1].partition(".")[2])
    return f"{value / UNITS[printed[-1]]:.{decimals}f}{printed[-1]}"


def on_meta(name: str) -> FaceNetwork:
    """The network, its parameters without memory."""
    with torch.device("meta"):
        return paper_network(name).eval()


def with_biases(module: torch.nn.Module, shape: tuple[int, ...]) -> Cost:
    """Cost of ``module`` as the paper counts it: a bias is one more at each of its places."""
    added = 0

    def count(layer: torch.nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal added
        added += output.numel() if layer.bias is not None else 0

    weighted = (torch.nn.Conv2d, torch.nn.Linear)
    hooks = [
        each.register_forward_hook(count) for each in module.modules() if isinstance(each, weighted)
    ]
    cost = module_cost(module, shape)
    for hook in hooks:
        hook.remove()
    return Cost(cost.parameters, cost.operations + added)


def layers(name: str) -> dict[str, Any]:
    """Each layer of a network: its output, and its cost as the paper counts."""
    network, found = on_meta(name), {}
    shape: tuple[int, ...] = network.input_shape
    modules = dict(network.layers.named_children())
    for layer in layer_costs(network.layers, shape):
        cost = with_biases(modules[layer.name], shape)
        shape = layer.output_shape
        found[layer.name] = {"output": shape, **vars(cost)}
    return found


def disagreements(name: str) -> list[dict[str, str]]:
    """Rows of the paper's table whose printed figures are not what their layers come to."""
    found = []
    ours = layers(name)
    for row in PRINTED[name]:
        for what in ("parameters", "operations"):
            printed, counted = getattr(row, what), ours[row.layer][what]
            if printed and as_printed(counted, printed) != printed:
                found.append(
                    {"layer": row.layer, "what": what, "printed": printed, "counted": counted}
                )
    return found


def network(name: str) -> dict[str, Any]:
    """What the paper says, what its table adds up to, and what we count."""
    spec, module = PAPER_NETWORKS[name], on_meta(name)
    plain, ours = (count(module, module.input_shape) for count in (module_cost, with_biases))
    rows = PRINTED.get(name)
    sums = {what: sum(number(getattr(row, what)) for row in rows or ()) for what in vars(ours)}
    return {
        "chip": f"{spec.size.rows} x {spec.size.columns}",
        "reconstructed": spec.reconstructed,
        "published": {
            "parameters": spec.published_parameters,
            "operations": spec.published_operations,
        },
        "rows_sum": sums if rows else None,
        "counted": vars(ours),
        "operations_without_biases": plain.operations,
        "disagreements": disagreements(name) if rows else [],
    }


def main() -> None:
    print(record("networks", {"networks": {name: network(name) for name in PAPER_NETWORKS}}))


if __name__ == "__main__":
    main()
