"""Text in CSV files that spreadsheet programs would take for a formula, and calculate."""

from __future__ import annotations

import re

# Full-width forms too: programs with East Asian settings read them as the plain ones; and white
# space before them, which some skip.
_FORMULA = re.compile(r"'*\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def plain_cell(text: str) -> str:
    """``text`` as a cell that no program calculates: with an apostrophe before ``=``, ``+``, ``-``
    or ``@`` at its beginning, and one more where there are some before these already."""
    return f"'{text}" if _FORMULA.match(text) else text


def text_of_cell(cell: str) -> str:
    """The text that :func:`plain_cell` made ``cell`` of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
