"""Relevance by meaning: the angle between vectors that a model assigns to texts."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from headroom_core._internal.checks import require_positive_int
from headroom_core._internal.fork import ForkSafeLock
from headroom_core.errors import ProviderError
from headroom_core.markers import content_key
from headroom_core.relevance.base import require_texts
from headroom_core.relevance.encoders import (
    Encode,
    Encoder,
    load_encoder,
    make_encoder,
    require_package,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[Any]

DEFAULT_MODEL = "all-MiniLM-L6-v2"

# Beyond these, the scores of one text differ between machines and batch sizes.
_SCORE_DECIMALS = 6


class EmbeddingScorer:
    """Scores items by meaning: the cosine of its vector and the query's, at least 0.

    Use it for questions in other words than the texts'. It is slow, and blind to ids: a
    `HybridScorer` sees both. A blank text scores 0. Each text is embedded once while its vector is
    in the cache.

    Args:
        model: Name or folder of a sentence-transformers model, which is loaded on first use; or a
            function from a list of texts to their vectors, an object with such a method `encode`,
            or embeddings of LangChain or LlamaIndex.
        allow_download: Whether to download a model that is not on this machine.
        batch_size: Maximum number of texts to give to the model at once.
        cache_size: Maximum number of vectors to keep.

    Raises:
        ConfigurationError: `model` is of another type, a size is not a positive integer, or
            sentence-transformers is needed and not installed.

    Example:
        >>> def count_vowels(texts):
        ...     return [[text.count(letter) for letter in "aeiou"] for text in texts]
        >>> EmbeddingScorer(count_vowels).score_items(["banana", "kiwi"], "alabama")
        [1.0, 0.0]
    """

    def __init__(
        self,
        model: Any = DEFAULT_MODEL,
        *,
        allow_download: bool = False,
        batch_size: int = 256,
        cache_size: int = 10_000,
    ) -> None:
        self._batch_size = require_positive_int("batch_size", batch_size)
        self._cache = _VectorCache(require_positive_int("cache_size", cache_size))
        self._model_name = os.fspath(model) if isinstance(model, (str, os.PathLike)) else ""
        self._encoder: Encoder | None = None
        if self._model_name:
            require_package()
        else:
            self._encoder = make_encoder(model)
        self._allow_download = allow_download
        self._locks: dict[int, Lock] = {}

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order, rounded to six decimals.

        Args:
            items: Texts to score.
            query: Text to compare them with.

        Raises:
            TypeError: `items` is a string, or one of the items is not a string.
            ConfigurationError: The model is not on this machine, and downloads are not allowed.
            ProviderError: The model did not return one vector of finite numbers for each text.
        """
        texts = require_texts("items", items)
        distinct = list(dict.fromkeys(text for text in texts if text.strip()))
        if not distinct or not query.strip():
            return [0.0] * len(texts)
        encoder = self._load_encoder()
        query_vector = self._embed([query], encoder.queries, "query")[query]
        # If a model encodes both alike, an item may reuse the vector of an equal query.
        kind = "query" if encoder.items is encoder.queries else "item"
        vectors = self._embed(distinct, encoder.items, kind)
        cosines = _cosines([vectors[text] for text in distinct], query_vector)
        scores = dict(zip(distinct, cosines))
        return [scores.get(text, 0.0) for text in texts]

    def _load_encoder(self) -> Encoder:
        if self._encoder is None:
            with self._model_lock():
                if self._encoder is None:
                    self._encoder = load_encoder(self._model_name, self._allow_download)
        return self._encoder

    def _model_lock(self) -> Lock:
        """Return the lock that lets one thread at a time use the model, which may not be safe.

        There is one for each process: a model may run long or fork itself, so a forked process
        must not wait for a lock that is never released in it.
        """
        return self._locks.setdefault(os.getpid(), Lock())

    def _embed(self, texts: Sequence[str], encode: Encode, kind: str) -> dict[str, Vector]:
        """Return the vector of each text, of length 1, or of length 0 if the model gave zeros."""
        keys = {text: f"{kind} {content_key(text)}" for text in texts}
        vectors = self._cache.get(keys)
        if len(vectors) == len(keys):
            return vectors
        with self._model_lock():
            # Another thread may have embedded them while this one waited.
            vectors |= self._cache.get(
                {text: key for text, key in keys.items() if text not in vectors}
            )
            missing = [text for text in texts if text not in vectors]
            for start in range(0, len(missing), self._batch_size):
                batch = missing[start : start + self._batch_size]
                encoded = encode([_replace_surrogates(text) for text in batch])
                embedded = dict(zip(batch, _unit_vectors(encoded, len(batch))))
                self._cache.put({keys[text]: vector for text, vector in embedded.items()})
                vectors |= embedded
        return vectors


