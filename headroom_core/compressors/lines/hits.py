"""Find the lines that a query names."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from headroom_core.relevance.stop_words import ROW_STOP_WORDS
from headroom_core.text.text_lines import TextLines

_MAX_QUERY_CHARACTERS = 4000
_MAX_TERMS = 60
_MIN_TERM_CHARACTERS = 3
# Whole values first: quoted strings, then identifiers, paths, numbers and versions in one piece.
_QUOTED = re.compile(r"[`\"“]([^`\"“”\n]{2,200})[`\"”]|'([^'\n]{2,200})'")
_VALUE = re.compile(r"[^\s\"'`“”‘’«»<>()\[\]{},;=?!]+")
_EDGES = ".,:;!?…-–*&|"
_WORD = re.compile(r"\w+")
_LISTS = re.compile(r"\b(?:which|list|all|every|each|how many|names of)\b", re.IGNORECASE)
# Words of questions about a text as a whole, which name none of its lines.
_WHOLE_TEXT = frozenset(
    """anything configured contain contains contents define defined defines describe document file
    find found here look looks output overview report schema short stand stands summarise summarize
    summary tell text value values wrong""".split()
)
# A term in at most this share of the lines, or in two of them, tells where to look.
_RARE_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class LineHits:
    """The lines that a query names.

    Attributes:
        weights: Weight of each line with a term of the query, the rarer the terms the higher.
        strong: The lines with a term that only few lines have.
    """

    weights: dict[int, float]
    strong: frozenset[int]

    def best(self, most: int, share: float = 0.5) -> list[int]:
        """Return the lines with the highest weights.

        Args:
            most: Maximum number of lines.
            share: Least weight, as a share of the highest.
        """
        ranked = sorted(self.weights.items(), key=lambda item: (-item[1], item[0]))
        least = share * ranked[0][1] if ranked else 0.0
        return [index for index, weight in ranked[:most] if weight >= least]

    def strongest(self, most: int) -> list[int]:
        """Return at most so many of the strong lines, those with the highest weights first."""
        return sorted(self.strong, key=lambda index: (-self.weights[index], index))[:most]


def asks_for_list(query: str) -> bool:
    """Return whether a query asks for all lines of some sort.

    Example:
        >>> asks_for_list("Which pods restarted?"), asks_for_list("Did mail-77 restart?")
        (True, False)
    """
    return _LISTS.search(query) is not None


def query_terms(query: str) -> list[str]:
    """Return the values and words of a query in lower case, values before words, each once.

    Example:
        >>> query_terms("Why did `test_login` fail with ERR-42?")
        ['test_login', 'err-42', 'test', 'login', 'fail', 'err', '42']
    """
    query = query[:_MAX_QUERY_CHARACTERS]
    quoted = [double or single for double, single in _QUOTED.findall(query)]
    values = [value.strip(_EDGES) for value in _VALUE.findall(query)]
    compound = [value for value in values if not value.isalpha()]
    words = sorted(
        {part for word in _WORD.findall(query) for part in [word, *word.split("_")]},
        key=lambda word: (query.find(word), word),
    )
    terms = dict.fromkeys(term.lower() for term in [*quoted, *compound, *words])
    return [term for term in terms if _is_term(term)][:_MAX_TERMS]


def find_line_hits(lines: TextLines, query: str) -> LineHits:
    """Return the lines that a query names.

    Args:
        lines: The lines.
        query: The query. Empty for none.

    Example:
        >>> lines = TextLines("\\n".join(f"GET /orders/{n} 200" for n in range(500)))
        >>> sorted(find_line_hits(lines, "What happened to /orders/417?").strong)
        [417]
    """
    weights: dict[int, float] = {}
    strong: set[int] = set()
    rare = max(2, _RARE_SHARE * len(lines))
    for term in query_terms(query):
        found = lines.find_word(term)
        if not found:
            continue
        weight = math.log1p(len(lines) / len(found)) * math.sqrt(len(term))
        for index in found:
            weights[index] = weights.get(index, 0.0) + weight
        if len(found) <= rare:
            strong.update(found)
    return LineHits(weights, frozenset(strong))


def _is_term(term: str) -> bool:
    if any(map(str.isdigit, term)):
        return len(term) > 1 or term.isdigit()
    if term in ROW_STOP_WORDS or term in _WHOLE_TEXT:
        return False
    return len(term) >= _MIN_TERM_CHARACTERS
