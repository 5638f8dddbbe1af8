"""`python -m benchmarks.nodes`: what LlamaIndex's postprocessors save, and which answers they keep, on real passages.

The passages of a case are nodes of a vector index, which finds them all for its question. The embedding is a simple
one: every word is a place in the vector, so that texts are near that share words, rare words more than common ones.
What is compared with is set so that it saves as many tokens of a set as the first line does, as nearly as it can:
`SentenceEmbeddingOptimizer` keeps all of a node where the share is less than one of its sentences.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.postprocessor import (
    LongContextReorder,
    SentenceEmbeddingOptimizer,
    SimilarityPostprocessor,
)
from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode

from benchmarks.__main__ import progress
from benchmarks.corpus import Score, add_files, load_scoring_module, misses, weight
from headroom_integrations.llamaindex import HeadroomNodePostprocessor

SETS = "rag_nq", "rag_hotpot", "rag_squad"
SIZE = 512
STEPS = 7
"""How often the setting of a method that is compared with is halved in on."""

_NEXT_TO_NOTHING = 1e-9  # A vector of nothing has no angle.

Found = list[NodeWithScore]
Method = Callable[[Found, str], Found]


class HashedWords(BaseEmbedding):
    """An embedding in which texts are near each other that share words.

    Attributes:
        rarity: what each place of the vector weighs, by its words' rarity.
    """

    rarity: dict[int, float]

    def _get_text_embedding(self, text: str) -> list[float]:
        vector = [_NEXT_TO_NOTHING] * SIZE
        for place, often in Counter(places(text)).items():
            vector[place] = math.sqrt(often) * self.rarity.get(place, 1.0)
        return vector

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@lru_cache(maxsize=100_000)
def places(text: str) -> list[int]:
    """Return the place of each word in the vector."""
    return [crc32(word.encode()) % SIZE for word in re.findall(r"\w+", text.lower())]


def embedding(texts: Sequence[str]) -> HashedWords:
    """Return the embedding that knows how rare the words of some texts are."""
    held = Counter(place for text in texts for place in set(places(text)))
    return HashedWords(
        rarity={place: math.log(1 + len(texts) / often) for place, often in held.items()}
    )


def nodes(case: dict[str, Any]) -> list[TextNode]:
    """Return the passages of a case as nodes, their titles in the metadata.

    Example:
        >>> (node,) = nodes({"documents": [{"text": "It is long.", "metadata": {"title": "Elbe", "rank": 1}}]})
        >>> node.get_content(MetadataMode.LLM)
        'title: Elbe\\n\\nIt is long.'
    """
    return [
        TextNode(text=one["text"], metadata=named(one["metadata"])) for one in case["documents"]
    ]


def named(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the title alone."""
    return {"title": metadata["title"]} if metadata.get("title") else {}


def retrieved(case: dict[str, Any], embed: BaseEmbedding) -> Found:
    """Return all nodes of a case, as a retriever finds them."""
    passages = nodes(case)
    index = VectorStoreIndex(passages, embed_model=embed)
    return index.as_retriever(similarity_top_k=len(passages)).retrieve(case["query"])


def shown(found: Found) -> str:
    """Return what a model is sent of nodes."""
    return "\n\n".join(one.node.get_content(MetadataMode.LLM) for one in found)


def headroom(found: Found, query: str) -> Found:
    """Shorten with the default settings."""
    return HeadroomNodePostprocessor().postprocess_nodes(found, query_str=query)


def reordered(found: Found, query: str) -> Found:
    """Change the order alone."""
    return LongContextReorder().postprocess_nodes(found, query_str=query)


def first(share: float) -> Method:
    """Return what keeps the best nodes of the retriever, as many as a share of the tokens has room for."""

    def method(found: Found, query: str) -> Found:
        sizes = [len(shown([one])) for one in found]
        room, kept = share * sum(sizes), 0
        while kept < len(found) and sum(sizes[: kept + 1]) <= room:
            kept += 1
        return found[: max(1, kept)]

    return method


def similar(share: float) -> Method:
    """Return what keeps the nodes from a score on."""
    processor = SimilarityPostprocessor(similarity_cutoff=1 - share)
    return lambda found, query: processor.postprocess_nodes(found, query_str=query)


