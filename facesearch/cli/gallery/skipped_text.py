"""What ``index`` says of the files that it did not read as photos."""

from __future__ import annotations

from collections.abc import Iterator

from facesearch.images.formats.extras import how_to_read
from facesearch.images.walk.skipped import KINDS, SkippedFiles
from facesearch.text import count

_ENDINGS_SHOWN = 5
_FOLDERS_SHOWN = 20
# Kinds of files for which an extra is needed.
_NEEDED = {"raw": "RAW", "jpeg-xl": "JXL"}


def skipped_json(skipped: SkippedFiles) -> dict[str, object]:
    """The whole account, for programs."""
    return {
        "files": skipped.total,
        "kinds": {kind: number for kind, number in skipped.counts.items() if number},
        "other_endings": dict(skipped.endings),
        "folders": skipped.folders,
        "folders_not_readable": skipped.refused,
    }


def skipped_facts(skipped: SkippedFiles) -> list[tuple[str, object]]:
    """How many files there were of each kind, the most first; nothing where there was none."""
    facts: list[tuple[str, object]] = []
    for kind, number in skipped.counts.most_common():
        if number:
            facts.append((f"  {KINDS[kind]}", f"{number}{_endings(skipped, kind)}"))
    return [("files skipped", skipped.total), *facts] if facts else []


def _endings(skipped: SkippedFiles, kind: str) -> str:
    if kind != "other":
        return ""
    shown = [ending or "no ending" for ending, _ in skipped.endings.most_common(_ENDINGS_SHOWN)]
    more = ", ..." if len(skipped.endings) > _ENDINGS_SHOWN else ""
    return f" ({', '.join(shown)}{more})"


def skipped_notes(skipped: SkippedFiles) -> Iterator[str]:
    """A line for each gallery and report that was left out, and for each extra that is missing."""
    for each in skipped.folders[:_FOLDERS_SHOWN]:
        if each.kind in ("gallery", "report"):
            yield f"skipped: {each.folder} is a {each.kind} of {count(each.files, 'file')}"
    for kind, reader in _NEEDED.items():
        if number := skipped.counts[kind]:
            yield f"skipped: {number:,} {KINDS[kind]}; to read them: {how_to_read(reader)}"
