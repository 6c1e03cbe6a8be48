"""``train`` and ``crops`` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facesearch.cli.main import main
from facesearch.encoders.facenet_small.weights import read_weights
from support.crops import crop_file

CONFIG = """
output = "run"
crops = [{file = "crops.h5"}]
loss = [{kind = "triplet"}]
network = {side = 48}
run = {steps = 2, threads = 1, precision = "fp32", log_every = 1}
batch = {kind = "identities", size = 6, piece = 6}
validation = {share = 0.3, every = 2}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    crop_file(tmp_path / "crops.h5", people=8)
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def test_a_run_shows_progress_and_says_where_its_weights_are(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(config), "--json"]) == 0
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in err.splitlines()] == ["step 1", "step 2"]
    facts = json.loads(out)
    assert facts["steps"] == 2
    assert read_weights(Path(facts["weights"])).network.dimension == 128
    # Started again it is done already, and says so.
    assert main(["train", str(config)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "weights" in out


def test_compatible_training_mixes_the_old_vectors(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(config), "--compatible-with", "teacher"]) == 0
    assert "old_cosine" in (config.parent / "run" / "progress.csv").read_text()
    assert main(["train", str(config), "--compatible-with", "other"]) == 2
    assert "no vectors of 'other'" in capsys.readouterr().err


def test_what_is_wrong_in_a_configuration_is_said(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(CONFIG.replace("triplet", "triple"))
    assert main(["train", str(config)]) == 2
    assert "loss.kind: expected one of distillation" in capsys.readouterr().err


def test_crops_does_not_write_over_a_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crops", str(config.parent), str(config.parent / "crops.h5")]) == 2
    assert "exists; delete it" in capsys.readouterr().err
