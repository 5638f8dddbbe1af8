"""Records that sum up others: they would be counted twice in the sums of columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headroom_core.tables.csv.records import unquote_cells

# A word for a sum, and what may follow: `Total:`, `Total (2026)`, `Subtotal for Berlin`. Must not
# match a name that begins in this way: `Total Energies SE`.
_TOTAL = re.compile(
    r"(?:(?:(?:grand|sub|overall)[\s-]?)?totals?|sums?|average|avg\.?|mean|median"
    r"|(?:zwischen|gesamt)?summe|gesamt|insgesamt|mittelwert|durchschnitt|totaux|somme"
    r"|moyenne|suma|promedio|totale|somma|media|totaal|всего|итого|合计|总计|合計|総計)"
    r"\s*(?::.*|\(.*\)|(?:for|of|per|in|für)\s.*)?",
    re.IGNORECASE | re.DOTALL,
)
_MAX_SHARE = 0.2
# The records at the end that may be sums without a cell that is empty.
_MAX_FOOTER = 3


def without_totals(rows: Sequence[int], cells: Sequence[Sequence[str]]) -> list[int]:
    """Return the rows of a table without those that sum up others.

    These begin with a word such as `Total`, and have an empty cell or are at the end.

    Args:
        rows: The indices of the rows of the table.
        cells: The cells of all records, quotes included.

    Example:
        >>> without_totals([0, 1, 2], [["Elbe", "3"], ["Oder", "4"], ["Total", "7"]])
        [0, 1]
    """
    footer = frozenset(rows[-_MAX_FOOTER:])
    sums = {row for row in rows if _is_total(cells[row], may_be_full=row in footer)}
    # If they are many, they are a kind of record that the table is about.
    if len(sums) > max(_MAX_FOOTER, _MAX_SHARE * len(rows)):
        return list(rows)
    return [row for row in rows if row not in sums]


def _is_total(record: Sequence[str], *, may_be_full: bool) -> bool:
    if not may_be_full and "" not in record:
        return False
    first = next((text for text in unquote_cells(record) if text), "")
    return _TOTAL.fullmatch(first) is not None
