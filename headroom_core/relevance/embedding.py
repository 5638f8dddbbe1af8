"""Relevance by meaning: the angle between vectors that a model gives to texts."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from headroom_core._internal.fork import ForkSafeLock
from headroom_core.errors import ConfigurationError, ProviderError
from headroom_core.markers import content_key
from headroom_core.relevance.base import require_texts
from headroom_core.relevance.encoders import Encode, Encoder, encoder_of, load, require_package

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[Any]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_DECIMALS = 6


class EmbeddingScorer:
    """Scores items by what they mean: the cosine of their and the query's vectors, with negative ones as 0.

    Use it for questions in other words than the texts'. It is slow, and blind to ids: a `HybridScorer` sees both.
    A text that holds nothing scores 0. Each text is embedded once while its vector is remembered.

    Args:
        model: a name or a folder of a sentence-transformers model, which is loaded when it is first needed;
            or a function from a list of texts to their vectors, an object with such a method `encode`, or
            embeddings of LangChain or LlamaIndex.
        allow_download: fetch a model that is not on this machine.
        batch_size: texts that the model is given at once, at most.
        cache_size: vectors to remember, at most.

    Raises:
        ConfigurationError: the model is none of these, a size is below 1, or sentence-transformers is needed and
            not installed.

    Example:
        >>> def letters(texts):
        ...     return [[text.count(letter) for letter in "aeiou"] for text in texts]
        >>> EmbeddingScorer(letters).score_items(["banana", "kiwi"], "alabama")
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
        for name, size in {"batch_size": batch_size, "cache_size": cache_size}.items():
            if not (isinstance(size, int) and size >= 1):
                raise ConfigurationError(
                    f"{name} = {size!r}: expected a whole number from 1 on", {name: size}
                )
        self._name = os.fspath(model) if isinstance(model, (str, os.PathLike)) else ""
        self._encoder = None if self._name else encoder_of(model)
        if self._name:
            require_package()
        self._allow_download = allow_download
        self._batch_size = batch_size
        self._cache = _Cache(cache_size)
        self._turns: dict[int, Lock] = {}

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order, to six decimals.

        Raises:
            TypeError: the items are one text, or one of them is no text.
            ConfigurationError: the model is not on this machine, and may not be fetched.
            ProviderError: the model gave something else than one vector of finite numbers a text.
        """
        texts = require_texts("items", items)
        wanted = list(dict.fromkeys(text for text in texts if text.strip()))
        if not wanted or not query.strip():
            return [0.0] * len(texts)
        encoder = self._loaded()
        asked = self._vectors([query], encoder.queries, "query")[query]
        vectors = self._vectors(
            wanted, encoder.items, "query" if encoder.items is encoder.queries else "item"
        )
        scores = dict(zip(wanted, _cosines([vectors[text] for text in wanted], asked)))
        return [scores.get(text, 0.0) for text in texts]

    def _loaded(self) -> Encoder:
        if self._encoder is None:
            with self._turn():
                self._encoder = self._encoder or load(self._name, self._allow_download)
        return self._encoder

    def _turn(self) -> Lock:
        """Return what lets one thread at a time use the model, which may not bear more.

        Each process has its own: a model may take long or fork itself, so that a fork must not wait for it.
        """
        return self._turns.setdefault(os.getpid(), Lock())

    def _vectors(self, texts: Sequence[str], encode: Encode, kind: str) -> dict[str, Vector]:
        """Return a vector of length 1 for each text, or of length 0 where the model says nothing of it."""
        keys = {text: f"{kind} {content_key(text)}" for text in texts}
        found = self._cache.get(keys)
        if len(found) == len(keys):
            return found
        with self._turn():
            found |= self._cache.get({text: key for text, key in keys.items() if text not in found})
            missing = [text for text in texts if text not in found]
            for start in range(0, len(missing), self._batch_size):
                batch = missing[start : start + self._batch_size]
                vectors = dict(
                    zip(
                        batch,
                        _unit_vectors(encode([_well_formed(text) for text in batch]), len(batch)),
                    )
                )
                self._cache.put({keys[text]: vector for text, vector in vectors.items()})
                found |= vectors
        return found


class _Cache:
    """The vectors used last, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[str, Vector] = OrderedDict()
        self._lock = ForkSafeLock()

    def get(self, keys: Mapping[str, str]) -> dict[str, Vector]:
        """Return the vectors that are known, by text."""
        with self._lock:
            known = {text: self._vectors[key] for text, key in keys.items() if key in self._vectors}
            for text in known:
                self._vectors.move_to_end(keys[text])
        return known

    def put(self, vectors: Mapping[str, Vector]) -> None:
        with self._lock:
            self._vectors.update(vectors)
            while len(self._vectors) > self._size:
                self._vectors.popitem(last=False)


def _well_formed(text: str) -> str:
    """Return the text with half characters, which no model takes, as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _unit_vectors(vectors: Any, expected: int) -> list[Vector]:
    """Return what a model gave as vectors of length 1, zeros as they are.

    Raises:
        ProviderError: it is not one vector of finite numbers for each of the expected texts.
    """
    import numpy as np  # 0.1 s to load

    try:
        matrix = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        kind = type(vectors).__name__
        raise ProviderError(
            f"the embedding model gave a {kind} that is no table of numbers", {"type": kind}
        ) from error
    if matrix.ndim != 2 or len(matrix) != expected or not matrix.shape[1]:
        shape = " x ".join(map(str, matrix.shape)) or "single"
        details = {"shape": matrix.shape, "texts": expected}
        raise ProviderError(
            f"the embedding model gave {shape} numbers: expected a vector for each of {expected} texts",
            details,
        )
    if not np.isfinite(matrix).all():
        raise ProviderError("the embedding model gave a vector with a number that is not finite")
    # In two steps, because the squares of very large or small numbers are out of range.
    for lengths in (np.abs(matrix).max(axis=1, keepdims=True), None):
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True) if lengths is None else lengths
        matrix = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return [row.copy() for row in matrix.astype(np.float32)]


def _cosines(vectors: Sequence[Vector], asked: Vector) -> list[float]:
    import numpy as np

    if odd := next((vector.shape for vector in vectors if vector.shape != asked.shape), None):
        raise ProviderError(
            f"the embedding model gave vectors of {asked.size} and of {odd[0]} numbers: expected one length",
            {"query": asked.size, "item": odd[0]},
        )
    cosines: list[float] = (
        np.clip(np.stack(vectors) @ asked, 0.0, 1.0).astype(np.float64).round(_DECIMALS).tolist()
    )
    return cosines
