"""The figures of each protocol that are worth reading, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from facesearch.evaluate.all_pairs import AllPairs, ValidationRate
from facesearch.evaluate.clustering import ClusteringScores, ClusteringStudy
from facesearch.evaluate.degradation import Degradation
from facesearch.evaluate.identification import IdentificationResult
from facesearch.evaluate.presentation.report import Table
from facesearch.evaluate.robustness import Robustness
from facesearch.evaluate.slices import SliceStudy
from facesearch.evaluate.verification import Estimate
from facesearch.evaluate.verification_metrics import PairFigures

_INTERVALS = (
    "In brackets the 95 % interval of bootstrap draws of the pairs; pairs that share a person "
    "depend on each other, so it is somewhat too narrow."
)
_CMC_RANKS = (1, 2, 5, 10, 20, 50)


def pair_tables(figures: PairFigures, missing: int) -> tuple[Table, ...]:
    """Verification on a list of pairs, ``missing`` of which lack a face."""
    rows = [
        ("same pairs", f"{figures.same_pairs:,}"),
        ("different pairs", f"{figures.different_pairs:,}"),
        ("pairs without two faces, never accepted", str(missing)),
    ]
    if figures.folds is not None:
        mean, error = figures.folds.mean, figures.folds.standard_error
        label = f"accuracy, mean of {len(figures.folds.accuracies)} folds +- standard error"
        rows.append((label, f"{mean:.4f} +- {error:.4f}"))
    if figures.at_threshold is not None:
        at = figures.at_threshold
        label = f"accuracy at the threshold {at.threshold:.4g}, chosen elsewhere"
        rows.append((label, f"{at.accuracy:.4f} (TAR {at.tar:.4f}, FAR {at.far:.4f})"))
    rows += [
        ("accuracy at the best threshold for these pairs", f"{figures.best_accuracy:.4f}"),
        ("area under ROC (AUC)", estimate_text(figures.area_under_roc)),
        ("equal error rate (EER)", estimate_text(figures.equal_error_rate)),
    ]
    points = tuple(
        (
            f"{at.far:g}",
            f"{at.threshold:.4f}",
            estimate_text(at.tar),
            "yes" if at.resolved else _unresolved(figures.different_pairs, at.far, "pairs"),
        )
        for at in figures.tar_at_far
    )
    header = ("FAR at most", "threshold", "TAR", "resolved")
    return (
        Table("Verification", ("figure", "value"), tuple(rows), _INTERVALS),
        Table("TAR at fixed FAR", header, points),
    )


def slice_tables(study: SliceStudy) -> tuple[Table, ...]:
    """A table for each threshold: every slice's rate beside that of all."""
    note = "Rates are of all pairs within the slice; in brackets their 95 % interval (Wilson)."
    if study.distinct:
        note += " Nothing says who is who: each photo was taken for another person's."
    header = ("kind", "slice", "photos", "pairs", "false accepts", "FAR", "to all", "TAR")
    tables = []
    for column, rate in enumerate(study.slices[0].rates):
        rows = []
        for each in study.slices:
            at, base = each.rates[column], rate.far
            rows.append(
                (
                    each.kind,
                    each.name,
                    f"{each.photos:,}",
                    f"{each.different_pairs:,}",
                    f"{at.false_accepts:,}",
                    f"{at.far:.2g} ({at.low:.2g} to {at.high:.2g})",
                    f"{at.far / base:.2g} times" if base else "",
                    "" if at.tar is None else f"{at.tar:.3f}",
                )
            )
        title = f"Different people accepted at the {rate.use} threshold {rate.threshold:.4g}"
        tables.append(Table(title, header, tuple(rows), note))
    return tuple(tables)


def all_pairs_tables(result: AllPairs) -> tuple[Table, ...]:
    """VAL at FAR over all pairs."""
    title = (
        f"VAL over all {result.same_pairs:,} same and {result.different_pairs:,} different pairs"
    )
    header = ("FAR at most", "threshold", "VAL", "measured FAR", "resolved")
    tables = [Table(title, header, tuple(_rate_row(at, result) for at in result.at_far))]
    if result.at_thresholds:
        rows = tuple(_rate_row(at, result)[1:4] for at in result.at_thresholds)
        tables.append(Table("At the encoder's own thresholds", header[1:4], rows))
    return tuple(tables)


