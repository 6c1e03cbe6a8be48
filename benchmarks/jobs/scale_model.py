"""What a billion photos and ten billion faces take, from measured figures, and a simulated cluster.

    python -m benchmarks.jobs.scale_model [--core-hour 0.04] [--object-month 0.023] ...

Result: ``scale_model``; ``docs/scale.md`` shows it. The model multiplies what was measured on one
machine of two cores (results ``pipeline``, ``scale``, ``clustering_scale``, ``gallery_state``);
prices are parameters, not offers. The simulation hands shards to workers one after the other, with
files and workers of unequal speed, stragglers, and workers that fail and lose the shard they were
at; all from a seed. Nothing is measured on a cluster.
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.markdown import result
from benchmarks.common.record import record
from facesearch.gallery.schema import QUALITIES, SCHEMA
from indexer.storage.shard_format import MAX_NUMBER

SCENARIOS = ((10**6, 1.43), (10**8, 1.43), (10**9, 1.43), (10**9, 10.0))  # photos, faces in each
# Of the stages of a job those whose work grows with faces rather than with photos.
FACE_STAGES = {
    "encode",
    "align",
    "quality",
    "detect: R-Net",
    "detect: O-Net",
    "detect: crops",
}
PATH_BYTES = 120  # of a photo's folder and path
RANGE = 10**8  # faces that one machine searches: the most that was measured
EXACT_RUN, EXACT_BATCH = "made-128, 2 threads", "10000"
MEMORY_FOR_FACES = 0.9  # of a machine that searches exactly
PHOTOS_A_SHARD = 512  # by default; blocks of at most 2 GiB allow few more
GIB, MONTH_HOURS = 2**30, 730
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Prices:
    """US dollars: of a core and of a GiB of memory for an hour, of a stored GiB for a month."""

    core_hour: float = 0.04
    memory_hour: float = 0.005
    object_month: float = 0.023
    disk_month: float = 0.08


@dataclass(frozen=True)
class Hazards:
    """What goes wrong. Spreads are standard deviations of logarithms.

    A share of attempts are stragglers, slower by a factor; a worker fails after
    ``hours_to_failure`` on average, loses the shard it is at, and is back after
    ``restart_seconds``.
    """

    shard_spread: float = 0.3
    worker_spread: float = 0.1
    straggler_share: float = 0.01
    straggler_factor: float = 5.0
    hours_to_failure: float = 24.0
    restart_seconds: float = 300.0


NONE = Hazards(0.0, 0.0, 0.0, 1.0, math.inf, 0.0)


@dataclass(frozen=True)
class UnitCosts:
    """What one photo and one face take, as measured on ``cores`` cores."""

    cores: int
    memory_gib: float
    photo_core_seconds: float
    face_core_seconds: float
    photo_bytes: float
    face_bytes: float
    index_disk_bytes: float
    index_memory_bytes: float
    index_build_core_seconds: float
    range_queries_per_second: float
    linkage_core_seconds: float
    clustering_memory_bytes: float
    state_memory_bytes: float
    exact_memory_bytes: float
    exact_pairs_per_core_second: float


def unit_costs() -> UnitCosts:
    """From the committed results."""
    pipeline, scale = result("pipeline"), result("scale")
    jobs = pipeline["sets"]["mixed"]
    stages: Mapping[str, float] = jobs["milliseconds_a_photo"]
    of_faces = sum(spent for stage, spent in stages.items() if stage in FACE_STAGES) / 1000
    of_photos = sum(stages.values()) / 1000 - of_faces - stages["starting up"] / 1000
    largest = scale["runs"][str(RANGE)]
    clusters = result("clustering_scale")["ours"][-1]
    states = result("gallery_state")["runs"]["by columns"]
    photos = max(states, key=int)
    exact = result("exact_search")["runs"][EXACT_RUN]
    rate = exact["batches"][EXACT_BATCH]["certified"]["queries_per_second"]
    columns = {**SCHEMA["faces"], **QUALITIES}
    face_columns = sum(np.dtype(k.dtype).itemsize * math.prod(k.shape) for k in columns.values())
    numbers = [k for k in SCHEMA["photos"].values() if k.dtype != "bytes"]
    photo_columns = sum(np.dtype(each.dtype).itemsize for each in numbers) + 64 + PATH_BYTES
    cores = int(scale["machine"]["cores"])
    return UnitCosts(
        cores=cores,
        memory_gib=float(scale["machine"]["memory_gib"]),
        photo_core_seconds=of_photos,
        face_core_seconds=of_faces * jobs["photos"] / jobs["faces"],
        photo_bytes=photo_columns,
        face_bytes=largest["shards"]["gib"] * GIB / RANGE + face_columns,
        index_disk_bytes=largest["build"]["index_gib"] * GIB / RANGE,
        index_memory_bytes=largest["search"]["peak_mib"] * 2**20 / RANGE,
        index_build_core_seconds=cores * largest["build"]["seconds"] / RANGE,
        range_queries_per_second=largest["search"]["queries_per_second"],
        linkage_core_seconds=(clusters["seconds"]["linkage"] + clusters["seconds"]["confidence"])
        / clusters["faces"],
        clustering_memory_bytes=clusters["peak_mib"] * 2**20 / clusters["faces"],
        state_memory_bytes=states[photos]["stages"]["state"]["peak_growth_mib"][0]
        * 2**20
        / int(photos),
        exact_memory_bytes=4 * exact["dimension"] + exact["bytes_each_beside_vectors"],
        exact_pairs_per_core_second=rate * exact["count"] / exact["threads"],
    )


def estimate(photos: int, faces_each: float, unit: UnitCosts, prices: Prices) -> dict[str, Any]:
    """Work once, bytes, machines to serve, and dollars; all grow in proportion but the graph."""
    faces = photos * faces_each
    ranges = math.ceil(faces / RANGE)
    indexing = (photos * unit.photo_core_seconds + faces * unit.face_core_seconds) / 3600
    building = faces * unit.index_build_core_seconds / 3600
    # Every face asks every range; less than a range is searched as fast as a whole one.
    graph = unit.cores * faces * ranges / unit.range_queries_per_second / 3600
    linkage = faces * unit.linkage_core_seconds / 3600
    stored = (photos * unit.photo_bytes + faces * unit.face_bytes) / GIB
    index = faces * unit.index_disk_bytes / GIB
    memory = faces * unit.index_memory_bytes / GIB
    clustering = faces * unit.clustering_memory_bytes / GIB
    machine = unit.cores * prices.core_hour + unit.memory_gib * prices.memory_hour
    return {
        "photos": photos,
        "faces": faces,
        "indexing_core_hours": indexing,
        "index_build_core_hours": building,
        "graph_core_hours": graph,
        "linkage_core_hours": linkage,
        "stored_gib": stored,
        "index_gib": index,
        "search_memory_gib": memory,
        "clustering_memory_gib": clustering,
        "search_machines": ranges,
        "queries_per_second": unit.range_queries_per_second,
        "exact_search_machines": math.ceil(
            faces * unit.exact_memory_bytes / (MEMORY_FOR_FACES * unit.memory_gib * GIB)
        ),
        "exact_graph_core_hours": faces**2 / unit.exact_pairs_per_core_second / 3600,
        "once_dollars": (indexing + building + graph + linkage) * machine / unit.cores,
        "month_dollars": stored * prices.object_month
        + index * prices.disk_month
        + ranges * machine * MONTH_HOURS,
    }


def limits(unit: UnitCosts, photos_each_shard: int = PHOTOS_A_SHARD) -> list[dict[str, Any]]:
    """What one machine of the measured kind runs out of, the least first, in faces."""
    memory, faces_each = unit.memory_gib * GIB, SCENARIOS[0][1]
    month = 30 * 24 * 3600 * unit.cores
    a_face = unit.photo_core_seconds / faces_each + unit.face_core_seconds
    found = {
        "memory of clustering": memory / unit.clustering_memory_bytes,
        "memory of the gallery's state": memory / unit.state_memory_bytes * faces_each,
        "memory of the search index": memory / unit.index_memory_bytes,
        "a month of indexing": month / a_face,
        "numbers of shards": float(MAX_NUMBER) * photos_each_shard * faces_each,
    }
    ordered = sorted(found.items(), key=lambda item: item[1])
    return [{"what": what, "faces": faces} for what, faces in ordered]


@dataclass
class _Outcome:
    hours: float = 0.0
    lost_hours: float = 0.0
    failures: int = 0


class _Cluster:
    """Workers that take shards one after the other."""

    def __init__(self, workers: int, hazards: Hazards, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._hazards = hazards
        self._slowness = self._spread(hazards.worker_spread, workers)
        self._fails = self._lifetimes(workers)
        self._free = [(0.0, worker) for worker in range(workers)]
        self._lost: list[tuple[float, int]] = []  # shards of failed workers, and since when
        self._ends: dict[int, float] = {}
        self.outcome = _Outcome()

    def run(self, shards: int, seconds: float) -> _Outcome:
        """Do ``shards``, each of ``seconds`` on average."""
        needed = seconds * self._spread(self._hazards.shard_spread, shards)
        following = 0
        while following < shards or self._lost:
            at, worker = heapq.heappop(self._free)
            if self._lost and (self._lost[0][0] <= at or following >= shards):
                since, shard = heapq.heappop(self._lost)
                at = max(at, since)
            else:
                shard, following = following, following + 1
            self._attempt(shard, worker, at, needed[shard])
        self.outcome.hours = max(self._ends.values()) / 3600
        return self.outcome

    def _attempt(self, shard: int, worker: int, at: float, needed: float) -> None:
        end, fails = at + needed * self._factor(worker), self._fails[worker]
        if fails >= end:
            self._ends[shard] = end
            heapq.heappush(self._free, (end, worker))
            return
        lost = max(fails, at)
        self.outcome.failures += 1
        self.outcome.lost_hours += (lost - at) / 3600
        heapq.heappush(self._lost, (lost, shard))
        back = lost + self._hazards.restart_seconds
        self._fails[worker] = back + float(self._lifetimes(1)[0])
        heapq.heappush(self._free, (back, worker))

    def _factor(self, worker: int) -> float:
        straggles = self._random.random() < self._hazards.straggler_share
        return float(self._slowness[worker]) * (self._hazards.straggler_factor if straggles else 1)

    def _spread(self, deviation: float, count: int) -> NDArray[np.float64]:
        """Factors with mean 1."""
        return self._random.lognormal(-(deviation**2) / 2, deviation, count)

    def _lifetimes(self, count: int) -> NDArray[np.float64]:
        if math.isinf(self._hazards.hours_to_failure):
            return np.full(count, math.inf)
        return self._random.exponential(3600 * self._hazards.hours_to_failure, count)


def simulate(
    shards: int, workers: int, seconds: float, hazards: Hazards, seed: int
) -> dict[str, float]:
    """Hours until all shards are done, hours of work lost, failures, and the share of the ideal."""
    outcome = _Cluster(workers, hazards, seed).run(shards, seconds)
    ideal = shards * seconds / workers / 3600
    return {**asdict(outcome), "efficiency": ideal / outcome.hours}


def simulations(unit: UnitCosts, photos: int = 10**9) -> list[dict[str, Any]]:
    """A billion photos by workers of the measured kind, with and without what goes wrong."""
    faces_each = SCENARIOS[0][1]
    a_photo = (unit.photo_core_seconds + faces_each * unit.face_core_seconds) / unit.cores
    found = []
    for workers in (100, 1000):
        for name, hazards in (("nothing goes wrong", NONE), ("hazards", Hazards())):
            given = (photos // PHOTOS_A_SHARD, workers, PHOTOS_A_SHARD * a_photo, hazards)
            runs = [simulate(*given, seed) for seed in SEEDS]
            line = {"workers": workers, "photos_a_shard": PHOTOS_A_SHARD, "case": name}
            found.append({**line, "runs": runs})
    return found


def main() -> None:
    """Estimate, simulate, and record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for each in fields(Prices):
        words = f"--{each.name.replace('_', '-')}"
        parser.add_argument(words, type=float, default=each.default)
    prices, unit = Prices(**vars(parser.parse_args())), unit_costs()
    document = {
        "seeds": SEEDS,
        "prices": asdict(prices),
        "hazards": asdict(Hazards()),
        "unit_costs": asdict(unit),
        "estimates": [estimate(*each, unit, prices) for each in SCENARIOS],
        "limits": limits(unit),
        "simulations": simulations(unit),
    }
    print(f"recorded in {record('scale_model', document)}")


if __name__ == "__main__":
    main()
