"""The decision whether records are a table, with or without a header."""

from __future__ import annotations

from collections.abc import Sequence

from headroom_core.tables.csv.evidence import Evidence, rate_names

_PADDED_SHARE = 0.3
_MIN_HEADER_SCORE = 6.0
_MIN_CONTRAST = 2.0
_MIN_DECLARED_CONTRAST = 0.5
_MIN_PADDED_ALIKENESS = 2.0
_MIN_RECORDS_WITHOUT_HEADER = 10
_MIN_ALIKENESS_WITHOUT_HEADER = 2.5
_MIN_MEAN_ALIKENESS = 0.35


def has_header(evidence: Evidence, header: Sequence[str], *, is_declared: bool) -> bool:
    """Return whether records are a table whose header is another record.

    Args:
        evidence: Evidence in the records.
        header: The cells of the record above them.
        is_declared: Whether the text is said to be a table.
    """
    names = rate_names(header)
    if names < 0:
        return False
    contrast = evidence.contrast(header)
    if is_declared:
        return contrast >= _MIN_DECLARED_CONTRAST
    if evidence.width == 2 and evidence.has_odd_columns:
        return False
    # Spaces after separators are those of prose and code, unless most columns are telling.
    if evidence.alikeness < _MIN_PADDED_ALIKENESS and evidence.padded_share > _PADDED_SHARE:
        return False
    score = contrast + 2 * evidence.alikeness + 1.5 * names
    return contrast >= _MIN_CONTRAST and score >= _MIN_HEADER_SCORE


def is_headerless(evidence: Evidence, *, is_declared: bool) -> bool:
    """Return whether records are a table without a header.

    Args:
        evidence: Evidence in all records, the first included.
        is_declared: Whether the text is said to be a table.
    """
    kinds = [column.kind for column in evidence.columns if not column.is_counter]
    typed = sum(kind in ("number", "quantity", "time") for kind in kinds)
    if is_declared:
        return evidence.alikeness >= evidence.width / 2 and not evidence.has_odd_columns
    if (
        evidence.width < 3
        or evidence.count < _MIN_RECORDS_WITHOUT_HEADER
        or evidence.padded_share > _PADDED_SHARE
        or evidence.is_log()
    ):
        return False
    has_quotes = evidence.quoted_count >= 3
    vocabularies = sum(column.repeats for column in evidence.columns)
    alikeness = evidence.alikeness + has_quotes
    if typed >= 2 and typed == len(kinds):
        return True
    return (
        (typed > 0 or has_quotes or vocabularies > 1)
        and alikeness >= _MIN_ALIKENESS_WITHOUT_HEADER
        and alikeness >= _MIN_MEAN_ALIKENESS * evidence.width
    )