def optimised(embed: BaseEmbedding) -> Callable[[float], Method]:
    """Return what keeps the best sentences of every node: such a share of them."""

    def shared(share: float) -> Method:
        processor = SentenceEmbeddingOptimizer(
            embed, percentile_cutoff=share, context_before=0, context_after=0
        )
        # It changes the nodes that it is given.
        return lambda found, query: processor.postprocess_nodes(
            [one.model_copy(update={"node": one.node.model_copy()}) for one in found],
            query_str=query,
        )

    return shared


def assess(
    cases: Sequence[tuple[dict[str, Any], Found]], method: Method, score: Any
) -> list[Score]:
    """Return the scores of a method on cases."""
    scores = []
    for case, found in cases:
        before, text = score.ntok(shown(found)), shown(method(found, case["query"]))
        known, facts = score.Text(text), case["must_keep"]
        missed = tuple(fact for fact in facts if not score.fact_kept(fact, known))
        scores.append(
            Score(case["id"], case["set"], before, score.ntok(text), weight(facts), missed, 0, 1)
        )
    return scores


def like(
    tokens: int, made: Callable[[float], Method], cases: Sequence[Any], score: Any
) -> list[Score]:
    """Return the scores of a method whose share is set so that as many tokens are left, as nearly as it can."""
    low, high, tried = 0.0, 1.0, []
    for _ in range(STEPS):
        middle = (low + high) / 2
        tried.append(assess(cases, made(middle), score))
        low, high = (middle, high) if after(tried[-1]) < tokens else (low, middle)
    return min(tried, key=lambda scores: abs(after(scores) - tokens))


def after(scores: Iterable[Score]) -> int:
    """Return the tokens that are left."""
    return sum(score.after for score in scores)


def cells(scores: Sequence[Score]) -> str:
    """Return what was saved, and which answers were kept."""
    saved = round(1 - after(scores) / sum(score.before for score in scores), 3) + 0.0  # No -0.0.
    kept = sum(score.kept for score in scores) / sum(score.facts for score in scores)
    return f"{saved:>9.1%}{kept:>9.1%}"


def lines(results: dict[str, dict[str, list[Score]]]) -> Iterator[str]:
    """Yield the lines of the table: a method each, in columns of the sets."""
    sets = list(next(iter(results.values())))
    yield " " * 32 + "".join(f"{name.removeprefix('rag_'):>18}" for name in [*sets, "all"])
    yield " " * 32 + f"{'saved':>9}{'kept':>9}" * (len(sets) + 1)
    for method, by_set in results.items():
        every = [score for scores in by_set.values() for score in scores]
        yield f"{method:<32}" + "".join(map(cells, [*by_set.values(), every]))


def measured(cases: Sequence[dict[str, Any]], score: Any) -> dict[str, list[Score]]:
    """Return the scores of each method on the cases of a set."""
    embed = embedding([document["text"] for case in cases for document in case["documents"]])
    found = [(case, retrieved(case, embed)) for case in cases]
    ours = assess(found, headroom, score)
    compared = {
        "the first nodes": first,
        "SimilarityPostprocessor": similar,
        "SentenceEmbeddingOptimizer": optimised(embed),
    }
    return {
        "HeadroomNodePostprocessor": ours,
        **{name: like(after(ours), made, found, score) for name, made in compared.items()},
        "LongContextReorder": assess(found, reordered, score),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Score every method on the sets, and print a table."""
    parser = argparse.ArgumentParser("python -m benchmarks.nodes", description=__doc__)
    add_files(parser)
    asked = parser.parse_args(arguments)
    score = load_scoring_module(asked.corpus)
    results: dict[str, dict[str, list[Score]]] = {}
    for name in SETS:
        progress(name)
        cases = [case for _, case in score.load([name], ("dev",), str(asked.corpus))]
        for method, scores in measured(cases, score).items() if cases else ():
            results.setdefault(method, {})[name] = scores
    progress("")
    print("\n".join(lines(results)), flush=True)
    if asked.misses:
        ours = [one for scores in results["HeadroomNodePostprocessor"].values() for one in scores]
        asked.misses.write_text(
            "".join(f"{line}\n" for line in misses("selecting", ours)), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
