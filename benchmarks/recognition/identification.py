"""Who is this, and is it anybody: the rule of a person's distance, and rates that hold.

    python -m benchmarks.recognition.identification rules --cache DIR [options of the engine]
    python -m benchmarks.recognition.identification rates --cache DIR [options of the engine]

Results are ``identity_rules`` and ``identity_rates``.

Rules: people of LFW View 1's training half are enrolled with 2, 3, 5 or 10 photos each, and FNIR at
FPIR 1% and 0.1% is measured as facesearch/evaluate/identification.py does. The rule with the lowest
mean FNIR at 1% is chosen; View 1's other half, other people, reports.

Rates: LFW's people are split in halves at random. Of the first, some are enrolled with at most 3
photos, and all its other photos are what the gallery holds besides, clustered at the encoder's
threshold. A threshold is learnt from that alone, and one photo of each person of the second half is
searched for: none is enrolled, so the share that is taken for somebody should be the rate that was
promised. LFW has people under two names, so the same is done without those (``doubles``).
``benchmarks.recognition.identification_made`` does it on made galleries, which may be larger.
``ways`` are what is learnt from: "people" enrolled alone, "people, clusters" as facesearch
calibrate does, and "clusters as they come", without regard to what merged.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from cluster.linkage.average_linkage import average_linkage, cut
from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.encoders import thresholds_of
from facesearch.evaluate.datasets.embed_dataset import DatasetEmbedOptions, embed_photos
from facesearch.evaluate.datasets.labelled_photos import read_folder
from facesearch.recognition.templates import RULE
from indexer.errors import TooFewImpostorsError
from indexer.open_set.group_distances import GroupRule, VectorGroups
from indexer.open_set.threshold import (
    ImpostorSample,
    clopper_pearson,
    open_set_threshold,
    search_each_other,
    search_strangers,
)
from indexer.runtime.cores import available_cores

RULES = ("nearest-1", "nearest-2", "nearest-3", "nearest-5", "template")
ENROLLED = (2, 3, 5, 10)
RATES = (0.01, 0.001)
SIZES = (10, 100, 1000, 2500)
MOST_FACES = 3
REPEATS = 5
SEED = 0

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class ProbeFaces:
    """Vectors float32 (n, d) and whose they are, int64 (n,)."""

    vectors: NDArray[np.float32]
    people: Labels

    def of(self, people: Labels) -> ProbeFaces:
        """The faces of ``people``."""
        return self.at(np.flatnonzero(np.isin(self.people, people)))

    def at(self, rows: NDArray[np.intp]) -> ProbeFaces:
        return ProbeFaces(self.vectors[rows], self.people[rows])


def main() -> None:
    """Measure one of both, record."""
    data = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("rules", "rates"))
    parser.add_argument("--data", type=Path, default=data, help="folder with images/")
    parser.add_argument("--cache", type=Path, required=True, help="outside the repository")
    add_engine_options(parser)
    args = parser.parse_args()
    cores = available_cores()
    engine = engine_options(args).create(callers=cores)
    labelled = read_folder(args.data / "images")
    options = DatasetEmbedOptions(decoders=1, threads=cores, cache=args.cache)
    (embedded,) = embed_photos(engine, labelled.root, labelled.paths, options=options)
    usable = embedded.usable("reject")
    faces = ProbeFaces(embedded.vectors[usable], labelled.person_numbers[usable])
    about = {
        "people": len(np.unique(faces.people)),
        "contract": dataclasses.asdict(engine.contract),
        "seed": SEED,
        "repeats": REPEATS,
    }
    defaults = thresholds_of(engine.contract)
    if args.what == "rules":
        names = np.unique(np.array(labelled.people))
        training = np.flatnonzero(np.isin(names, read_people(args.data / "peopleDevTrain.txt")))
        result = choose_rule(faces, training, defaults.identification)
    else:
        result = measure_rates(faces, defaults.cluster)
    print(record(f"identity_{args.what}", {**about, **result}))


def choose_rule(faces: ProbeFaces, training: Labels, default: float) -> dict[str, Any]:
    """The rules on the people ``training``, which choose, and on all others, who report."""
    others = np.setdiff1d(faces.people, training)
    choosing = compare_rules(faces.of(training), default)
    return {
        "data": "LFW View 1, training half to choose, test half to report",
        "choosing": choosing,
        "reporting": compare_rules(faces.of(others), default),
        "chosen": best_rule(choosing),
        "used": str(RULE),
    }


def measure_rates(faces: ProbeFaces, merged: float) -> dict[str, Any]:
    """Promised and observed rates on LFW, with and without doubles."""
    doubled = doubles(faces)
    single = faces.of(np.setdiff1d(faces.people, doubled))
    return {
        "data": "LFW, deep-funneled",
        "doubles": len(doubled),
        "lfw": pooled(lfw_rates(faces, merged)),
        "lfw_without_doubles": pooled(lfw_rates(single, merged)),
    }


def read_people(path: Path) -> list[str]:
    """The names in a list of LFW's people: a count, then a name and its photos a line."""
    return [line.split()[0] for line in path.read_text().splitlines()[1:] if line.strip()]


