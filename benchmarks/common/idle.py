"""Timings hold for an idle machine: scripts that take some begin on no other, unless asked to."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from indexer.runtime.cores import available_cores

MOST_LOAD = 0.5  # processes at work for each core, in the minute before

_state: dict[str, Any] = {}


class TimingParser(argparse.ArgumentParser):
    """The parser of a script that takes times, with the option ``--busy``.

    Without it, parsing ends the script where the load of the last minute is above
    :data:`MOST_LOAD` for each core. What it was goes into the result (:func:`conditions`).
    """

    def __init__(self, documentation: str | None) -> None:
        super().__init__(description=(documentation or "").partition("\n")[0])
        self.add_argument(
            "--busy",
            action="store_true",
            help="take times although other work is being done; the result says so",
        )

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; another load than an idle machine's is a mistake."""
        parsed, rest = super().parse_known_args(args, namespace)
        load, most = os.getloadavg()[0], MOST_LOAD * available_cores()
        if load > most and not parsed.busy:
            self.error(
                f"expected an idle machine, with a load of at most {most:g}, got {load:.2f}: stop "
                "other work, wait a minute and start again; or give --busy, and the result says so"
            )
        _state.update(load_before=round(load, 2), busy=load > most or _state.get("busy", False))
        del parsed.busy  # scripts record their options
        return parsed, rest


def conditions() -> dict[str, Any]:
    """``load_before`` the run, and whether the machine was ``busy``; empty where no one asked."""
    return dict(_state)


def keep(machine: dict[str, Any]) -> None:
    """Say ``busy`` of what is recorded from now on if the kept runs of ``machine`` were."""
    if machine.get("busy"):
        _state["busy"] = True
