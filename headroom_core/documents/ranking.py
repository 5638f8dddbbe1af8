"""How much each of some retrieved passages has to do with a query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from headroom_core.relevance.base import Scorer, score_and_validate
from headroom_core.relevance.bm25 import DEFAULT_B, DEFAULT_K1, bm25_scores
from headroom_core.relevance.stop_words import STOP_WORDS
from headroom_core.relevance.words import split_words

_TITLE, _SENTENCE = 2.0, 1.0
"""What a passage's title and its best sentence weigh, beside its whole text."""

_LINK, _SOURCES = 0.5, 8
"""The share of its score that a passage lends to those which it names or is named by, and how many passages lend."""

_LEAST = 3
_USUAL_QUERY, _LOWEST, _HIGHEST = 8, 0.5, 1.3
"""The words of a query for which the threshold holds as it is, and how far it may move for other queries."""

_ROOT = 5
_PLURAL = rf"[^\W\d_]{{3,{_ROOT - 1}}}(?=(?<!s)s(?![^\W_]))"
_TOKEN = re.compile(
    rf"({_PLURAL}|[^\W\d_]{{1,{_ROOT}}}(?![^\W_]*\d)|[^\W_]+|[.!?](?=\s)|\n)[^\W_]*"
)
_OTHER_SCRIPT = re.compile("[\u0300-\u036f\u0590-\u1dff\u2c00-\ud7ff\uf900-\U0003ffff]")
"""Marks that stand apart from their letter, and scripts in which words do not simply stand between spaces."""

_END = "."
_ENDS = frozenset("!?\n" + _END)

