"""Ranking of passages: how relevant each of some retrieved passages is to a query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from headroom_core.documents.links import LinkedPassages
from headroom_core.documents.terms import (
    SENTENCE_END,
    SENTENCE_ENDS,
    STOP_TERMS,
    significant_terms,
    split_terms,
)
from headroom_core.relevance.base import Scorer, score_and_validate
from headroom_core.relevance.bm25 import DEFAULT_B, DEFAULT_K1, bm25_scores

# Weights of a passage's title and of its best sentence, relative to its whole text. A match in the
# title is the strongest sign; the best sentence keeps long passages from drowning their answer.
_TITLE_WEIGHT, _SENTENCE_WEIGHT = 2.0, 1.0

# Two words follow each other if at most two stop words stand between them.
_MAX_PAIR_DISTANCE = 3

# The best passages stay whatever the threshold: a retriever's scores are never that reliable.
_MIN_RELEVANT = 3

# Length of query, in words, for which the threshold holds as it is, and how far it may be scaled.
_TYPICAL_QUERY_WORDS, _MIN_SCALE, _MAX_SCALE = 10, 0.6, 1.6

# A Markdown heading or a `Title:` line.
_HEADING = re.compile(r"\s*(?:#{1,6}|[Tt]itle:)[^\S\n]*(\S[^\n]{0,199})")

# A short first line without punctuation at its end, and more text below: not a sentence.
_FIRST_LINE = re.compile(r"\s*([^\W_][^\n]{0,78}[^\s.!?:;,])[^\S\n]*\n\s*\S")

# The subject of a first sentence such as `"The Elbe" (Czech: Labe) is …`: capitalized or a number,
# up to a parenthesis, a comma or a form of `to be`. Not a pronoun or a common noun, which are
# sorted out by the number of capitalized words.
_SUBJECT = re.compile(
    r"\s*[\"'“‘(]*((?:The |An? )?[A-Z\d][^,.()\n]{1,58}?)[\"'”’]*"
    r"\s*(?:\(|,|(?<=\s)(?:is|was|are|were)\b)"
)
_MAX_SUBJECT_WORDS = 7

# A title is in the first characters of a passage; of a very long one only the beginning counts.
_TITLE_SEARCH_CHARS, _MAX_TITLE_CHARS = 400, 200


def extract_title(text: str) -> str:
    """Return the title that a passage begins with, else its subject, else an empty string.

    A title is a heading, `Title: …`, or a short first line without a full stop. A subject is the
    name that the first sentence is about, as in encyclopedias.

    Example:
        >>> extract_title("# The Elbe\\nIt is long.")
        'The Elbe'
        >>> extract_title("Jan Hus was a priest."), extract_title("it rained.")
        ('Jan Hus', '')
    """
    beginning = text.lstrip()[:_TITLE_SEARCH_CHARS]
    title = _HEADING.match(beginning) or _FIRST_LINE.match(beginning)
    if title:
        return title[1].strip()
    match = _SUBJECT.match(beginning)
    subject = match[1].strip() if match else ""
    words = subject.split()
    capitalized = [word for word in words if not word[0].islower()]
    is_name = len(words) <= _MAX_SUBJECT_WORDS and 2 * len(capitalized) >= len(words)
    return subject if is_name else ""


@dataclass(frozen=True, slots=True)
class TermMatches:
    """Words of a query in a text or in one of its sentences.

    Attributes:
        word_count: Number of words in the text.
        matches: Its words that are also in the query, in order.
    """

    word_count: int
    matches: Sequence[str]


@dataclass(frozen=True, slots=True)
class PassageMatches:
    """Words of a query in a passage and in its sentences.

    Most sentences have no word of the query. They are only counted: to collect an object for each
    would take long.

    Attributes:
        whole: Matches of the passage.
        pairs: Its pairs of words that follow each other in the query too.
        sentences: Matches of the sentences that have any.
        other_sentences: Number of sentences without a match.
        other_words: Number of words in those.
    """

    whole: TermMatches
    pairs: Sequence[str]
    sentences: list[TermMatches]
    other_sentences: int
    other_words: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of passages for a query.

    Attributes:
        scores: Score of each passage from 0 to 1, as a share of the best passage's. Empty if no
            passage matches.
        query_words: Number of words of the query that are not stop words.
    """

    scores: list[float]
    query_words: int

    def scale_threshold(self, threshold: float) -> float:
        """Return the share of the best score from which a passage counts as relevant.

        A long query asks for several things at once, and a passage may answer only one of them: the
        threshold is lower then.

        Args:
            threshold: Threshold for a query of typical length.
        """
        scale = _TYPICAL_QUERY_WORDS / max(1, self.query_words)
        return threshold * min(_MAX_SCALE, max(_MIN_SCALE, scale))

    def select_relevant(self, threshold: float) -> set[int]:
        """Return the indices of the three best passages and of those from the threshold on."""
        best = set(self.best_first()[:_MIN_RELEVANT])
        return {
            index for index, score in enumerate(self.scores) if index in best or score >= threshold
        }

    def best_first(self) -> list[int]:
        """Return the indices of the passages, the best first."""
        return sorted(range(len(self.scores)), key=lambda index: -self.scores[index])


