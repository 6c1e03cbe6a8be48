"""facenet-pytorch's own Inception-ResNet-v1, with random weights, without torchvision."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any


def random_facenet(folder: Path, seed: int) -> Any:
    """The peer's module in evaluation mode with random weights and statistics, and a classifier.

    ``folder`` holds the package ``facenet_pytorch``. The module normalises its vectors itself.
    """
    import torch

    package = types.ModuleType("facenet_pytorch")
    package.__path__ = [str(folder / "facenet_pytorch")]
    sys.modules["facenet_pytorch"] = package
    # Only the module of the network is imported, whose own downloader needs nothing of torchvision.
    for name in ("requests", "requests.adapters"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["requests.adapters"].HTTPAdapter = getattr(  # type: ignore[attr-defined]
        sys.modules["requests.adapters"], "HTTPAdapter", object
    )
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

    torch.manual_seed(seed)
    module = InceptionResnetV1(pretrained=None, classify=False, num_classes=10)
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            each.running_mean.normal_(0, 0.1)
            each.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(each.weight, 0.5, 1.5)
            torch.nn.init.normal_(each.bias, 0, 0.1)
    return module.eval()


def spread(module: Any, pixels: Any) -> None:
    """Give the module the batch statistics of standardised ``pixels`` float32 (n, 3, side, side).

    With statistics drawn at random all faces get nearly one vector, which says nothing of how
    close two ways of computing it are; with those of faces every layer keeps them apart.
    """
    import torch

    norms = [
        each
        for each in module.modules()
        if isinstance(each, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d)
    ]
    for each in norms:
        each.reset_running_stats()
        each.momentum = None  # the mean over all batches
        each.train()
    with torch.no_grad():
        module(pixels)
    module.eval()