def identification_tables(found: IdentificationResult) -> tuple[Table, ...]:
    """FNIR at FPIR and the CMC, means over the splits."""
    first = found.splits[0]
    rows = []
    for number, at in enumerate(first.fnir):
        mean, deviation = found.fnir(number)
        fewest = min(split.non_mated for split in found.splits)
        resolved = all(split.fnir[number].resolved for split in found.splits)
        rows.append(
            (
                f"{at.fpir:g}",
                f"{mean:.4f} +- {deviation:.4f}",
                "yes" if resolved else _unresolved(fewest, at.fpir, "searches"),
            )
        )
    note = (
        f"Mean +- standard deviation over {len(found.splits)} splits; in the first, "
        f"{first.people:,} people with {first.templates:,} photos are enrolled (up to "
        f"{found.enrol} each; {first.not_enrolled} people show no face), {first.mated:,} "
        f"searches are mated and {first.non_mated:,} not."
    )
    ranks = [rank for rank in _CMC_RANKS if rank <= len(found.cmc)]
    cmc = tuple((str(rank), f"{found.cmc[rank - 1]:.4f}") for rank in ranks)
    return (
        Table("FNIR at fixed FPIR", ("FPIR at most", "FNIR", "resolved"), tuple(rows), note),
        Table("Cumulative match characteristic", ("rank", "share of mated searches"), cmc),
    )


def clustering_tables(study: ClusteringStudy) -> tuple[Table, ...]:
    """Scores at the settings chosen elsewhere, and over the sweep."""
    title = f"Clusters of {study.photos:,} photos of {study.people:,} people"
    best = max(study.sweep, key=lambda each: each.bcubed.f)
    note = (
        f"The best BCubed F of the sweep is {best.bcubed.f:.4f}, at {best.threshold:.4g}. That "
        "threshold was chosen on the photos it is reported on, so it says what a threshold could "
        "give at most, and is not blind."
    )
    return (
        _cluster_table(title, study.chosen),
        _cluster_table("Average linkage over thresholds", study.sweep, note),
    )


def robustness_tables(result: Robustness) -> tuple[Table, ...]:
    """VAL of each degradation."""
    rows = tuple(
        (
            degradation_text(row.degradation, result.of),
            f"{row.validation_rate:.4f}",
            f"{row.threshold:.4f}",
            f"{row.kept_validation_rate:.4f}",
            f"{row.kept_far:.2g}",
            str(row.missing),
        )
        for row in result.rows
    )
    note = (
        f"{result.same_pairs:,} same and {result.different_pairs:,} different pairs. VAL is at a "
        "threshold of that FAR on the photos made worse; kept is the threshold of the photos as "
        "they are, with the FAR it then has. A photo without a face matches nothing."
    )
    if not result.resolved:
        note += f" FAR {result.far:g}: {_unresolved(result.different_pairs, result.far, 'pairs')}."
    header = ("photos", f"VAL at FAR {result.far:g}", "threshold", "VAL, kept", "FAR, kept",
              "no face")  # fmt: skip
    return (Table("Validation rate of photos made worse", header, rows, note),)


def degradation_text(degradation: Degradation, of: str) -> str:
    """What was done, in words."""
    if degradation.kind == "jpeg":
        return f"JPEG quality {degradation.value}"
    if degradation.kind == "pixels":
        return f"{of} of at most {degradation.value:,} pixels"
    return "as they are"


def estimate_text(estimate: Estimate) -> str:
    """A figure with its interval."""
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def _rate_row(at: ValidationRate, result: AllPairs) -> tuple[str, ...]:
    return (
        f"{at.far:g}",
        f"{at.threshold:.4f}",
        f"{at.validation_rate:.4f}",
        f"{at.measured_far:.3g}",
        "yes" if at.resolved else _unresolved(result.different_pairs, at.far, "pairs"),
    )


def _unresolved(trials: int, rate: float, what: str) -> str:
    return f"no: {trials:,} such {what}, {1 / rate:,.0f} needed" if rate else "no"


def _cluster_table(title: str, scores: Sequence[ClusteringScores], note: str = "") -> Table:
    header = ("method", "threshold", "clusters", "in none", "pairwise P", "R", "F", "BCubed P", "R",
              "F", "NMI", "AMI", "ARI")  # fmt: skip
    rows = tuple(
        (
            each.method,
            "" if each.threshold is None else f"{each.threshold:.4g}",
            f"{each.clusters:,}",
            str(each.unclustered),
            *(f"{part:.4f}" for part in (each.pairwise.precision, each.pairwise.recall)),
            *(f"{part:.4f}" for part in (each.pairwise.f, each.bcubed.precision)),
            *(
                f"{part:.4f}"
                for part in (each.bcubed.recall, each.bcubed.f, each.nmi, each.ami, each.ari)
            ),
        )
        for each in scores
    )
    return Table(title, header, rows, note)
