"""Links between passages: which of them name each other, or name the same rare things.

The second half of an answer that takes two steps has few words of the question. It is reached from
the first half: by its title, or by a name that only these two passages have.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from headroom_core.documents.terms import SENTENCE_ENDS, STOP_TERMS, significant_terms, split_terms
from headroom_core.relevance.bm25 import idf

# Share of its score that a passage lends to those that it names or that name it, and how many of
# the best passages lend.
_NAMED_SHARE, _MAX_NAMED_LENDERS = 0.6, 8

# The same for passages that share rare names with it: the most that it lends, how strong the names
# must be for two thirds of that, and how many of the best passages lend.
_SHARING_SHARE, _SHARING_STRENGTH, _MAX_SHARING_LENDERS = 0.4, 12.0, 4

# A shared name counts more if the passage is called by it or introduces itself with it.
_NAME_WEIGHT, _OPENING_WEIGHT = 6, 2

# A name that more passages have than this, or than this share of them, links none of them.
_MAX_HOLDERS, _MAX_HOLDERS_SHARE = 2, 0.34

# Of a very long passage, the names at the beginning count.
_NAMES_SEARCH_CHARS, _MAX_OPENING_TERMS = 10_000, 60

# An addition to a name that only tells it from others: `Mercury (planet)`.
_IN_PARENTHESES = re.compile(r"(?<!\s)\s*\([^()]*\)")

# A word that begins with a capital letter or a digit. Letters beyond ASCII are sorted out later.
_CAPITALIZED = re.compile(r"(?<![^\W_])[^\W_a-z][^\W_]*")


@dataclass(frozen=True)
class LinkedPassages:
    """Passages that may name each other.

    Attributes:
        texts: Text of each passage.
        terms: Terms of each passage, with the ends of sentences.
        names: Name by which other passages refer to each passage, which may be empty.
    """

    texts: Sequence[str]
    terms: Sequence[list[str]]
    names: Sequence[str]

    def lend_scores(self, scores: Sequence[float], query_terms: Sequence[str]) -> list[float]:
        """Add to the score of each passage the largest loan of the best passages it is linked to.

        Args:
            scores: Score of each passage.
            query_terms: Terms of the query. Sharing them with another passage links no passage.
        """
        best_first = sorted(range(len(scores)), key=lambda index: -scores[index])
        loans = [0.0] * len(scores)
        for lender in best_first[:_MAX_NAMED_LENDERS]:
            loan = _NAMED_SHARE * scores[lender]
            for index in self._linked_by_name(lender):
                loans[index] = max(loans[index], loan)
        lenders = best_first[:_MAX_SHARING_LENDERS]
        for lender, strengths in zip(lenders, self._shared_names(lenders, query_terms)):
            loan = _SHARING_SHARE * scores[lender]
            for index, strength in strengths.items():
                share = 1 - math.exp(-strength / _SHARING_STRENGTH)
                loans[index] = max(loans[index], loan * share)
        return [score + loan for score, loan in zip(scores, loans, strict=True)]

    def _linked_by_name(self, lender: int) -> list[int]:
        """Return the indices of the passages that name the lender or that it names."""
        names, texts = self._spaced_names, self._spaced_texts
        lender_name, lender_text = names[lender], texts[lender]
        return [
            index
            for index, name in enumerate(names)
            if name != lender_name
            and ((name and name in lender_text) or (lender_name and lender_name in texts[index]))
        ]

    def _shared_names(
        self, lenders: Sequence[int], query_terms: Sequence[str]
    ) -> list[dict[int, float]]:
        """Return for each lender how strongly its rare names link it to other passages, by index.

        Args:
            lenders: Indices of the passages that lend.
            query_terms: Terms that are not counted.
        """
        named = [self._collect_names(lender, query_terms) for lender in lenders]
        holders = self._find_holders(named)
        max_holders = max(_MAX_HOLDERS, _MAX_HOLDERS_SHARE * len(self.texts))
        links = []
        for lender, terms in zip(lenders, named):
            strengths: dict[int, float] = defaultdict(float)
            for term in terms:
                if 1 < len(holders[term]) <= max_holders:
                    rarity = idf(len(self.texts), len(holders[term]))
                    for index in holders[term]:
                        strengths[index] += rarity * self._place_weight(term, index)
            strengths.pop(lender, None)
            links.append(strengths)
        return links

    def _collect_names(self, index: int, query_terms: Sequence[str]) -> list[str]:
        """Return the terms of the names and numbers in a passage, without those of the query."""
        text = f"{self.names[index]} {self.texts[index][:_NAMES_SEARCH_CHARS]}"
        words = [
            word for word in _CAPITALIZED.findall(text) if word[0].isupper() or word[0].isdecimal()
        ]
        # Not a set: its order differs between processes, and with it the sums of floats.
        terms = dict.fromkeys(significant_terms(" ".join(words)))
        return [term for term in terms if len(term) > 1 and term not in query_terms]

    def _find_holders(self, named: Sequence[Sequence[str]]) -> Mapping[str, list[int]]:
        """Return the indices of the passages that have each of the terms, in text or name."""
        wanted = frozenset(term for terms in named for term in terms)
        holders: dict[str, list[int]] = {term: [] for term in wanted}
        for index, (terms, name) in enumerate(zip(self.terms, self._name_terms)):
            for term in wanted.intersection(terms) | (wanted & name):
                holders[term].append(index)
        return holders

    def _place_weight(self, term: str, index: int) -> int:
        """Return how much a shared term counts, by where a passage has it."""
        if term in self._name_terms[index]:
            return _NAME_WEIGHT
        return _OPENING_WEIGHT if term in self._openings[index] else 1

    @cached_property
    def _name_terms(self) -> list[frozenset[str]]:
        return [frozenset(name.split()) for name in self._spaced_names]

    @cached_property
    def _openings(self) -> _Openings:
        return _Openings(self.terms)

    @cached_property
    def _spaced_texts(self) -> list[str]:
        """Terms of each passage between spaces."""
        return [f" {' '.join(terms)} " for terms in self.terms]

    @cached_property
    def _spaced_names(self) -> list[str]:
        """Terms of each name between spaces, as other passages contain it."""
        return [_spaced_name(name) for name in self.names]


class _Openings(dict[int, frozenset[str]]):
    """Terms of the first sentence of each passage, collected when they are first looked up."""

    def __init__(self, terms: Sequence[list[str]]) -> None:
        super().__init__()
        self._terms = terms

    def __missing__(self, index: int) -> frozenset[str]:
        terms = self._terms[index][:_MAX_OPENING_TERMS]
        ends = [terms.index(sign) for sign in SENTENCE_ENDS if sign in terms]
        self[index] = frozenset(terms[: min(ends, default=None)])
        return self[index]


def _spaced_name(title: str) -> str:
    """Return the words of a title between spaces, as other passages contain it.

    A title of stop words alone is no name: the result is empty.
    """
    name = _IN_PARENTHESES.sub("", title) or title
    terms = split_terms(name)
    # Different words may have the stem of a stop word.
    if STOP_TERMS.issuperset(terms) and not significant_terms(name):
        return ""
    return f" {' '.join(terms)} "
