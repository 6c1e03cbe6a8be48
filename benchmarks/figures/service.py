"""Tables of docs/service.md and docs/web.md: the service under load, and its web application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.common.markdown import measured_on, result, table


def service_load() -> str:
    """Searches a second by the number of clients, beside a peer, and while photos are indexed."""
    data = result("service_load")
    peer = data["faiss_behind_fastapi"]
    indexing = data["while_indexing"]
    name = f"FAISS {peer['index']} behind FastAPI"
    kinds = (
        ("the service", data["loads"]),
        ("the service while it indexes photos", indexing["loads"]),
        (name, peer["loads"]),
    )
    rows = [_load(kind, each) for kind, loads in kinds for each in loads]
    head = ("", "clients", "searches a second", "half answered within, ms", "99 of 100 within, ms")
    rate = indexing["indexed_photos"] / indexing["seconds"]
    return (
        f"{measured_on(data)} {data['faces']:,} faces; the 10 nearest of a face of the gallery. "
        f"The service searches exactly; FAISS finds {peer['recall_at_10']:.1%} of them.\n\n"
        f"{table(head, rows)}\n\nMeanwhile the job indexed {rate:.0f} photos a second."
    )


def service_memory() -> str:
    """The memory of the service before and after many requests."""
    memory = result("service_load")["memory"]
    sizes = memory["megabytes"]
    return (
        f"{memory['requests']:,} requests of eight kinds: {sizes[0]:,.0f} MiB before, "
        f"{sizes[1]:,.0f} after a tenth of them, {sizes[-1]:,.0f} after all."
    )


def service_commands() -> str:
    """How long commands take, started and ended, by the service and without."""
    commands = result("service_load")["commands"]
    starting = commands["--version"]["median_ms"]
    rows = [
        [name, f"{each['service_median_ms']:.0f}", f"{each['alone_median_ms']:,.0f}"]
        for name, each in commands.items()
        if name != "--version"
    ]
    head = ("command", "by the service, ms", "without it, ms")
    return (
        f"{table(head, rows)}\n\nMedians of whole processes; of each, {starting:.0f} ms are the "
        "start of Python and of the command."
    )


def _load(kind: str, load: Any) -> Sequence[str]:
    return [
        kind,
        f"{load['clients']}",
        f"{load['per_second']:,.0f}",
        f"{load['p50_ms']:.1f}",
        f"{load['p99_ms']:.1f}",
    ]


def naming_effort() -> str:
    """What it takes to name ten people in the web application, and by commands."""
    data = result("naming_effort")
    names = data["application"]["names"]
    rows = [
        [how, str(each["keys"]), str(each["clicks"]), f"{each['keys'] / names:.1f}"]
        for how, each in (
            ("in the web application", data["application"]),
            ("by commands", data["commands"]),
        )
    ]
    return (
        table(("", "keys", "clicks", "keys a person"), rows)
        + f"\n\nThe {names} names have {data['letters']} letters and spaces."
    )


def web_speed() -> str:
    """How soon a large gallery is there in the browser, and how smoothly its lists scroll."""
    data = result("web_speed")
    median = data["median"]
    rows = [
        [
            words,
            f"{median[f'{name}_frame_p50']:.1f}",
            f"{median[f'{name}_frame_p99']:.1f}",
            f"{median[f'{name}_long_tasks']:.0f}",
            f"{median[f'{name}_end_shown']:.0f}",
            f"{median[f'{name}_end_requests']:.0f}",
        ]
        for words, name in (("people", "people"), ("faces of nobody", "faces"))
    ]
    head = (
        "list", "frame, ms", "99 of 100 frames, ms", "tasks over 50 ms", "end shown after, ms",
        "requests for it",
    )  # fmt: skip
    return (
        f"After {median['painted']:.0f} ms something is painted, after "
        f"{median['people_shown']:.0f} ms the first people are shown; at most "
        f"{median['elements']:,.0f} elements are in it.\n\n"
        + table(head, rows)
        + f"\n\n{data['people']:,} people, {data['faces']:,} faces, of these "
        f"{data['faces_of_nobody']:,} of nobody; scrolled a step of 120 pixels a frame."
    )