class _VectorCache:
    """Thread-safe cache of the vectors used most recently.

    Args:
        size: Maximum number of vectors to keep.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[str, Vector] = OrderedDict()
        self._lock = ForkSafeLock()

    def get(self, keys: Mapping[str, str]) -> dict[str, Vector]:
        """Return the vectors that are cached, by text.

        Args:
            keys: Keys of the vectors, by text.
        """
        with self._lock:
            cached = {
                text: self._vectors[key] for text, key in keys.items() if key in self._vectors
            }
            for text in cached:
                self._vectors.move_to_end(keys[text])
        return cached

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Add vectors by key, and drop those that were not used for longest."""
        with self._lock:
            self._vectors.update(vectors)
            while len(self._vectors) > self._size:
                self._vectors.popitem(last=False)


def _replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which no tokenizer accepts, with question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _unit_vectors(vectors: Any, expected: int) -> list[Vector]:
    """Scale the vectors of a model to length 1, except zeros.

    Args:
        vectors: Return value of the model.
        expected: Number of texts it was given.

    Raises:
        ProviderError: The value is not one vector of finite numbers for each text.
    """
    import numpy as np  # Takes 0.1 s to load.

    try:
        matrix = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        kind = type(vectors).__name__
        raise ProviderError(
            f"the embedding model returned a {kind} that is not a table of numbers: "
            "expected one vector for each text",
            {"type": kind},
        ) from error
    if matrix.ndim != 2 or len(matrix) != expected or not matrix.shape[1]:
        shape = " x ".join(map(str, matrix.shape)) or "single"
        raise ProviderError(
            f"the embedding model returned {shape} numbers: "
            f"expected a vector for each of {expected} texts",
            {"shape": matrix.shape, "texts": expected},
        )
    if not np.isfinite(matrix).all():
        raise ProviderError(
            "the embedding model returned a vector with a number that is not finite"
        )
    # First by the largest component: squares of very large or small numbers are out of range.
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    matrix = _divide_rows(matrix, largest)
    matrix = _divide_rows(matrix, np.linalg.norm(matrix, axis=1, keepdims=True))
    return [row.copy() for row in matrix.astype(np.float32)]


def _divide_rows(matrix: Vector, divisors: Vector) -> Vector:
    """Divide each row by its divisor; rows with the divisor 0 become zeros."""
    import numpy as np

    quotient: Vector = np.divide(matrix, divisors, out=np.zeros_like(matrix), where=divisors > 0)
    return quotient


def _cosines(vectors: Sequence[Vector], query_vector: Vector) -> list[float]:
    """Return the cosine of each unit vector and the query's, at least 0."""
    import numpy as np

    for vector in vectors:
        if vector.shape != query_vector.shape:
            sizes = query_vector.size, vector.size
            raise ProviderError(
                f"the embedding model returned vectors of {sizes[0]} and of {sizes[1]} numbers: "
                "expected one length",
                {"query": sizes[0], "item": sizes[1]},
            )
    products = np.clip(np.stack(vectors) @ query_vector, 0.0, 1.0)
    cosines: list[float] = products.astype(np.float64).round(_SCORE_DECIMALS).tolist()
    return cosines
