"""What the adapters share: how messages are compressed, and what is told of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated, Any

from llama_index.core.base.llms.base import BaseLLM
from pydantic import BaseModel, PlainSerializer

from headroom_core.adapters import CompressionSettings, ConfigSnapshot, ValidatedModel
from headroom_integrations.llamaindex.dialect import LlamaIndexDialect


def _written(settings: BaseModel) -> dict[str, Any]:
    """Return the fields that were set, in settings within settings too, as plain values: defaults stay defaults."""
    within = {name: _written(value) for name, value in settings if isinstance(value, BaseModel)}
    own = settings.model_dump(mode="json", include=settings.model_fields_set - within.keys())
    return own | {name: written for name, written in within.items() if written}


SerializedConfig = Annotated[
    ConfigSnapshot, PlainSerializer(lambda config: config and _written(config))
]
"""The settings of a component of LlamaIndex: a snapshot, written with what was set alone."""


class LlamaIndexComponent(ValidatedModel):
    """Base of components of LlamaIndex."""

    def __getstate__(self) -> dict[Any, Any]:
        # LlamaIndex takes what cannot be pickled out of the object itself.
        state: dict[Any, Any] = super(LlamaIndexComponent, self.model_copy()).__getstate__()
        return state


@dataclass(frozen=True, slots=True)
class LlamaIndexCompression(CompressionSettings):
    """How LlamaIndex's messages are compressed before a model reads them."""

    dialect = LlamaIndexDialect()
    log = logging.getLogger(__package__)


def model_name(llm: BaseLLM | None) -> str:
    """Return the name of the model by which tokens are counted; `gpt-4o` where a language model tells none."""
    name = None if llm is None else llm.metadata.model_name
    return name if isinstance(name, str) and name != "unknown" else "gpt-4o"
