"""Settings and base classes shared by the LlamaIndex components."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated, Any

from llama_index.core.base.llms.base import BaseLLM
from pydantic import BaseModel, PlainSerializer

from headroom_core import HeadroomConfig
from headroom_core.adapters import CompressionSettings, ConfigSnapshot, ValidatedModel
from headroom_integrations.llamaindex.dialect import LlamaIndexDialect


def _dump_set_fields(settings: BaseModel) -> dict[str, Any]:
    # pydantic's `exclude_unset` does not notice fields that were assigned in nested settings, as
    # in `config.ccr.enabled = False`, so the nested settings are searched here.
    nested = {
        name: _dump_set_fields(value) for name, value in settings if isinstance(value, BaseModel)
    }
    dumped = settings.model_dump(mode="json", include=settings.model_fields_set - nested.keys())
    dumped.update((name, fields) for name, fields in nested.items() if fields)
    return dumped


def _serialize_config(config: HeadroomConfig | None) -> dict[str, Any] | None:
    return None if config is None else _dump_set_fields(config)


SerializedConfig = Annotated[ConfigSnapshot, PlainSerializer(_serialize_config)]
"""Settings of a component, copied on assignment. Only fields that were set are serialised, so a
component that is loaded by a later version gets the defaults of that version."""


class LlamaIndexComponent(ValidatedModel):
    """Base class of the LlamaIndex components."""

    def __getstate__(self) -> dict[Any, Any]:
        # LlamaIndex's `__getstate__` removes attributes that cannot be pickled from the object
        # itself, so it is given a copy.
        state: dict[Any, Any] = super(LlamaIndexComponent, self.model_copy()).__getstate__()
        return state


@dataclass(frozen=True, slots=True)
class LlamaIndexCompression(CompressionSettings):
    """Settings for compressing LlamaIndex messages before a model reads them."""

    dialect = LlamaIndexDialect()
    log = logging.getLogger(__package__)


def model_name(llm: BaseLLM | None) -> str:
    """Return the name of the model whose tokens are counted, or `gpt-4o` if it is unknown."""
    name = None if llm is None else llm.metadata.model_name
    # "unknown" is LlamaIndex's default for language models that do not report a name.
    return name if isinstance(name, str) and name != "unknown" else "gpt-4o"
