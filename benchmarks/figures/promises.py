"""Tables of what was broken on purpose, and of what is left of people who were forgotten."""

from __future__ import annotations

from benchmarks.common.markdown import not_committed, result, result_or_none, table


def promises() -> str:
    """Trials of each class, failed ones, and those of the first recorded run."""
    document = result("promises")
    before = document.get("before", {})
    rows = []
    for each in document["classes"]:
        then = before.get(each["class"])
        first = "" if then is None else f"{then['failed']:,} of {then['tried']:,}"
        rows.append([each["class"], f"{each['tried']:,}", f"{each['failed']:,}", first])
    rows.append(["all", f"{document['tried']:,}", f"{document['failed']:,}", ""])
    return table(("class", "tried", "failed", "failed before"), rows)


def histories() -> str:
    """How many random histories galleries went through, and how many broke a promise."""
    found = result_or_none("histories")
    if found is None:
        return not_committed("benchmarks.jobs.promises histories")
    return (
        f"{found['examples']:,} histories of {found['most_steps']} steps, {found['changes']:,} "
        f"changes of a gallery, {found['crashes']:,} of them cut short by a crash, in "
        f"{found['seconds'] / 60:.0f} minutes: {len(found['failures'])} failed."
    )


def erasure() -> str:
    """Needles found before and after forgetting, by encoding and kind of index."""
    document = result("erasure")
    galleries = document["galleries"]
    kinds = list(dict.fromkeys(kind for each in galleries for kind in each["needles"]))
    header = ["looked for", *(f"{each['index']}: before" for each in galleries)]
    header += [f"{each['index']}: after" for each in galleries]
    rows = [
        [
            kind,
            *(_found(each["before"], each["needles"], kind) for each in galleries),
            *(_found(each["after"], each["needles"], kind) for each in galleries),
        ]
        for kind in kinds
    ]
    about = (
        f"{document['people']} people, {galleries[0]['faces']} faces, forgotten by "
        f"{galleries[0]['receipts']} commands while another clustered, searched and wrote reports "
        f"{', '.join(str(each['commands_meanwhile']) for each in galleries)} times."
    )
    return f"{about}\n\n{table(header, rows)}"


def _found(found: dict[str, int], needles: dict[str, int], kind: str) -> str:
    return f"{found[kind]} of {needles[kind]}" if kind in needles else ""
