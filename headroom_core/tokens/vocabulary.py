"""Which vocabulary a model counts with, and where this machine has it. Nothing here reaches the network."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import tiktoken

from headroom_core import environment
from headroom_core._internal.fork import ForkSafeLock

DEFAULT = "o200k_base"

_SAME = {"o200k_harmony": "o200k_base", "p50k_edit": "p50k_base", "gpt2": "r50k_base"}
"""Encodings that differ from another only in special tokens, which count as ordinary text here."""

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
"""The name of each vocabulary's file in tiktoken's cache, and its SHA-256."""

NAMES = tuple(_FILES)
"""The encodings that models count with here."""


def resolve_encoding(model: str) -> tuple[str, bool]:
    """Return the name of the encoding that a model's tokens are counted with, and whether it is the model's own.

    Dates, fine-tuned names (`ft:gpt-4o:team::id`) and a provider's prefix (`openai/gpt-4o`) are understood.
    Any other model counts with o200k_base, which is then not its own.

    Example:
        >>> resolve_encoding("gpt-4o-2024-08-06"), resolve_encoding("ft:gpt-4.1-mini:team::id"), resolve_encoding("claude-sonnet-4")
        (('o200k_base', True), ('o200k_base', True), ('o200k_base', False))
    """
    base = model.rpartition("/")[2]
    if base.startswith("ft:"):
        base = base.split(":")[1]
    try:
        name = tiktoken.encoding_name_for_model(base)
    except KeyError:
        return DEFAULT, False
    name = _SAME.get(name, name)
    return (name, True) if name in NAMES else (DEFAULT, False)


class _Vocabularies:
    """The vocabularies of this process: each is looked for once, and not again where it was not found."""

    def __init__(self) -> None:
        self._found: dict[str, tiktoken.Encoding | None] = {}
        self._lock = ForkSafeLock()

    def load(self, name: str) -> tiktoken.Encoding | None:
        with self._lock:
            if name not in self._found:
                self._found[name] = _load(name)
            return self._found[name]


_vocabularies = _Vocabularies()


def load_vocabulary(name: str) -> tiktoken.Encoding | None:
    """Return an encoding with its vocabulary, or None when the vocabulary is not on this machine.

    It is looked for in tiktoken's cache folders, then in the copies that installed packages ship; a file
    counts only when its content is the expected one. The first call for a name takes about 0.3 s.
    """
    return _vocabularies.load(name)


def _load(name: str) -> tiktoken.Encoding | None:
    folder = next((folder for folder in _folders() if _holds(folder, name)), None)
    if folder is None:
        return None
    with environment.tiktoken_cache(folder):
        return tiktoken.get_encoding(name)


def _folders() -> Iterator[Path]:
    yield from environment.tiktoken_cache_folders()
    yield Path(tempfile.gettempdir()) / "data-gym-cache"
    spec = find_spec("llama_index")  # finds the package without importing it
    for place in (spec and spec.submodule_search_locations) or ():
        yield Path(place) / "core" / "_static" / "tiktoken_cache"


def _holds(folder: Path, name: str) -> bool:
    """Return whether a folder has the vocabulary, intact: tiktoken would delete and download another file."""
    file, digest = _FILES[name]
    try:
        return hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
    except OSError:
        return False
