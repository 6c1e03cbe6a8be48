"""The long run that makes facenet-small, as a committed result: its curve, its settings, its data.

    python -m benchmarks.training.distillation_run RUN [RUN ...] --crops COUNTS.json

Each RUN is a folder that ``facesearch train`` wrote, in the order in which they followed each
other; COUNTS.json says, for each source of photos, how many photos, crops, and how many of them
were left out by which rule. Nothing is trained here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.common.record import record
from facesearch.train.checkpoints import load_checkpoint
from facesearch.train.progress import read_progress
from facesearch.train.trainer import CHECKPOINT

_COLUMNS = (
    "faces", "rate", "loss", "faces_per_second", "val_at_far_1e-3", "val_teacher_cosine",
)  # fmt: skip
_ROWS = 60  # of a stage, at most


def stage(folder: Path) -> dict[str, Any]:
    """Settings and curve of one run; paths left out."""
    facts = load_checkpoint(folder / CHECKPOINT).facts
    settings = {
        name: value for name, value in facts["settings"].items() if name not in ("output", "crops")
    }
    settings["network"].pop("start")
    rows = read_progress(folder / "progress.csv")
    thin = max(1, len(rows) // _ROWS)
    judged = [row for row in rows if "val_at_far_1e-3" in row]
    shown = sorted({row["step"]: row for row in rows[::-1][::thin] + judged}.items())
    return {
        "steps": facts["step"],
        "hours": round(facts["seconds"] / 3600, 2),
        "shares": [
            {"crops": Path(each["file"]).stem, "weight": each["weight"]}
            for each in facts["settings"]["crops"]
        ],
        "settings": settings,
        "curve": [
            {"step": int(step)} | {name: row[name] for name in _COLUMNS if name in row}
            for step, row in shown
        ],
    }


def main() -> None:
    """Record the runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--crops", type=Path, required=True, metavar="COUNTS.json")
    args = parser.parse_args()
    counts = json.loads(args.crops.read_text())
    record(
        "facenet_small_training",
        {"sources": counts, "stages": [stage(folder) for folder in args.runs]},
    )


if __name__ == "__main__":
    main()
