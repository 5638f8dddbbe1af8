"""How much each of many texts has to do with a query. Importing it loads nothing heavy."""

from headroom_core.relevance.bm25 import BM25Scorer
from headroom_core.relevance.words import words

__all__ = ["BM25Scorer", "words"]
