"""`python -m benchmarks.nodes`: savings and kept answers of LlamaIndex's postprocessors.

The passages of a case are the nodes of a vector index, which retrieves all of them for the case's
question. The embedding is simple: each word has a dimension of the vector, so that texts that share
words are near each other, rare words more so than common words. The methods to compare with are set
to save as many tokens of a set as the first line does, as nearly as possible:
`SentenceEmbeddingOptimizer` keeps a node whole if the share is less than a sentence of the node.
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
from benchmarks.corpus import (
    Case,
    Score,
    add_file_arguments,
    find_missed,
    list_misses,
    load_cases,
    load_scoring_module,
    total_weight,
    write_misses,
)
from headroom_integrations.llamaindex import HeadroomNodePostprocessor

SETS = "rag_nq", "rag_hotpot", "rag_squad"

DIMENSIONS = 512
BISECTIONS = 7
"""Steps in the search for the setting at which a method saves as many tokens as ours."""

_EPSILON = 1e-9
"""Value of the dimensions without words: a vector of zeros has no angle to others."""

Nodes = list[NodeWithScore]
RetrievedCase = tuple[Case, Nodes]

Method = Callable[[Nodes, str], Nodes]
"""Takes retrieved nodes and a question, and returns the nodes to send."""

MakeMethod = Callable[[float], Method]
"""Makes a method that keeps a share of the tokens, from 0 to 1."""


class WordEmbedding(BaseEmbedding):
    """An embedding in which texts that share words are near each other.

    Attributes:
        rarity: Weight of each dimension, by the rarity of its words.
    """

    rarity: dict[int, float]

    def _get_text_embedding(self, text: str) -> list[float]:
        vector = [_EPSILON] * DIMENSIONS
        for dimension, count in Counter(dimensions_of(text)).items():
            vector[dimension] = math.sqrt(count) * self.rarity.get(dimension, 1.0)
        return vector

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@lru_cache(maxsize=100_000)
def dimensions_of(text: str) -> list[int]:
    """Return the dimension of each word."""
    return [crc32(word.encode()) % DIMENSIONS for word in re.findall(r"\w+", text.lower())]


def make_embedding(texts: Sequence[str]) -> WordEmbedding:
    """Make an embedding with the rarity of the words in some texts."""
    counts = Counter(dimension for text in texts for dimension in set(dimensions_of(text)))
    return WordEmbedding(
        rarity={dimension: math.log(1 + len(texts) / count) for dimension, count in counts.items()}
    )


def make_nodes(case: Case) -> list[TextNode]:
    """Return the passages of a case as nodes, with their titles as metadata.

    Example:
        >>> document = {"text": "It is long.", "metadata": {"title": "Elbe", "rank": 1}}
        >>> (node,) = make_nodes({"documents": [document]})
        >>> node.get_content(MetadataMode.LLM)
        'title: Elbe\\n\\nIt is long.'
    """
    nodes = []
    for document in case["documents"]:
        title = document["metadata"].get("title")
        nodes.append(TextNode(text=document["text"], metadata={"title": title} if title else {}))
    return nodes


def retrieve_nodes(case: Case, embedding: BaseEmbedding) -> Nodes:
    """Return all nodes of a case in the order in which a retriever finds them."""
    nodes = make_nodes(case)
    index = VectorStoreIndex(nodes, embed_model=embedding)
    return index.as_retriever(similarity_top_k=len(nodes)).retrieve(case["query"])


def render_nodes(nodes: Nodes) -> str:
    """Return the text of nodes that a model is sent."""
    return "\n\n".join(node.node.get_content(MetadataMode.LLM) for node in nodes)


def compress_nodes(nodes: Nodes, query: str) -> Nodes:
    """Compress nodes with the default settings."""
    return HeadroomNodePostprocessor().postprocess_nodes(nodes, query_str=query)


def reorder_nodes(nodes: Nodes, query: str) -> Nodes:
    """Change the order of nodes only."""
    return LongContextReorder().postprocess_nodes(nodes, query_str=query)


def make_leading_nodes(share: float) -> Method:
    """Make a method that keeps the best nodes, as many as fit into a share of the tokens."""

    def method(nodes: Nodes, query: str) -> Nodes:
        sizes = [len(render_nodes([node])) for node in nodes]
        room = share * sum(sizes)
        count = 0
        while count < len(nodes) and sum(sizes[: count + 1]) <= room:
            count += 1
        return nodes[: max(1, count)]

    return method


def make_similar_nodes(share: float) -> Method:
    """Make a method that keeps the nodes with a minimum similarity."""
    processor = SimilarityPostprocessor(similarity_cutoff=1 - share)
    return lambda nodes, query: processor.postprocess_nodes(nodes, query_str=query)


def make_best_sentences(embedding: BaseEmbedding) -> MakeMethod:
    """Return a function that makes a method that keeps a share of each node's sentences."""

    def make(share: float) -> Method:
        processor = SentenceEmbeddingOptimizer(
            embedding, percentile_cutoff=share, context_before=0, context_after=0
        )

        def method(nodes: Nodes, query: str) -> Nodes:
            # The processor modifies the nodes that it gets.
            copies = [node.model_copy(update={"node": node.node.model_copy()}) for node in nodes]
            return processor.postprocess_nodes(copies, query_str=query)

        return method

    return make


