"""Reading and validation of model catalogs: JSON files of limits, prices and cache rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from headroom_core._internal.validated import PositiveInt
from headroom_core.errors import ConfigurationError

_S = TypeVar("_S", bound="_Section")


def _require_iso_day(value: str) -> str:
    # Compared with its own form, because `fromisoformat` also accepts days such as 20261121,
    # which do not sort as texts among the others.
    try:
        is_iso_day = date.fromisoformat(value).isoformat() == value
    except ValueError:
        is_iso_day = False
    if not is_iso_day:
        raise ValueError("must be a day in the form 2026-11-21")
    return value


_Day = Annotated[StrictStr, AfterValidator(_require_iso_day)]
_Number = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class _Section(BaseModel):
    """Base of the JSON objects of a catalog."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: Any) -> Any:
        # The optional fields below are None if they are missing; null is not a way to say so.
        if value is None:
            raise ValueError("must not be null; leave the field out if its value is unknown")
        return value


class SourceSection(_Section):
    """Origin of figures, to which entries refer by name."""

    url: StrictStr | None = None
    as_of: _Day | None = None


class _SourcedSection(_Section):
    """Base of the objects that contain figures.

    Attributes:
        source: Name of a source, or an address.
        as_of: Day on which the figures were true.
    """

    source: StrictStr = ""
    as_of: _Day | None = None


class LimitsSection(_SourcedSection):
    """Numbers of tokens that a model accepts and returns."""

    context: PositiveInt | None = None
    output: PositiveInt | None = None


class LongPricesSection(_Section):
    """Prices of requests with more than `above` input tokens, in USD per million tokens."""

    above: PositiveInt
    input: _Number
    output: _Number
    cached: _Number | None = None
    cache_write: _Number | None = None


class PricesSection(_SourcedSection):
    """Prices in USD per million tokens."""

    input: _Number
    output: _Number
    cached: _Number | None = None
    cache_write: _Number | None = None
    long: LongPricesSection | None = None


class CacheSection(_SourcedSection):
    """Rules of a provider's prompt cache. Prices are multiples of the input price."""

    read: _Number
    write: _Number
    kind: Literal["automatic", "explicit"] = "automatic"
    min_tokens: PositiveInt | None = None
    ttl_seconds: PositiveInt | None = None


class Entry(_Section):
    """A model or a family of models. Missing sections leave the known figures unchanged."""

    provider: StrictStr | None = None
    aliases: list[StrictStr] = Field(default_factory=list)
    limits: LimitsSection | None = None
    prices: PricesSection | None = None
    cache: CacheSection | None = None

    @field_validator("cache", mode="before")
    @classmethod
    def _find_named_cache(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        caches: Mapping[str, CacheSection] = info.context or {}
        if value not in caches:
            raise ValueError(f"must be an object, or one of {', '.join(caches)}")
        return caches[value]


class _CatalogSection(_Section):
    """The outermost object of a catalog."""

    sources: dict[StrictStr, Any] = Field(default_factory=dict)
    caches: dict[StrictStr, Any] = Field(default_factory=dict)
    families: dict[StrictStr, Any] = Field(default_factory=dict)
    models: dict[StrictStr, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class CatalogData:
    """Validated content of a catalog.

    Attributes:
        origin: Path of the file, or name of the argument, for error messages.
        sources: Sources of figures by name.
        caches: Cache rules by name.
        families: Families of models by the beginning of their names.
        models: Models by name.
    """

    origin: str
    sources: Mapping[str, SourceSection]
    caches: Mapping[str, CacheSection]
    families: Mapping[str, Entry]
    models: Mapping[str, Entry]


def read_catalog(path: str, known_caches: Mapping[str, CacheSection]) -> CatalogData:
    """Read a catalog from a JSON file.

    Args:
        path: Path of the file.
        known_caches: Cache rules that entries may name besides those of the file.

    Raises:
        ConfigurationError: The file cannot be read, or a value is not valid.
    """
    try:
        raw = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path}: cannot be read as JSON ({type(error).__name__}: {error}); "
            "give a file in the format of models.json",
            {"file": path},
        ) from error
    return parse_catalog(raw, path, known_caches)


def parse_catalog(raw: Any, origin: str, known_caches: Mapping[str, CacheSection]) -> CatalogData:
    """Validate a catalog.

    Args:
        raw: The catalog, as read from JSON.
        origin: Path of the file, or name of the argument, for error messages.
        known_caches: Cache rules that entries may name besides those of the catalog.

    Raises:
        ConfigurationError: A value is not valid.
    """
    catalog = _validate(_CatalogSection, raw, (origin,))
    sources = {
        name: _validate(SourceSection, value, (origin, "sources", name))
        for name, value in catalog.sources.items()
    }
    caches = {
        name: _validate(CacheSection, value, (origin, "caches", name))
        for name, value in catalog.caches.items()
    }
    all_caches = {**known_caches, **caches}
    families = {
        name: _parse_entry(value, (origin, "families", name), all_caches)
        for name, value in catalog.families.items()
    }
    models = {
        name: _parse_entry(value, (origin, "models", name), all_caches)
        for name, value in catalog.models.items()
    }
    return CatalogData(origin, sources, caches, families=families, models=models)


def invalid_value(location: Sequence[object], value: object, problem: str) -> ConfigurationError:
    """Return the error for a value that is not valid.

    Args:
        location: Origin of the catalog, then the path of the field.
        value: The value.
        problem: The rule that the value breaks.
    """
    origin, *path = map(str, location)
    field = f"{origin}: {'.'.join(path)}" if path else origin
    return ConfigurationError(f"{field} = {value!r}: {problem}", {"field": field, "value": value})


_CONTEXT_LIMIT = TypeAdapter(PositiveInt)


def _parse_entry(
    value: Any, location: tuple[str, ...], caches: Mapping[str, CacheSection]
) -> Entry:
    """Return an entry. A number is short for an entry with that context limit alone."""
    if isinstance(value, Mapping):
        return _validate(Entry, value, location, caches)
    try:
        context = _CONTEXT_LIMIT.validate_python(value)
    except ValidationError as error:
        raise _explain(error, Entry, location) from None
    return Entry.model_construct(limits=LimitsSection.model_construct(context=context))


def _validate(section: type[_S], value: Any, location: tuple[str, ...], context: Any = None) -> _S:
    try:
        return section.model_validate(value, context=context)
    except ValidationError as error:
        raise _explain(error, section, location) from None


_SECTION_OF_FIELD: dict[object, type[_Section]] = {
    "limits": LimitsSection,
    "prices": PricesSection,
    "long": LongPricesSection,
    "cache": CacheSection,
}


def _explain(
    error: ValidationError, section: type[_Section], location: tuple[str, ...]
) -> ConfigurationError:
    """Return the first problem in this library's terms."""
    problem = error.errors(include_url=False)[0]
    kind, path, value = problem["type"], problem["loc"], problem["input"]
    if kind == "invalid_key" or "[key]" in path:
        path, message = tuple(part for part in path if part != "[key]"), "names must be strings"
    elif kind == "missing":
        value, message = None, "this field is required"
    elif kind == "extra_forbidden":
        owner = _SECTION_OF_FIELD.get(path[-2], section) if len(path) > 1 else section
        message = f"no such field; the fields are {', '.join(owner.model_fields)}"
    elif kind == "model_type":
        message = "must be an object"
    elif kind == "value_error":
        message = str(problem["ctx"]["error"])
    else:
        message = problem["msg"]
    return invalid_value((*location, *path), value, message)
