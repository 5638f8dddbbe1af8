"""Terms by which passages are compared: stems of words, and the ends of sentences between them."""

from __future__ import annotations

import re

from headroom_core.relevance.stop_words import STOP_WORDS
from headroom_core.relevance.words import split_words

# Words are compared by their first letters, so endings hardly matter.
_STEM_LETTERS = 5

# A short word's stem does not include the s of its plural: `cats` is `cat`, but `glass` is `glass`.
_PLURAL = rf"[^\W\d_]{{3,{_STEM_LETTERS - 1}}}(?=(?<!s)s(?![^\W_]))"

# The stem of each word, or a sign that ends a sentence. A word with a digit is an id or a number
# and must match whole. One expression for both is several times as fast as two passes.
_TOKEN = re.compile(
    rf"({_PLURAL}|[^\W\d_]{{1,{_STEM_LETTERS}}}(?![^\W_]*\d)|[^\W_]+|[.!?](?=\s)|\n)[^\W_]*"
)

# Marks that are separate from their letter, and scripts in which words are not simply delimited by
# spaces: `_TOKEN` would cut these in the wrong places.
_OTHER_SCRIPT = re.compile("[\u0300-\u036f\u0590-\u1dff\u2c00-\ud7ff\uf900-\U0003ffff]")

SENTENCE_END = "."
"""Sign that ends a sentence."""

SENTENCE_ENDS = frozenset("!?\n" + SENTENCE_END)
"""All signs that end a sentence, as they stand between the terms of a text."""

STOP_TERMS = frozenset(word[:_STEM_LETTERS] for word in STOP_WORDS)
"""Stop words as they stand among the terms of a text."""

# Whole stop words, and the letters after an apostrophe ("it's", "we'll").
_STOP_WORD = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(sorted(STOP_WORDS))}|(?<=['’])(?:[sdtm]|ll|re|ve))(?![^\W_])",
    re.IGNORECASE,
)


def split_terms(text: str) -> list[str]:
    """Return the words of a text as they are compared, and the ends of sentences between them.

    The scorers compare whole words and the parts of names, which suits code and data. Passages are
    prose, where stems find more. Other scripts are left to `relevance.words`.
    """
    if text.isascii() or not _OTHER_SCRIPT.search(text):
        return _TOKEN.findall(text.lower())
    return [word[:_STEM_LETTERS] if word.isalpha() else word for word in split_words(text)]


def significant_terms(text: str) -> list[str]:
    """Return the words of a text as they are compared, without stop words."""
    return [token for token in split_terms(_STOP_WORD.sub(" ", text)) if token not in SENTENCE_ENDS]
