"""A clustering in sentences and tables: the people found, the threshold, what changed and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facesearch.cli.output import print_facts, print_table, size_text
from facesearch.text import count

if TYPE_CHECKING:
    from facesearch.clustering.person_matching import PeopleChanges
    from facesearch.clustering.run_store import ClusterRun, RunInfo

_MOVES_SHOWN = 10
_MANY_FACES = 30
_THRESHOLD = {
    "given": "as given",
    "encoder": "the encoder's default, as there are too few different people here to choose one",
    "encoder, in partitions": "the encoder's default; partitions learn none from the gallery",
}


def print_run(run: ClusterRun) -> None:
    """Print what a run found, how, and where it is saved."""
    import numpy as np

    labels = run.clustering.labels
    sizes = np.bincount(labels[labels >= 0], minlength=run.clustering.count)
    several = count(int((sizes > 1).sum()), "person", "people")
    alone, unsure = int((sizes == 1).sum()), int((labels < 0).sum())
    print(
        f"Found {several} with two or more faces among {count(len(labels), 'face')}; "
        f"{_faces_are(alone)} alone, {_faces_are(unsure)} unsure.\n"
    )
    print_facts(
        [
            ("people with a single face", f"{alone:,}"),
            ("faces of the largest person", f"{int(sizes.max(initial=0)):,}"),
            ("faces without a person", f"{unsure:,}"),
        ]
    )
    print(f"\nThreshold: {_threshold_text(run)}.")
    print(f"Method: {method_text(run)}.")
    print(_scope_text(run.how))
    if run.how.partitions:
        print(_partitions_text(run.how))
    print(f"Saved to {run.path}.")


def _threshold_text(run: ClusterRun) -> str:
    if run.threshold is None:
        return "none"
    rule = run.how.merge_rule
    if rule is not None:
        large = _MANY_FACES
        return (
            f"{run.threshold:.3f} between two single faces, {rule.distance(1, large):.3f} between "
            f"a face and a person of {large}, {rule.distance(large, large):.3f} between two such "
            "groups: up to there faces that meet in this gallery are more likely one person than "
            "two"
        )
    source = run.how.threshold_from
    if source == "encoder" and run.how.partitions:
        source = "encoder, in partitions"
    return f"{run.threshold:.3f}, {_THRESHOLD.get(source, source)}"


def _faces_are(number: int) -> str:
    return f"{count(number, 'face')} {'is' if number == 1 else 'are'}"


def method_text(run: ClusterRun) -> str:
    """The method, its linkage, and the pairs of faces that it looked at."""
    how = run.how
    name = "HDBSCAN" if run.method == "hdbscan" else f"{how.linkage} linkage"
    if not how.graph:
        return f"{name} over all pairs of faces"
    recall = "" if how.edge_recall == 1 else f" (recall {how.edge_recall:.3f})"
    return f"{name} over the nearest neighbours of each face{recall}"


def _scope_text(how: RunInfo) -> str:
    """Whether the run built on the one before, and why or why not."""
    if how.full:
        return f"All faces were clustered: {how.why}."
    return f"This run built on the previous one: {how.why}."


def _partitions_text(how: RunInfo) -> str:
    """What the partitions took, of those who worked on them."""
    parts = count(how.partitions, "partition")
    return f"Merged in {parts}; each worker held about {size_text(how.worker_bytes)} of it."


def print_changes(changes: PeopleChanges) -> None:
    """Print what changed for the people of the previous run, the largest moves first."""
    if changes == type(changes)(born=changes.born):
        return  # there were no people before
    facts = (
        ("people kept", changes.kept),
        ("people new", changes.born),
        ("people back from earlier runs", changes.returned),
        ("people split off", changes.count("split")),
        ("people merged into others", changes.count("merge")),
        ("people gone", len(changes.gone)),
        ("faces that joined a person", changes.joined),
        ("faces that moved to another person", changes.moved),
        ("faces that lost their person", changes.left),
    )
    if changes == type(changes)(kept=changes.kept):
        print("\nNo person changed since the previous run.")
        return
    print("\nChanges since the previous run:")
    print_facts([(f"  {name}", f"{value:,}") for name, value in facts if value])
    moves = sorted(changes.moves, key=lambda each: -each.faces)[:_MOVES_SHOWN]
    if moves:
        print()
        print_table(
            ("change", "from", "to", "faces", "reason"),
            [(m.kind, f"p{m.source}", f"p{m.target}", m.faces, m.reason) for m in moves],
        )
    if len(changes.moves) > len(moves):
        print(f"and {len(changes.moves) - len(moves)} more; --json lists all")


def why_inexact(how: RunInfo, gallery: Path) -> str:
    """Why single linkage may have missed a pair, and what to do."""
    if how.edge_recall == 1:
        return (
            "single linkage is approximate here: some faces may have more neighbours within the "
            "threshold than the graph holds; choose a smaller threshold, or a graph with more "
            f"neighbours: facesearch graph {gallery} -k K"
        )
    delete = f", delete {gallery / 'graph.h5'}" if how.graph == "kept" else ""
    return (
        f"single linkage is approximate here: the graph holds {how.edge_recall:.3%} of the "
        f"nearest neighbours; for all of them run: facesearch build {gallery} --recall 1{delete}, "
        f"then facesearch graph {gallery}; --min-quality 0 includes faces of low quality"
    )
