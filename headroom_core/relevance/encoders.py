"""Adapters from embedding models of several libraries to one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from headroom_core.errors import ConfigurationError

_INSTALL_COMMAND = "pip install headroom-integrations[relevance]"
_ACCEPTED_MODELS = (
    "a name or a folder of a sentence-transformers model, a function from texts to vectors, "
    "an object with `encode`, or embeddings of LangChain or LlamaIndex"
)

Encode = Callable[[list[str]], Any]
"""Function that returns one vector for each text."""


class EmbeddingsUnavailableError(ConfigurationError):
    """The package or the model that embeddings need is not on this machine."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Pair of functions that turn texts into vectors.

    Attributes:
        items: Encodes the texts to score.
        queries: Encodes queries, which some models treat differently.
    """

    items: Encode
    queries: Encode


def embedding_available() -> bool:
    """Return whether sentence-transformers is installed, without importing it.

    Example:
        >>> embedding_available() in (True, False)
        True
    """
    return package_origin() is not None


def package_origin() -> str | None:
    """Return the file that sentence-transformers is imported from, or None if not installed."""
    try:
        spec = find_spec("sentence_transformers")
    except ValueError:  # Already imported, but without a spec that names its file.
        return ""
    return None if spec is None else spec.origin or ""


def make_encoder(model: Any) -> Encoder:
    """Return the encoder for an embedding model, recognized by its methods.

    Args:
        model: Embeddings of LangChain or LlamaIndex, an object with `encode`, or a function.

    Raises:
        ConfigurationError: The model is of another type.
    """
    if not isinstance(model, (type, str)):
        if _has_methods(model, "embed_documents", "embed_query"):  # LangChain
            return Encoder(
                model.embed_documents, lambda texts: [model.embed_query(text) for text in texts]
            )
        if _has_methods(model, "get_text_embedding_batch", "get_query_embedding"):  # LlamaIndex
            return Encoder(
                model.get_text_embedding_batch,
                lambda texts: [model.get_query_embedding(text) for text in texts],
            )
        if _has_methods(model, "encode"):  # sentence-transformers
            encode = model.encode
            return Encoder(encode, encode)
        if callable(model):
            return Encoder(model, model)
    if isinstance(model, type):
        name = model.__name__
        problem = f"model is the class {name}, not an instance"
    else:
        name = type(model).__name__
        problem = f"model is of type {name}"
    raise ConfigurationError(f"{problem}: give {_ACCEPTED_MODELS}", {"model": name})


def require_package() -> None:
    """Check that sentence-transformers is installed.

    Raises:
        EmbeddingsUnavailableError: The package is not installed.
    """
    if not embedding_available():
        raise EmbeddingsUnavailableError(
            f"embeddings need sentence-transformers, which is not installed: {_INSTALL_COMMAND}"
        )


def load_encoder(name: str, allow_download: bool) -> Encoder:
    """Load a sentence-transformers model.

    Args:
        name: Name or folder of the model.
        allow_download: Whether to download a model that is not on this machine.

    Raises:
        EmbeddingsUnavailableError: The package cannot be imported, or the model is not on this
            machine.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise EmbeddingsUnavailableError(
            f"sentence-transformers cannot be imported: {error}: {_INSTALL_COMMAND}"
        ) from error
    try:
        return make_encoder(SentenceTransformer(name, local_files_only=not allow_download))
    except (OSError, ValueError) as error:
        if allow_download:
            way_out = "check its name"
        else:
            way_out = "give its folder, or allow_download=True to download it"
        raise EmbeddingsUnavailableError(
            f"the embedding model {name!r} cannot be loaded from this machine: {way_out}",
            {"model": name, "allow_download": allow_download},
        ) from error


def _has_methods(model: Any, *methods: str) -> bool:
    return all(callable(getattr(model, method, None)) for method in methods)