def score_method(cases: Sequence[RetrievedCase], method: Method, scoring: Any) -> list[Score]:
    """Score a method on cases."""
    scores = []
    for case, nodes in cases:
        # Before the method, which may modify the nodes.
        before = scoring.ntok(render_nodes(nodes))
        text = render_nodes(method(nodes, case["query"]))
        scores.append(
            Score(
                case=case["id"],
                set=case["set"],
                before=before,
                after=scoring.ntok(text),
                facts=total_weight(case["must_keep"]),
                missed=find_missed(case, text, scoring),
                seconds=0,
                floor=1,
            )
        )
    return scores


def score_at_size(
    tokens: int, make_method: MakeMethod, cases: Sequence[RetrievedCase], scoring: Any
) -> list[Score]:
    """Score a method at the setting that leaves a number of tokens, as nearly as possible."""
    low, high = 0.0, 1.0
    trials = []
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        scores = score_method(cases, make_method(middle), scoring)
        trials.append(scores)
        if tokens_after(scores) < tokens:
            low = middle
        else:
            high = middle
    return min(trials, key=lambda scores: abs(tokens_after(scores) - tokens))


def tokens_after(scores: Iterable[Score]) -> int:
    """Return the total number of tokens that are left."""
    return sum(score.after for score in scores)


def format_cells(scores: Sequence[Score]) -> str:
    """Format the shares of saved tokens and kept answers."""
    # Adding 0.0 turns a negative zero into zero.
    saved = round(1 - tokens_after(scores) / sum(score.before for score in scores), 3) + 0.0
    kept = sum(score.kept for score in scores) / sum(score.facts for score in scores)
    return f"{saved:>9.1%}{kept:>9.1%}"


def format_lines(results: dict[str, dict[str, list[Score]]]) -> Iterator[str]:
    """Yield the lines of the table: a line for each method, and columns for each set."""
    sets = list(next(iter(results.values())))
    yield " " * 32 + "".join(f"{name.removeprefix('rag_'):>18}" for name in [*sets, "all"])
    yield " " * 32 + f"{'saved':>9}{'kept':>9}" * (len(sets) + 1)
    for method, scores_by_set in results.items():
        all_scores = [score for scores in scores_by_set.values() for score in scores]
        yield f"{method:<32}" + "".join(map(format_cells, [*scores_by_set.values(), all_scores]))


def score_methods(cases: Sequence[Case], scoring: Any) -> dict[str, list[Score]]:
    """Score each method on the cases of a set."""
    texts = [document["text"] for case in cases for document in case["documents"]]
    embedding = make_embedding(texts)
    retrieved = [(case, retrieve_nodes(case, embedding)) for case in cases]
    ours = score_method(retrieved, compress_nodes, scoring)
    compared = {
        "the first nodes": make_leading_nodes,
        "SimilarityPostprocessor": make_similar_nodes,
        "SentenceEmbeddingOptimizer": make_best_sentences(embedding),
    }
    results = {"HeadroomNodePostprocessor": ours}
    for name, make_method in compared.items():
        results[name] = score_at_size(tokens_after(ours), make_method, retrieved, scoring)
    results["LongContextReorder"] = score_method(retrieved, reorder_nodes, scoring)
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    """Score every method on the sets, and print a table."""
    parser = argparse.ArgumentParser("python -m benchmarks.nodes", description=__doc__)
    add_file_arguments(parser)
    options = parser.parse_args(arguments)
    scoring = load_scoring_module(options.corpus)
    results: dict[str, dict[str, list[Score]]] = {}
    for name in SETS:
        progress(name)
        cases = load_cases(scoring, [name], options.corpus)
        if not cases:
            continue
        for method, scores in score_methods(cases, scoring).items():
            results.setdefault(method, {})[name] = scores
    progress("")
    print("\n".join(format_lines(results)), flush=True)
    if options.misses:
        ours = [
            score for scores in results["HeadroomNodePostprocessor"].values() for score in scores
        ]
        write_misses(options.misses, list_misses("selecting", ours))


if __name__ == "__main__":
    main()
