"""What a query says: its terms, numbers and dates, and the fields that it gives values for."""

from __future__ import annotations

import re

from headroom_core.relevance.stop_words import ROW_STOP_WORDS

_LONGEST = 8000
_SHORTEST_TERM = 3
_TERM = re.compile(r"[^\s\"'`“”‘’«»<>()\[\]{},;=]+")
_WORD = re.compile(r"\w+")
_EDGE = ".,:;!?…-–*_/\\&|"
_NUMBER = re.compile(
    r"(?<![\w.])-?(?:\d{1,3}(?:[ _'’\u00a0\u202f]\d{3})+|\d[\d,]*)(?:\.\d+)?(?!\w)"
)
_BETWEEN_DIGITS = re.compile(r"[ _'’,\u00a0\u202f]")
_GIVEN = re.compile(
    r"(\w[\w .-]{0,60}?)[\"']?\s*(?:==?|:)\s*[\"']?((?:(?!: )[^,\"'\n;}\]]){1,120})"
)
_MONTHS = {
    name: at for at, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_DAY_MONTH_YEAR = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)?[ .-]+(?:of )?([a-z]{3})[a-z]*[ .,-]+(\d{4})\b"
)
_NUMERIC_DATE = re.compile(r"\b(\d{1,2})([./])(\d{1,2})\2(\d{4})\b")
_MONTH_DAY_YEAR = re.compile(r"\b([a-z]{3})[a-z]*\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b")
_STOP_WORDS = ROW_STOP_WORDS


class ParsedQuery:
    """A query, read once for all columns.

    Attributes:
        text: the query, with the dates in it repeated as a table would write them.
        lower: the same in lower case.
        numbers: the numbers in it, by value.
        given: the values that it gives for fields, in lower case: `year=2005`, `"city": "Bolzano"`.
    """

    def __init__(self, text: str) -> None:
        self.text = _with_iso_dates(_shortened(text))
        self.lower = self.text.lower()
        self.numbers = {
            float(_BETWEEN_DIGITS.sub("", found)) for found in _NUMBER.findall(self.text)
        }
        self.given = [
            (name.strip(), value.strip(" ?!.")) for name, value in _GIVEN.findall(self.lower)
        ]
        self._starts = _word_starts(self.lower)

    def may_hold(self, cell: str) -> bool:
        """Return, at once for most cells, whether the cell cannot stand in the query."""
        return cell[:_SHORTEST_TERM].lower() in self._starts or cell[:1] == '"'

    def names(self, text: str) -> bool:
        """Return whether a text in lower case stands in the query, with no word going on before or behind it."""
        if len(text) < _SHORTEST_TERM or text in _STOP_WORDS:
            return False
        at = self.lower.find(text)
        while at >= 0:
            end = at + len(text)
            inside = at > 0 and self.lower[at - 1].isalnum() and text[0].isalnum()
            if not inside and not (
                end < len(self.lower) and self.lower[end].isalnum() and text[-1].isalnum()
            ):
                return True
            at = self.lower.find(text, at + 1)
        return False

    def points_at(self, text: str) -> bool:
        """Return whether a text that it names is a name, and not just a word that happens to stand in both."""
        if len(text) <= _SHORTEST_TERM or not text.isalpha():
            return len(text) > _SHORTEST_TERM
        at = self.lower.find(text)
        return self.text[at].isupper() or self.text[max(0, at - 1)] in "\"'`“‘«"

    def terms(self) -> list[str]:
        """Return its words, and what stands between spaces, in lower case."""
        whole = [term.strip(_EDGE) for term in _TERM.findall(self.lower)]
        words = [word for term in whole for word in _WORD.findall(term)]
        return [
            term
            for term in dict.fromkeys(whole + words)
            if len(term) >= _SHORTEST_TERM and term not in _STOP_WORDS
        ]


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST // 2] + "\n" + text[-_LONGEST // 2 :]


def _with_iso_dates(text: str) -> str:
    lower = text.lower()
    dates = [(d, m, y) for d, m, y in _DAY_MONTH_YEAR.findall(lower)]
    dates += [(d, m, y) for m, d, y in _MONTH_DAY_YEAR.findall(lower)]
    named = [(int(y), _MONTHS[m], int(d)) for d, m, y in dates if m in _MONTHS]
    # With slashes, the day or the month may come first.
    numeric = [(int(y), int(b), int(a)) for a, _, b, y in _NUMERIC_DATE.findall(text)]
    numeric += [
        (int(y), int(a), int(b)) for a, sign, b, y in _NUMERIC_DATE.findall(text) if sign == "/"
    ]
    iso = [f"{y}-{m:02}-{d:02}" for y, m, d in named + numeric if m <= 12 and d <= 31]
    return " ".join([text, *iso])


def _word_starts(lower: str) -> set[str]:
    """Return how a cell that stands in the query could begin."""
    inside = {at for at in range(1, len(lower)) if lower[at - 1].isalnum() and lower[at].isalnum()}
    return {lower[at : at + _SHORTEST_TERM] for at in range(len(lower)) if at not in inside}
