"""Parse a query into terms, numbers, dates, and values given for fields."""

from __future__ import annotations

import re

from headroom_core.relevance.stop_words import ROW_STOP_WORDS

# Of a longer query, the beginning and the end are read: that is where a question is.
_MAX_CHARACTERS = 8000
# Shorter words occur in every text.
_MIN_TERM_CHARACTERS = 3
# An identifier, a path or a time in one piece. Must not match spaces, quotes, brackets, and the
# separators of values.
_TERM = re.compile(r"[^\s\"'`“”‘’«»<>()\[\]{},;=]+")
_WORD = re.compile(r"\w+")
_TIME = re.compile(r"\d\d:\d\d(?::\d\d)?")
_TERM_EDGES = ".,:;!?…-–*_/\\&|"
# A number, also with grouped thousands: `1,094`, `1 094.5`, `1'094`. Must not match digits that
# belong to a word, a version or an identifier: `v2`, `1.2.3`, `7f3a`.
_NUMBER = re.compile(
    r"(?<![\w.])-?(?:\d{1,3}(?:[ _'’\u00a0\u202f]\d{3})+|\d[\d,]*)(?:\.\d+)?(?!\w)"
)
_DIGIT_SEPARATOR = re.compile(r"[ _'’,\u00a0\u202f]")
# A field and its value: `year=2005`, `"city": "Bolzano"`, `status == failed`. Must not match past
# the next pair on the same line; the bounds keep the search linear in hostile texts.
_GIVEN_VALUE = re.compile(
    r"(\w[\w .-]{0,60}?)[\"']?\s*(?:==?|:)\s*[\"']?((?:(?!: )[^,\"'\n;}\]]){1,120})"
)
_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
# Dates in words, in lowercase: `7th of March 2024`, `march 7, 2024`. Any word is taken for the
# month here and looked up afterwards.
_DAY_MONTH_YEAR = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)?[ .-]+(?:of )?([a-z]{3})[a-z]*[ .,-]+(\d{4})\b"
)
_MONTH_DAY_YEAR = re.compile(r"\b([a-z]{3})[a-z]*\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b")
# Dates in digits: `7.3.2024`, `7/3/2024`. Must not match mixed separators, as in `7.3/2024`.
_NUMERIC_DATE = re.compile(r"\b(\d{1,2})([./])(\d{1,2})\2(\d{4})\b")


class ParsedQuery:
    """Query in the forms in which it is matched against cells and rows.

    Args:
        text: The text of the query.

    Attributes:
        text: The query, followed by its dates as a table would write them.
        lower: The same text in lowercase.
        numbers: The values of the numbers in it.
        given: Names of fields and the values that the query gives for them, in lowercase.
    """

    def __init__(self, text: str) -> None:
        self.text = _append_iso_dates(_truncate(text))
        self.lower = self.text.lower()
        self.numbers = {
            float(_DIGIT_SEPARATOR.sub("", number)) for number in _NUMBER.findall(self.text)
        }
        self.given = [
            (name.strip(), value.strip(" ?!.")) for name, value in _GIVEN_VALUE.findall(self.lower)
        ]
        self._word_starts = _collect_word_starts(self.lower)

    def may_contain(self, cell: str) -> bool:
        """Return whether the query may contain a cell: a fast check that excludes most cells."""
        return cell[:_MIN_TERM_CHARACTERS].lower() in self._word_starts or cell[:1] == '"'

    def contains(self, text: str) -> bool:
        """Return whether the query contains a lowercase text that is not part of a longer word."""
        if len(text) < _MIN_TERM_CHARACTERS or text in ROW_STOP_WORDS:
            return False
        lower = self.lower
        start = lower.find(text)
        while start >= 0:
            end = start + len(text)
            continues_left = start > 0 and lower[start - 1].isalnum() and text[0].isalnum()
            continues_right = end < len(lower) and lower[end].isalnum() and text[-1].isalnum()
            if not continues_left and not continues_right:
                return True
            start = lower.find(text, start + 1)
        return False

    def is_name(self, text: str) -> bool:
        """Return whether a text that the query contains is a name rather than a common word.

        A name has characters other than letters, or is capitalized or quoted in the query.
        """
        if len(text) <= _MIN_TERM_CHARACTERS:
            return False
        if not text.isalpha():
            return True
        start = self.lower.find(text)
        return self.text[start].isupper() or self.text[max(0, start - 1)] in "\"'`“‘«"

    def collect_terms(self) -> list[str]:
        """Return the distinct words and space-separated pieces of the query, in lowercase.

        Times are also returned as ISO timestamps write them, behind a `t`.
        """
        pieces = [term.strip(_TERM_EDGES) for term in _TERM.findall(self.lower)]
        times = [f"t{piece}" for piece in pieces if _TIME.fullmatch(piece)]
        words = [word for piece in pieces for word in _WORD.findall(piece)]
        return [
            term
            for term in dict.fromkeys(pieces + times + words)
            if len(term) >= _MIN_TERM_CHARACTERS and term not in ROW_STOP_WORDS
        ]


def _truncate(text: str) -> str:
    if len(text) <= _MAX_CHARACTERS:
        return text
    return text[: _MAX_CHARACTERS // 2] + "\n" + text[-_MAX_CHARACTERS // 2 :]


def _append_iso_dates(text: str) -> str:
    """Append the dates of a text in ISO format, which is how most tables write them."""
    lower = text.lower()
    in_words = _DAY_MONTH_YEAR.findall(lower)
    in_words += [(day, month, year) for month, day, year in _MONTH_DAY_YEAR.findall(lower)]
    dates = [
        (int(year), _MONTHS[month], int(day)) for day, month, year in in_words if month in _MONTHS
    ]
    numeric = _NUMERIC_DATE.findall(text)
    dates += [(int(year), int(second), int(first)) for first, _, second, year in numeric]
    # With slashes, the month may come first.
    dates += [
        (int(year), int(first), int(second))
        for first, separator, second, year in numeric
        if separator == "/"
    ]
    iso_dates = [
        f"{year}-{month:02}-{day:02}" for year, month, day in dates if month <= 12 and day <= 31
    ]
    return " ".join([text, *iso_dates])


def _collect_word_starts(lower: str) -> set[str]:
    """Return the first characters of everything that a cell in the query could begin with."""
    inside_words = {
        index
        for index in range(1, len(lower))
        if lower[index - 1].isalnum() and lower[index].isalnum()
    }
    return {
        lower[index : index + _MIN_TERM_CHARACTERS]
        for index in range(len(lower))
        if index not in inside_words
    }
