"""Vocabularies of models, found on this machine without reaching the network."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import tiktoken

from headroom_core import environment
from headroom_core._internal.fork import ForkSafeLock

DEFAULT = "o200k_base"
"""Encoding of models that are not known."""

# Encodings that differ from another only in special tokens, which count as ordinary text here.
_ALIASES = {"o200k_harmony": "o200k_base", "p50k_edit": "p50k_base", "gpt2": "r50k_base"}

# The name of each vocabulary's file in tiktoken's cache, and its SHA-256.
_FILES = {
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "p50k_base": (
        "ec7223a39ce59f226a68acc30dc1af2788490e15",
        "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    ),
    "r50k_base": (
        "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    ),
}

NAMES = tuple(_FILES)
"""Encodings that models count with."""


def resolve_encoding(model: str) -> tuple[str, bool]:
    """Return the encoding of a model.

    Args:
        model: The name of the model. Dates, fine-tuned names (`ft:gpt-4o:team::id`) and a
            provider's prefix (`openai/gpt-4o`) are understood.

    Returns:
        The name of the encoding, and whether it is the model's own. All other models count with
        o200k_base.

    Example:
        >>> resolve_encoding("gpt-4o-2024-08-06")
        ('o200k_base', True)
        >>> resolve_encoding("ft:gpt-4.1-mini:team::id")
        ('o200k_base', True)
        >>> resolve_encoding("claude-sonnet-4")
        ('o200k_base', False)
    """
    base = model.rpartition("/")[2]
    if base.startswith("ft:"):
        base = base.split(":")[1]
    try:
        name = tiktoken.encoding_name_for_model(base)
    except KeyError:
        return DEFAULT, False
    name = _ALIASES.get(name, name)
    return (name, True) if name in NAMES else (DEFAULT, False)


class _Vocabularies:
    """Vocabularies of this process. Each is looked for once, even if it is not found."""

    def __init__(self) -> None:
        self._encodings: dict[str, tiktoken.Encoding | None] = {}
        self._lock = ForkSafeLock()

    def load(self, name: str) -> tiktoken.Encoding | None:
        with self._lock:
            if name not in self._encodings:
                self._encodings[name] = _load_from_disk(name)
            return self._encodings[name]


_vocabularies = _Vocabularies()


def load_vocabulary(name: str) -> tiktoken.Encoding | None:
    """Return an encoding with its vocabulary, or None if the vocabulary is not on this machine.

    The vocabulary is looked for in tiktoken's cache folders, then in the copies that installed
    packages ship, and used only if its content is as expected. The first call for a name takes
    about 0.3 s.
    """
    return _vocabularies.load(name)


def _load_from_disk(name: str) -> tiktoken.Encoding | None:
    for folder in _candidate_folders():
        if _has_vocabulary(folder, name):
            with suppress(OSError, ImportError), environment.tiktoken_cache(folder):
                return tiktoken.get_encoding(name)
    return None


def _candidate_folders() -> Iterator[Path]:
    yield from environment.tiktoken_cache_folders()
    # Raises where no folder can be written to, as on a read-only file system.
    with suppress(OSError):
        yield Path(tempfile.gettempdir()) / "data-gym-cache"
    # LlamaIndex ships vocabularies. Its spec tells where, without importing it.
    locations: Iterable[str] | None = None
    with suppress(OSError):
        spec = find_spec("llama_index")
        locations = spec.submodule_search_locations if spec else None
    for location in locations or ():
        yield Path(location) / "core" / "_static" / "tiktoken_cache"


def _has_vocabulary(folder: Path, name: str) -> bool:
    """Return whether a folder has the vocabulary, intact.

    tiktoken would delete any other file, and download it again.
    """
    file, digest = _FILES[name]
    try:
        return hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
    except OSError:
        return False