class RankingQuery:
    """Query that passages are ranked by.

    Args:
        text: Text of the query.
        k1: How quickly repetitions of a word stop adding to the score.
        b: How strongly long texts are penalized, from 0 to 1.

    Attributes:
        text: Text of the query.
        words: Its words as they are compared, without stop words.

    Example:
        >>> query = RankingQuery("How long is the Elbe?")
        >>> query.words
        ['long', 'elbe']
        >>> query.score_texts(["It is long.", "Both."])[1]
        0.0
    """

    def __init__(self, text: str, k1: float = DEFAULT_K1, b: float = DEFAULT_B) -> None:
        self.text = text
        words = significant_terms(text)
        self.words = list(dict.fromkeys(words))
        self._pairs = frozenset(pairwise(words))
        self._words_and_ends = SENTENCE_ENDS.union(self.words)
        self._k1, self._b = k1, b

    def score_texts(self, texts: Sequence[str]) -> list[float]:
        """Return the BM25 score of each text."""
        return self._score_matches([self._find_matches(split_terms(text)).whole for text in texts])

    def rank(
        self,
        texts: Sequence[str],
        titles: Sequence[str],
        scorer: Scorer | None = None,
        names: Sequence[str] | None = None,
    ) -> Ranking:
        """Rank passages by their relevance to the query.

        A passage's score is the sum of the scores of its text, its title and its best sentence, or
        the score that a scorer returns. Passages that name each other, or that have a rare name in
        common, share their scores, which finds the second half of an answer that takes two steps.

        Args:
            texts: Passages.
            titles: Title of each passage, which may be empty. Its first 200 characters count.
            scorer: Scorer to use instead of words.
            names: Name by which other passages refer to each passage. Defaults to the titles.
        """
        if not self.text.strip():
            return Ranking([], 0)
        names = [name[:_MAX_TITLE_CHARS] for name in names or titles]
        titles = [title[:_MAX_TITLE_CHARS] for title in titles]
        tokens = [split_terms(text) for text in texts]
        if scorer is None:
            scores = self._score_words(tokens, titles)
        else:
            titled = [
                f"{title}\n{text}" if title else text
                for title, text in zip(titles, texts, strict=True)
            ]
            # A scorer may return numbers of numpy, which cannot be written as JSON.
            scores = [float(score) for score in score_and_validate(scorer, titled, self.text)]
        scores = LinkedPassages(texts, tokens, names).lend_scores(scores, self.words)
        best = max(scores, default=0.0)
        return Ranking([score / best for score in scores] if best else [], len(self.words))

    def _score_words(self, tokens: Sequence[list[str]], titles: Sequence[str]) -> list[float]:
        """Return the score of each passage by its words, its title's and its best sentence's."""
        passages = [self._find_matches(words) for words in tokens]
        sentence_scores = iter(
            self._score_matches(
                [sentence for passage in passages for sentence in passage.sentences],
                other_texts=sum([passage.other_sentences for passage in passages]),
                other_words=sum([passage.other_words for passage in passages]),
            )
        )
        best_sentences = [
            max([next(sentence_scores) for _ in passage.sentences], default=0.0)
            for passage in passages
        ]
        bodies = self._score_matches(
            [
                TermMatches(passage.whole.word_count, [*passage.whole.matches, *passage.pairs])
                for passage in passages
            ]
        )
        return [
            body + _TITLE_WEIGHT * title + _SENTENCE_WEIGHT * sentence
            for body, title, sentence in zip(
                bodies, self.score_texts(titles), best_sentences, strict=True
            )
        ]

    def _find_matches(self, tokens: list[str]) -> PassageMatches:
        """Return the words of the query in a tokenized text and in each of its sentences."""
        # Most tokens are neither: after this line the loop is over a few per cent of them.
        seen = [
            (index, token) for index, token in enumerate(tokens) if token in self._words_and_ends
        ]
        sentences: list[TermMatches] = []
        matches: list[str] = []
        start = other_sentences = other_words = 0
        for index, token in [*seen, (len(tokens), SENTENCE_END)]:
            if token not in SENTENCE_ENDS:
                matches.append(token)
            elif index > start:
                if matches:
                    sentences.append(TermMatches(index - start, matches))
                    matches = []
                else:
                    other_sentences += 1
                    other_words += index - start
                start = index + 1
        all_matches = [token for _, token in seen if token not in SENTENCE_ENDS]
        whole = TermMatches(len(tokens), all_matches)
        pairs = self._find_pairs(tokens, seen)
        return PassageMatches(
            whole=whole,
            pairs=pairs,
            sentences=sentences,
            other_sentences=other_sentences,
            other_words=other_words,
        )

    def _find_pairs(self, tokens: list[str], seen: Sequence[tuple[int, str]]) -> list[str]:
        """Return the pairs of words that follow each other in the query and in a text.

        Args:
            tokens: Tokens of the text.
            seen: Those that are words of the query or end a sentence, with their indices.
        """
        return [
            f"{first} {second}"
            for (start, first), (end, second) in pairwise(seen)
            if (first, second) in self._pairs
            and end - start <= _MAX_PAIR_DISTANCE
            and STOP_TERMS.issuperset(tokens[start + 1 : end])
        ]

    def _score_matches(
        self, texts: Sequence[TermMatches], other_texts: int = 0, other_words: int = 0
    ) -> list[float]:
        """Return the BM25 score of each text.

        Args:
            texts: Matches of the texts to score.
            other_texts: Number of further texts that have no word of the query.
            other_words: Number of words in those.
        """
        lengths = [text.word_count for text in texts]
        terms: dict[str, dict[int, int]] = {}
        for index, text in enumerate(texts):
            for word in text.matches:
                frequencies = terms.setdefault(word, {})
                frequencies[index] = frequencies.get(index, 0) + 1
        total = len(texts) + other_texts
        return bm25_scores(
            terms.values(),
            lengths,
            total=total,
            average_length=(sum(lengths) + other_words) / max(1, total),
            k1=self._k1,
            b=self._b,
        )
