"""False accepts within groups of people, encoder beside encoder, from reports of the command.

    facesearch evaluate slices FOLDER --encoder NAME --json > REPORT.json
    python -m benchmarks.recognition.slices SET=REPORT.json ...

Each report is one encoder on one set. The threshold is the encoder's for identification, which
promises that one in 10,000 pairs of different people is taken for one person.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.common.record import record

USE = "identification"


def read_report(path: Path) -> tuple[str, dict[str, Any]]:
    """The encoder of a report, and its figures for each slice at the threshold."""
    report = json.loads(path.read_text(encoding="utf-8"))
    contract = report["conditions"]["contract"]
    slices = []
    threshold = None
    for each in report["result"]["slices"]:
        rate = next(rate for rate in each["rates"] if rate["use"] == USE)
        threshold = rate["threshold"]
        slices.append(
            {
                "kind": each["kind"],
                "name": each["name"],
                "photos": each["photos"],
                "different_pairs": each["different_pairs"],
                "false_accepts": rate["false_accepts"],
                "far": rate["far"],
            }
        )
    facts = {
        "weights_sha256": contract["weights_sha256"],
        "numerics": contract["numerics"],
        "detector": contract["detector"],
        "threshold": threshold,
        "photos": report["conditions"]["photos"],
        "without_face": report["conditions"]["without_face"],
        "slices": slices,
    }
    return contract["name"], facts


def main() -> None:
    """Collect and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", metavar="SET=REPORT.json")
    sets: dict[str, dict[str, Any]] = {}
    for each in parser.parse_args().reports:
        name, _, path = each.partition("=")
        encoder, facts = read_report(Path(path))
        sets.setdefault(name, {})[encoder] = facts
    print(record("slices", {"use": USE, "sets": sets}))


if __name__ == "__main__":
    main()
