"""What turns texts into vectors, told by the methods that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from headroom_core.errors import ConfigurationError

EXTRA = "pip install headroom-integrations[relevance]"
_ACCEPTED = (
    "a name or a folder of a sentence-transformers model, a function from texts to vectors, an object with `encode`, "
    "or embeddings of LangChain or LlamaIndex"
)

Encode = Callable[[list[str]], Any]


class EmbeddingsUnavailableError(ConfigurationError):
    """The package or the model that embeddings need is not on this machine."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """What turns texts into vectors.

    Attributes:
        items: gives a vector for each of some items.
        queries: gives a vector for each of some queries, which some models embed differently.
    """

    items: Encode
    queries: Encode


def embedding_available() -> bool:
    """Return whether sentence-transformers is installed; nothing is imported to find out.

    Example:
        >>> embedding_available() in (True, False)
        True
    """
    return package_origin() is not None


def package_origin() -> str | None:
    """Return the file from which sentence-transformers is imported, None where it is not installed."""
    try:
        spec = find_spec("sentence_transformers")
    except ValueError:  # It is imported already, and does not say from where.
        return ""
    return None if spec is None else spec.origin or ""


def encoder_of(model: Any) -> Encoder:
    """Return the encoder that an object is.

    Raises:
        ConfigurationError: it is none.
    """
    if not isinstance(model, (type, str)):
        if _can(model, "embed_documents", "embed_query"):
            return Encoder(
                model.embed_documents, lambda texts: [model.embed_query(text) for text in texts]
            )
        if _can(model, "get_text_embedding_batch", "get_query_embedding"):
            return Encoder(
                model.get_text_embedding_batch,
                lambda texts: [model.get_query_embedding(text) for text in texts],
            )
        if _can(model, "encode"):
            encode = model.encode
            return Encoder(encode, encode)
        if callable(model):
            return Encoder(model, model)
    kind = model.__name__ if isinstance(model, type) else type(model).__name__
    what = f"the class {kind} itself" if isinstance(model, type) else f"of type {kind}"
    raise ConfigurationError(f"model is {what}: give {_ACCEPTED}", {"model": kind})


def require_package() -> None:
    """Check that sentence-transformers is installed.

    Raises:
        EmbeddingsUnavailableError: it is not.
    """
    if not embedding_available():
        raise EmbeddingsUnavailableError(
            f"embeddings need sentence-transformers, which is not installed: {EXTRA}"
        )


def load(name: str, allow_download: bool) -> Encoder:
    """Return the encoder of a sentence-transformers model.

    Raises:
        EmbeddingsUnavailableError: the package cannot be imported, or the model is not on this machine.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise EmbeddingsUnavailableError(
            f"sentence-transformers cannot be imported: {error}: {EXTRA}"
        ) from error
    try:
        return encoder_of(SentenceTransformer(name, local_files_only=not allow_download))
    except (OSError, ValueError) as error:
        way_out = (
            "check its name"
            if allow_download
            else "give its folder, or allow_download=True to fetch it"
        )
        message = f"the embedding model {name!r} cannot be loaded from this machine: {way_out}"
        raise EmbeddingsUnavailableError(
            message, {"model": name, "allow_download": allow_download}
        ) from error


def _can(model: Any, *methods: str) -> bool:
    return all(callable(getattr(model, method, None)) for method in methods)