_STOP_WORD = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(sorted(STOP_WORDS))}|(?<=['’])(?:[sdtm]|ll|re|ve))(?![^\W_])",
    re.IGNORECASE,
)

_HEADING = re.compile(r"\s*(?:#{1,6}|[Tt]itle:)[^\S\n]*(\S[^\n]{0,199})")
_FIRST_LINE = re.compile(r"\s*([^\W_][^\n]{0,78}[^\s.!?:;,])[^\S\n]*\n\s*\S")
_SUBJECT = re.compile(
    r"\s*[\"'“‘(]*((?:The |An? )?[A-Z\d][^,.()\n]{1,58}?)[\"'”’]*\s*(?:\(|,|(?<=\s)(?:is|was|are|were)\b)"
)
_MOST_SUBJECT_WORDS = 7
_IN_PARENTHESES = re.compile(r"(?<!\s)\s*\([^()]*\)")
_TITLE_FROM, _LONGEST_TITLE = 400, 200
"""How many characters of a passage may tell its title, and how many of a title count."""


def extract_title(text: str) -> str:
    """Return the title that a passage begins with, else its subject, else nothing.

    A title is a heading, `Title: …`, or a short first line without a stop. A subject is what the first sentence
    says something about: a name, as in encyclopedias.

    Example:
        >>> [extract_title(text) for text in ("# The Elbe\\nIt is long.", "Jan Hus was a priest.", "it rained.")]
        ['The Elbe', 'Jan Hus', '']
    """
    beginning = text.lstrip()[:_TITLE_FROM]
    if found := _HEADING.match(beginning) or _FIRST_LINE.match(beginning):
        return found[1].strip()
    found = _SUBJECT.match(beginning)
    subject = found[1].strip() if found else ""
    names = [word for word in subject.split() if not word[0].islower()]
    few = len(subject.split()) <= _MOST_SUBJECT_WORDS
    return subject if few and 2 * len(names) >= len(subject.split()) else ""


@dataclass(frozen=True, slots=True)
class TermMatches:
    """What a text, or a sentence of it, has of a query.

    Attributes:
        count: how many words it has.
        asked: those of its words that the query has, in order.
    """

    count: int
    asked: Sequence[str]


@dataclass(frozen=True, slots=True)
class PassageMatches:
    """What a text has of a query, and its sentences.

    Those that have nothing of it are only counted: most of them, and as objects they would take long to collect.

    Attributes:
        whole: what the text has.
        sentences: what the sentences have that have anything.
        others: how many other sentences there are.
        words: how many words those have.
    """

    whole: TermMatches
    sentences: list[TermMatches]
    others: int
    words: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """What is known of passages with regard to a query.

    Attributes:
        scores: of each passage from 0 to 1, as a share of the best one's; empty where nothing matches.
        query_words: how many words the query has that tell something.
    """

    scores: list[float]
    query_words: int

    def bar(self, threshold: float) -> float:
        """Return the share of the best score from which passages count as answers.

        A long query asks for several things at once, of which a passage may answer one: the bar is lower then.
        """
        return threshold * min(_HIGHEST, max(_LOWEST, _USUAL_QUERY / max(1, self.query_words)))

    def relevant(self, bar: float) -> set[int]:
        """Return the passages that count as answers: those above the bar, and in any case the best three."""
        best = set(self.order()[:_LEAST])
        return {at for at, score in enumerate(self.scores) if at in best or score >= bar}

    def order(self) -> list[int]:
        """Return the passages, the best first."""
        return sorted(range(len(self.scores)), key=lambda at: -self.scores[at])


class RankingQuery:
    """A query, and how its words are weighed.

    Args:
        text: what was asked.
        k1: how much a word's repetition counts.
        b: how much a long text is held against it.

    Attributes:
        text: what was asked.
        words: its words that tell something, as they are compared.

    Example:
        >>> query = RankingQuery("How long is the Elbe?")
        >>> query.words
        ['long', 'elbe']
        >>> query.scores(["It is long.", "Both."])[1]
        0.0
    """

    def __init__(self, text: str, k1: float = DEFAULT_K1, b: float = DEFAULT_B) -> None:
        self.text = text
        self.words = list(dict.fromkeys(_telling(text)))
        self._seen = _ENDS.union(self.words)
        self._k1, self._b = k1, b

    def scores(self, texts: Sequence[str]) -> list[float]:
        """Return the score of each text by its words (BM25)."""
        return self._weighed([self._parted(_tokens(text)).whole for text in texts])

    def ranking(
        self,
        texts: Sequence[str],
        titles: Sequence[str],
        scorer: Scorer | None = None,
        names: Sequence[str] | None = None,
    ) -> Ranking:
        """Return how much passages have to do with the query.

        A passage's score is that of its words, of its title's and of its best sentence's together, or what the
        scorer says of it; and a passage that names another one's title shares its score with it, which finds the
        second half of an answer that takes two steps.

        Args:
            texts: the passages.
            titles: a title for each, which may be empty; 200 characters of it count.
            scorer: scores the passages in the place of their words.
            names: what other passages call each one by. None: its title.
        """
        if not self.text.strip():
            return Ranking([], 0)
        titles, names = (
            [title[:_LONGEST_TITLE] for title in some] for some in (titles, names or titles)
        )
        tokens = [_tokens(text) for text in texts]
        if scorer is None:
            scores = self._by_words(tokens, titles)
        else:
            titled = [
                f"{title}\n{text}" if title else text
                for title, text in zip(titles, texts, strict=True)
            ]
            # A scorer may give numbers of numpy, which callers could not write as JSON.
            scores = list(map(float, score_and_validate(scorer, titled, self.text)))
        scores = _linked(scores, [f" {' '.join(own)} " for own in tokens], list(map(_name, names)))
        top = max(scores, default=0.0)
        return Ranking([score / top for score in scores] if top else [], len(self.words))

    def _by_words(self, tokens: Sequence[list[str]], titles: Sequence[str]) -> list[float]:
        texts = [self._parted(own) for own in tokens]
        others, words = sum([text.others for text in texts]), sum([text.words for text in texts])
        each = iter(
            self._weighed(
                [sentence for text in texts for sentence in text.sentences], others, words
            )
        )
        best = [max([next(each) for _ in text.sentences], default=0.0) for text in texts]
        parts = zip(
            self._weighed([text.whole for text in texts]), self.scores(titles), best, strict=True
        )
        return [body + _TITLE * heading + _SENTENCE * sentence for body, heading, sentence in parts]

    def _parted(self, tokens: list[str]) -> PassageMatches:
        """Return what a text has of the query, and what each of its sentences has."""
        seen = [(at, token) for at, token in enumerate(tokens) if token in self._seen]
        sentences, start, asked = [], 0, list[str]()
        others = words = 0
        for at, token in [*seen, (len(tokens), _END)]:
            if token not in _ENDS:
                asked.append(token)
            elif at > start:
                if asked:
                    sentences.append(TermMatches(at - start, asked))
                    asked = []
                else:
                    others, words = others + 1, words + at - start
                start = at + 1
        whole = TermMatches(len(tokens), [token for _, token in seen if token not in _ENDS])
        return PassageMatches(whole, sentences, others, words)

    def _weighed(
        self, texts: Sequence[TermMatches], others: int = 0, words: int = 0
    ) -> list[float]:
        """Return the BM25 score of each text.

        Args:
            texts: Matches of the texts to score.
            others: Number of further texts that have no word of the query.
            words: Number of words in those.
        """
        lengths = [text.count for text in texts]
        terms: dict[str, dict[int, int]] = {}
        for index, text in enumerate(texts):
            for word in text.asked:
                frequencies = terms.setdefault(word, {})
                frequencies[index] = frequencies.get(index, 0) + 1
        total = len(texts) + others
        return bm25_scores(
            terms.values(),
            lengths,
            total=total,
            average_length=(sum(lengths) + words) / max(1, total),
            k1=self._k1,
            b=self._b,
        )


def _tokens(text: str) -> list[str]:
    """Return the words of a text as they are compared, and where sentences end.

    Of a word its first five letters count, without a plural's s, so that endings hardly matter; what holds a digit
    counts whole. The scorers compare whole words and the parts of names, as `relevance.words` tells them, which suits
    code and data. Passages are prose, where roots find more, and one expression that tells sentences too is several
    times as fast. Other scripts are left to `relevance.words`.
    """
    if text.isascii() or not _OTHER_SCRIPT.search(text):
        return _TOKEN.findall(text.lower())
    return [word[:_ROOT] if word.isalpha() else word for word in split_words(text)]


def _telling(text: str) -> list[str]:
    """Return the words of a text, as they are compared, without those that are in every text."""
    return [token for token in _tokens(_STOP_WORD.sub(" ", text)) if token not in _ENDS]


def _name(title: str) -> str:
    """Return a title's words between spaces, as other passages name it; nothing where it has only common words."""
    name = _IN_PARENTHESES.sub("", title) or title
    return f" {' '.join(_tokens(name))} " if _telling(name) else ""


def _linked(scores: list[float], texts: Sequence[str], names: Sequence[str]) -> list[float]:
    """Return the scores, each with what the best passages lend it that name it or that it names."""
    lent = [0.0] * len(scores)
    for source in sorted(range(len(scores)), key=lambda at: -scores[at])[:_SOURCES]:
        name, text, loan = names[source], texts[source], _LINK * scores[source]
        for at, other in enumerate(names):
            if (
                other != name
                and lent[at] < loan
                and ((other and other in text) or (name and name in texts[at]))
            ):
                lent[at] = loan
    return [score + loan for score, loan in zip(scores, lent, strict=True)]
