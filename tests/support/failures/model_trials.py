"""Model files damaged at random and used, each in a process of its own: none may crash or hang.

Used as ``python -m support.failures.model_trials SECONDS SEED`` like
``support.failures.fault_table``. With ``unguarded`` after these, only OpenCV's reading of YuNet is
tried, without the process that reads a file first; with ``--most N``, there are at most N trials of
each kind. Files that come with no package are taken from the test data, and left out where that is
not here.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from facesearch.align.shape_predictor import FIVE_POINT_MODEL, parse_shape_predictor
from facesearch.detect.scrfd import ScrfdDetector
from facesearch.detect.yunet import opencv_detector
from facesearch.encoders.dlib.resnet import read_dlib_resnet
from facesearch.encoders.facenet_small.network import facenet_small
from facesearch.encoders.facenet_small.stored_network import read_weights
from facesearch.encoders.facenet_small.weights import export_weights
from facesearch.encoders.graph.model_file import companion_of, graph_facts, read_graph
from facesearch.encoders.registry import encoder_spec
from facesearch.errors import FacesearchError
from facesearch.search.gallery_index import IndexGoal, build_index
from indexer.errors import IndexerError
from indexer.ivf.index import IvfSqIndex
from support.failures.erasure_trial import index_of
from support.failures.trials import TOO_LONG, Trial, mutated, report_classes
from support.graphs import write_graph
from support.people_galleries import people_gallery

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
_PHOTO = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
_DIED = 3
YUNET = "yunet_2023mar.onnx"
_MOST_SECONDS = 2 * TOO_LONG


def main() -> None:
    """Run each class for its share of the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("which", nargs="?", choices=["unguarded"])
    parser.add_argument("--most", type=int)
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    random = np.random.default_rng(asked.seed)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FACESEARCH_CACHE"] = scratch
        torch.set_num_threads(1)
        classes = model_classes(Path(scratch))
        if asked.which == "unguarded":
            classes = {name: each for name, each in classes.items() if name == YUNET}
            opencv_detector.require_survived = lambda *args: None  # type: ignore[assignment]
        report_classes(
            {
                f"damage of {name}": trials(paths, use, random)
                for name, (paths, use) in classes.items()
            },
            asked.seconds,
            asked.most,
        )


def model_classes(folder: Path) -> dict[str, tuple[list[Path], Callable[[], object]]]:
    """Files of each kind of model in ``folder``, and what uses them."""
    graph = write_graph(folder / "graph.xml")
    found: dict[str, tuple[list[Path], Callable[[], object]]] = {
        "an OpenVINO IR": ([graph, graph.with_suffix(".bin")], lambda: use_graph(graph)),
    }
    for name, use in (
        (YUNET, use_yunet),
        ("scrfd_500m_bnkps.onnx", lambda path: ScrfdDetector(path).detect([_PHOTO])),
        ("mobilefacenet_foamliu.onnx", use_graph),
    ):
        if (DATA / "models" / name).exists():
            path = folder / name
            path.write_bytes((DATA / "models" / name).read_bytes())
            found[name] = ([path], lambda path=path, use=use: use(path))
    landmarks = folder / "landmarks.dat"
    landmarks.write_bytes(FIVE_POINT_MODEL.locate().read_bytes())
    found["dlib landmarks"] = (
        [landmarks], lambda: parse_shape_predictor(landmarks.read_bytes(), "landmarks")
    )  # fmt: skip
    found |= safetensors_classes(folder) | resnet_classes(folder)
    return found | index_classes(folder)


def index_classes(folder: Path) -> dict[str, tuple[list[Path], Callable[[], object]]]:
    """An index by cells, of which nobody compares the digest: as one that was made to do harm."""
    gallery = people_gallery(folder / "indexed", people=6, each=4)
    with index_of("cells"):
        build_index(gallery, IndexGoal(recall=0.9))
    (path,) = (gallery.folder / "index").glob("cells-*.safetensors")
    queries = gallery.vectors(gallery.state().live_ids())

    def search() -> None:
        IvfSqIndex.open(path, threads=1).search(queries, 5)

    search()  # compiled here, so that no fork has to
    return {"a crafted index": ([path], search)}


def safetensors_classes(folder: Path) -> dict[str, tuple[list[Path], Callable[[], object]]]:
    """Weights of a trained encoder."""
    path = folder / "trained.safetensors"
    # In a fork: threads that torch starts here would not be in those that come.
    assert in_child(lambda: export_weights(facenet_small().state_dict(), path)) == ""
    return {"safetensors weights": ([path], lambda: read_weights(path))}


def resnet_classes(folder: Path) -> dict[str, tuple[list[Path], Callable[[], object]]]:
    """dlib's encoder."""
    path = folder / "resnet.dat"
    path.write_bytes(encoder_spec("dlib-resnet-v1").weights.locate().read_bytes())
    return {"dlib encoder": ([path], lambda: read_dlib_resnet(path.read_bytes(), "resnet"))}


def use_yunet(path: Path) -> None:
    """Find faces, as with ``--detector``."""
    opencv_detector.OpenCvYuNetDetector(path).detect([_PHOTO])


def use_graph(path: Path) -> None:
    """Read a graph and ask what it is, as ``encoders add`` does first."""
    graph_facts(read_graph(path, companion_of(path)), path)


def trials(
    paths: list[Path], use: Callable[[], object], random: np.random.Generator
) -> Iterator[Trial]:
    """Random damage of one of the files: using them works, or is an error that is meant."""
    whole = [path.read_bytes() for path in paths]

    def trial() -> str:
        number = int(random.integers(len(paths)))
        paths[number].write_bytes(mutated(whole[number], random))
        try:
            return in_child(use)
        finally:
            paths[number].write_bytes(whole[number])

    while True:
        yield trial


def in_child(use: Callable[[], object]) -> str:
    """What went wrong in a fork that did it: "" where it worked or raised what is meant."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        signal.alarm(_MOST_SECONDS)
        code = 0
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            use()
        except (FacesearchError, IndexerError):
            pass
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}"[:300].encode("utf-8", "replace"))
            code = _DIED
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"died of signal {os.WTERMSIG(status)}"
    return text


if __name__ == "__main__":
    main()
