"""Tables of ``docs/scale.md``: the estimate and the simulation of very large galleries."""

from __future__ import annotations

import statistics

from benchmarks.common.markdown import result, table


def scale_units() -> str:
    """What a photo and a face take, and the prices."""
    document = result("scale_model")
    unit, prices = document["unit_costs"], document["prices"]
    rows = [
        ["a photo without its faces, core-milliseconds", f"{1e3 * unit['photo_core_seconds']:.1f}"],
        ["a face, core-milliseconds", f"{1e3 * unit['face_core_seconds']:.1f}"],
        ["a photo's row, bytes", f"{unit['photo_bytes']:.0f}"],
        ["a face in its shard, bytes", f"{unit['face_bytes']:.0f}"],
        ["a face in the index, bytes on the disk", f"{unit['index_disk_bytes']:.0f}"],
        ["a face in the index, bytes of memory", f"{unit['index_memory_bytes']:.0f}"],
        ["a face while clustering, bytes of memory", f"{unit['clustering_memory_bytes']:,.0f}"],
        ["a photo in the state, bytes of memory", f"{unit['state_memory_bytes']:.0f}"],
        ["queries a second of 100,000,000 faces", f"{unit['range_queries_per_second']:,.0f}"],
        ["price of a core for an hour, dollars", f"{prices['core_hour']:g}"],
        ["price of a GiB of memory for an hour", f"{prices['memory_hour']:g}"],
        ["price of a GiB in object storage for a month", f"{prices['object_month']:g}"],
        ["price of a GiB on a disk for a month", f"{prices['disk_month']:g}"],
    ]
    return table(("", "value"), rows)


def scale_estimates() -> str:
    """Work, bytes, machines and money by size."""
    rows = [
        [
            f"{each['photos']:,.0f} / {each['faces']:,.0f}",
            f"{each['indexing_core_hours']:,.0f}",
            f"{each['index_build_core_hours']:,.0f}",
            f"{each['graph_core_hours'] + each['linkage_core_hours']:,.0f}",
            f"{each['stored_gib'] + each['index_gib']:,.0f}",
            f"{each['search_machines']:,}",
            f"{each['clustering_memory_gib']:,.0f}",
            f"{each['once_dollars']:,.0f}",
            f"{each['month_dollars']:,.0f}",
        ]
        for each in result("scale_model")["estimates"]
    ]
    header = (
        "photos / faces",
        "indexing, core-hours",
        "index, core-hours",
        "clustering, core-hours",
        "stored, GiB",
        "search machines",
        "clustering, GiB of memory",
        "dollars once",
        "dollars a month",
    )
    return table(header, rows)


def scale_exact() -> str:
    """Machines and work by size where searches and the graph are exact."""
    rows = [
        [
            f"{each['faces']:,.0f}",
            f"{each['search_machines']:,}",
            f"{each['exact_search_machines']:,}",
            f"{each['graph_core_hours']:,.0f}",
            f"{each['exact_graph_core_hours']:,.0f}",
        ]
        for each in result("scale_model")["estimates"]
    ]
    header = (
        "faces",
        "machines, approximate",
        "machines, exact",
        "graph, core-hours, approximate",
        "graph, core-hours, exact",
    )
    return table(header, rows)


def scale_limits() -> str:
    """What one machine runs out of first."""
    document = result("scale_model")
    unit = document["unit_costs"]
    rows = []
    for each in document["limits"]:
        rounded = float(f"{each['faces']:.2g}")  # a model is no more exact than that
        rows.append([each["what"], f"{rounded:,.0f}"])
    about = f"One machine of {unit['cores']} cores and {unit['memory_gib']:g} GiB."
    return f"{about}\n\n{table(('runs out of', 'at faces'), rows)}"


def scale_simulations() -> str:
    """Hours of the simulated cluster, medians over seeds."""
    document = result("scale_model")
    rows = []
    for each in document["simulations"]:
        middle = {
            key: statistics.median(run[key] for run in each["runs"]) for key in each["runs"][0]
        }
        rows.append(
            [
                f"{each['workers']:,}",
                f"{each['photos_a_shard']:,}",
                each["case"],
                f"{middle['hours']:.1f}",
                f"{100 * middle['efficiency']:.0f}%",
                f"{middle['failures']:,.0f}",
                f"{middle['lost_hours']:,.0f}",
            ]
        )
    header = ("workers", "photos a shard", "case", "hours", "of ideal", "failures", "hours lost")
    hazards = document["hazards"]
    about = (
        f"Shards differ by a deviation of {hazards['shard_spread']:g} in logarithm, workers by "
        f"{hazards['worker_spread']:g}; {100 * hazards['straggler_share']:g}% of attempts take "
        f"{hazards['straggler_factor']:g} times as long; a worker fails every "
        f"{hazards['hours_to_failure']:g} hours and is back after {hazards['restart_seconds']:g} "
        f"seconds. Medians of {len(document['seeds'])} seeds."
    )
    return f"{about}\n\n{table(header, rows)}"
