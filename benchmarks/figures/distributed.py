"""Tables of ``docs/distributed.md``: jobs and searches on a local Ray cluster."""

from __future__ import annotations

from benchmarks.common.markdown import measured_on, result, table


def ray_index() -> str:
    """Throughput, overhead and memory by workers."""
    document = result("ray_index")
    rows = []
    for each in document["runs"]:
        plain, spread = each["one_process"], each["ray"]
        rows.append(
            [
                f"{each['workers']}",
                f"{plain['photos_per_second']:.1f}",
                f"{spread['photos_per_second']:.1f}",
                f"{each['overhead_percent']:.0f}%",
                f"{spread['start_seconds']:.0f}",
                f"{spread['memory']['largest_alone_mib']:,}",
                "none" if not each["differences"] else f"{len(each['differences'])}",
            ]
        )
    header = (
        "workers",
        "one process, photos/s",
        "Ray, photos/s",
        "overhead",
        "start, s",
        "memory of a worker, MiB",
        "rows that differ",
    )
    about = f"{document['photos']} photos; medians of {len(plain['repeats'])} runs."
    return f"{measured_on(document)} {about}\n\n{table(header, rows)}"


def ray_kill() -> str:
    """How many kills came, and what they changed."""
    document = result("ray_kill")
    kinds = [each["of"] for each in document["kills"]]
    differences = len(document["differences"])
    found = "no row is missing, twice, or another" if not differences else f"{differences} differ"
    return (
        f"{document['photos']} photos, {kinds.count('worker')} kills of a worker and "
        f"{kinds.count('driver')} of the command, at random moments: beside one process, {found}."
    )


def scatter_search() -> str:
    """One index, four parts, and three of them."""
    document = result("scatter")
    killed = document["one_part_killed"]
    rows = [
        [name, f"{each['queries_per_second']:,.0f}", f"{each['single_ms']:.1f}", memory]
        for name, each, memory in (
            ("one index", document["one_index"], f"{document['one_index']['peak_mib']:,}"),
            (
                f"{document['parts']} parts",
                document["scattered"],
                f"{document['scattered']['largest_part_peak_mib']:,}",
            ),
            ("one of them killed", killed, ""),
        )
    ]
    header = ("", "queries/s in a batch", "one query, ms", "largest process, MiB")
    lost = (
        f"After the kill the first answer took {killed['first_answer_seconds']:.2f} s, and has "
        f"{killed['recall_of_partial']:.0%} of the nearest; it names "
        f"{', '.join(killed['missing'])}. "
        f"The part was opened again after {document['rebuild_seconds']:.0f} s."
    )
    about = f"{document['faces']:,} faces, parts as {document['replicas']}."
    return f"{measured_on(document)} {about}\n\n{table(header, rows)}\n\n{lost}"


def partitioned_clustering() -> str:
    """F, time and memory of partitions beside one machine."""
    document = result("partitioned")
    rows = []
    for each in document["runs"]:
        parted = each["kind"] == "partitions"
        name = f"{document['partitions']} partitions, epsilon {each['epsilon']:g}" if parted else ""
        rows.append(
            [
                name or "one machine",
                f"{each['pairwise_f_percent']:.2f}",
                f"{each['bcubed_f_percent']:.2f}",
                f"{each['seconds']:.0f}",
                f"{each['memory']['largest_resident_mib']:,}",
                f"{each['rounds']}" if parted else "",
            ]
        )
    header = ("", "pairwise F, %", "BCubed F, %", "linkage, s", "largest process, MiB", "rounds")
    about = f"{document['faces']:,} faces; {document['workers']}."
    rule = result("cluster_rule_scale")["galleries"]["1,000,000"]
    default = (
        "Both merge up to one threshold. Without `--partitions`, `cluster` learns a rule from the "
        f"gallery: of a million other made faces its F is {100 * rule['pairwise_f']:.1f}% of pairs "
        f"and {100 * rule['bcubed_f']:.1f}% of B-cubed. Partitions do not have that rule yet."
    )
    return f"{measured_on(document)} {about}\n\n{table(header, rows)}\n\n{default}"