def compare_rules(faces: ProbeFaces, default: float) -> dict[str, Any]:
    """Mean and standard error over the draws of every rule's rates, by photos enrolled."""
    sizes = np.bincount(faces.people)
    result: dict[str, Any] = {}
    for enrol in ENROLLED:
        runs: dict[str, list[dict[str, float]]] = {rule: [] for rule in RULES}
        for repeat in range(REPEATS):
            rng = np.random.default_rng([SEED, enrol, repeat])
            drawn = (sizes > enrol) & (rng.random(len(sizes)) < 0.5)
            taken = drawn_rows(faces, np.flatnonzero(drawn), enrol, rng)
            enrolled = faces.at(taken)
            others = faces.at(np.setdiff1d(np.arange(len(faces.people)), taken))
            mated = others.of(enrolled.people)
            strangers = others.of(np.setdiff1d(others.people, enrolled.people))
            for rule in RULES:
                runs[rule].append(rates_of(rule, enrolled, mated, strangers, default))
        result[str(enrol)] = {rule: summary(each) for rule, each in runs.items()}
        print("rules", enrol, result[str(enrol)], file=sys.stderr)
    return result


def drawn_rows(
    faces: ProbeFaces, people: Labels, most: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Rows of at most so many drawn faces of each of ``people``."""
    order = rng.permutation(len(faces.people))
    order = order[np.argsort(faces.people[order], kind="stable")]
    ordered = faces.people[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return np.asarray(order[np.isin(ordered, people) & (rank < most)])


def rates_of(
    rule: str, enrolled: ProbeFaces, mated: ProbeFaces, strangers: ProbeFaces, default: float
) -> dict[str, float]:
    """Misses at rank 1 and at each FPIR, and both rates at the encoder's default threshold."""
    names, groups = np.unique(enrolled.people, return_inverse=True)
    searched = VectorGroups(enrolled.vectors, groups, GroupRule.parse(rule))
    found, false = (searched.nearest_two(each.vectors) for each in (mated, strangers))
    right = names[found.groups[:, 0]] == mated.people
    near = np.sort(false.distances[:, 0])
    result = {"rank_1_misses": float(1 - right.mean())}
    for rate in RATES:
        beyond = near[int(rate * len(near))]
        result[f"fnir_at_{rate}"] = float(1 - (right & (found.distances[:, 0] < beyond)).mean())
    result["default_fpir"] = float((near <= default).mean())
    result["default_fnir"] = float(1 - (right & (found.distances[:, 0] <= default)).mean())
    return result


def summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard error of every figure."""
    return {
        name: {
            "mean": round(float(np.mean([run[name] for run in runs])), 5),
            "standard_error": round(
                float(np.std([run[name] for run in runs], ddof=1) / np.sqrt(len(runs))), 5
            ),
        }
        for name in runs[0]
    }


def best_rule(rules: dict[str, Any]) -> str:
    """The rule with the lowest mean FNIR at the first rate over all numbers of photos."""
    name = f"fnir_at_{RATES[0]}"
    return min(RULES, key=lambda rule: sum(each[rule][name]["mean"] for each in rules.values()))


@dataclass(frozen=True)
class Rate:
    """A threshold learnt in some way, and how many searches for strangers it gave somebody."""

    enrolled: int
    fpir: float
    way: str
    method: str
    threshold: float
    low: float
    high: float
    false: int
    searches: int


def doubles(faces: ProbeFaces) -> Labels:
    """People with a photo nearer to another person than nearly all are to their own.

    Nearer to another's template than the nearest 5% of people's first photos are to the template
    of their others: one person under two names, most likely, or a photo under the wrong one. With
    such in the data no threshold can have a rate below their share.
    """
    order = np.argsort(faces.people, kind="stable")
    faces = faces.at(order)
    names, groups = np.unique(faces.people, return_inverse=True)
    first = np.searchsorted(faces.people, names)
    rest = np.setdiff1d(np.arange(len(groups)), first)
    several, others = np.unique(groups[rest], return_inverse=True)
    same_person = VectorGroups(faces.vectors[rest], others, RULE).distances(
        faces.vectors[first[several]]
    )
    near = np.quantile(np.diagonal(same_person), 0.05)
    found = VectorGroups(faces.vectors, groups, RULE).nearest_two(faces.vectors, without=groups)
    close = found.distances[:, 0] < near
    return np.union1d(names[groups[close]], names[found.groups[close, 0]])


def lfw_rates(faces: ProbeFaces, merged: float) -> Iterator[Rate]:
    """Rates at every size, on new random halves."""
    for repeat in range(REPEATS):
        rng = np.random.default_rng([SEED, repeat])
        people = rng.permutation(np.unique(faces.people))
        half = len(people) // 2
        holds, strangers = faces.of(people[:half]), faces.of(people[half:])
        linkage = average_linkage(holds.vectors, stop=merged)
        labels = cut(linkage, len(holds.people), merged).astype(np.int64)
        asked = strangers.at(drawn_rows(strangers, people[half:], 1, rng))
        for size in SIZES:
            taken = drawn_rows(holds, people[:size], MOST_FACES, rng)
            yield from rates_at(holds, labels, taken, asked, merged)
        print("rates on LFW", repeat, file=sys.stderr)


def rates_at(
    holds: ProbeFaces, clusters: Labels, taken: NDArray[np.intp], asked: ProbeFaces, merged: float
) -> Iterator[Rate]:
    """Every way and rate with the faces ``taken`` enrolled in a gallery that ``holds`` these."""
    enrolled = holds.at(taken)
    groups = np.unique(enrolled.people, return_inverse=True)[1].astype(np.int64)
    searched = VectorGroups(enrolled.vectors, groups, RULE)
    unknown = np.flatnonzero(~np.isin(clusters, clusters[taken]))
    vectors, labels = holds.vectors[unknown], clusters[unknown]
    mutual = search_each_other(enrolled.vectors, groups, RULE)
    ways: dict[str, list[ImpostorSample]] = {
        "people": [mutual],
        "people, clusters": [mutual, search_strangers(searched, vectors, labels, merged)],
        "clusters as they come": [search_strangers(searched, vectors, labels)],
    }
    false = searched.nearest_two(asked.vectors).distances[:, 0]
    for way, samples in ways.items():
        for fpir in RATES:
            try:
                found = open_set_threshold(samples, len(searched), fpir)
            except TooFewImpostorsError:
                continue
            events = int((false <= found.threshold).sum())
            kept = (found.method, found.threshold, found.low, found.high)
            yield Rate(len(searched), fpir, way, *kept, events, len(false))


def pooled(rates: Iterator[Rate]) -> list[dict[str, Any]]:
    """The repeats of each size, rate and way together, and the figures of each."""
    runs: dict[tuple[int, float, str], list[Rate]] = {}
    for rate in rates:
        runs.setdefault((rate.enrolled, rate.fpir, rate.way), []).append(rate)
    rows = []
    for (enrolled, fpir, way), each in sorted(runs.items()):
        false, searches = sum(run.false for run in each), sum(run.searches for run in each)
        rows.append(
            {
                "enrolled": enrolled,
                "fpir": fpir,
                "way": way,
                "method": each[0].method,
                "observed": round(false / searches, 6),
                # Repeats share people, so this is narrower than new people would make it.
                "observed_interval": [round(x, 6) for x in clopper_pearson(false, searches)],
                "promise_within_interval": sum(within(fpir, run) for run in each) / len(each),
                "intervals_meet": sum(meet(run) for run in each) / len(each),
                "runs": [
                    {
                        "threshold": round(run.threshold, 5),
                        "interval": [round(run.low, 6), round(run.high, 6)],
                        "false": run.false,
                        "searches": run.searches,
                    }
                    for run in each
                ],
            }
        )
        print({name: value for name, value in rows[-1].items() if name != "runs"})
    return rows


def within(fpir: float, run: Rate) -> bool:
    """Whether what was promised is in the interval of what was observed."""
    low, high = clopper_pearson(run.false, run.searches)
    return low <= fpir <= high


def meet(run: Rate) -> bool:
    """Whether the interval that was stated and that of what was observed have a rate in common."""
    low, high = clopper_pearson(run.false, run.searches)
    return low <= run.high and run.low <= high


if __name__ == "__main__":
    main()
