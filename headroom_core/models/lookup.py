"""Limits, prices and prompt-cache rules of models."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from headroom_core import environment
from headroom_core.models.load import (
    CacheSection,
    CatalogData,
    Entry,
    LongPricesSection,
    PricesSection,
    SourceSection,
    invalid_value,
    parse_catalog,
    read_catalog,
)

Overrides: TypeAlias = "Mapping[str, int | Mapping[str, Any]] | str | os.PathLike[str]"
"""Context limits or entries by model name, or the path of a JSON file of them."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Token prices in USD per million tokens.

    Attributes:
        input: Price of input tokens that are not read from the prompt cache.
        output: Price of output tokens, including thinking.
        cached: Price of input tokens read from the prompt cache. None if it is unknown, or if the
            model has no cache.
        cache_write: Price of input tokens written to the prompt cache. None if they cost as much
            as other input.
        long_above: Number of input tokens above which `long` applies to all tokens of a request.
        long: Prices of such long requests.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    long_above: int | None = None
    long: Prices | None = None

    def for_request(self, input_tokens: int) -> Prices:
        """Return the prices that apply to a request with that many input tokens.

        Example:
            >>> prices = Prices(1.25, 10.0, long_above=200_000, long=Prices(2.5, 15.0))
            >>> prices.for_request(200_000).input, prices.for_request(200_001).input
            (1.25, 2.5)
        """
        if self.long is None or self.long_above is None or input_tokens <= self.long_above:
            return self
        return self.long


@dataclass(frozen=True, slots=True)
class CacheRules:
    """Behaviour and prices of a provider's prompt cache.

    Attributes:
        read: Price of a token read from the cache, as a share of the input price.
        write: Price of a token written to the cache, as a multiple of the input price.
        kind: `explicit` if requests must mark the content to cache, `automatic` otherwise.
        min_tokens: Minimum number of tokens of a prefix that is cached. None if unknown.
        ttl_seconds: Seconds without a read after which an entry expires. None if unknown.
    """

    read: float
    write: float
    kind: Literal["automatic", "explicit"] = "automatic"
    min_tokens: int | None = None
    ttl_seconds: int | None = None

    def break_even(self, rewritten: int, removed: int) -> float:
        """Return the number of requests above which changing a cached prefix pays for itself.

        Everything from the first changed byte on must be written to the cache again. With r =
        `read` and w = `write`, n more requests cost n·r·(K + S) if nothing changes, and
        w·K + (n - 1)·r·K if it does; so a change pays if n > (w - r) / r · K / S.

        Args:
            rewritten: K, the number of tokens from the first changed byte to the end, after the
                change.
            removed: S, the number of tokens that the change removes.

        Returns:
            The number of requests, the next one included; infinity if nothing is removed.

        Example:
            A block of 20,000 tokens is cut to 2,000, at the start of 150,000 tokens that Anthropic
            has cached for five minutes. More than 84 requests must follow for this to pay:

            >>> rules = CacheRules(read=0.1, write=1.25)
            >>> round(rules.break_even(rewritten=132_000, removed=18_000))
            84
        """
        if removed <= 0:
            return math.inf
        if rewritten <= 0 or self.write <= self.read:
            return 0.0
        if self.read == 0:
            return math.inf
        return (self.write - self.read) / self.read * rewritten / removed


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Known limits, prices and cache rules of a model.

    Attributes:
        name: Name under which the figures are listed, or the requested name if there are none.
        provider: `openai`, `anthropic` or `google`. None if unknown.
        context_limit: Maximum number of input tokens of a request. None if unknown.
        max_output: Maximum number of output tokens. None if unknown.
        prices: Token prices. None if unknown.
        cache: Rules of the prompt cache. None if they are unknown, or if there is no cache.
        as_of: Day (ISO 8601) on which the oldest of these figures was true. None if unknown.
        sources: Addresses that the figures come from.
        inferred: Whether the limit is that of a similar name, or nothing is known.
    """

    name: str
    provider: str | None = None
    context_limit: int | None = None
    max_output: int | None = None
    prices: Prices | None = None
    cache: CacheRules | None = None
    as_of: str | None = None
    sources: tuple[str, ...] = ()
    inferred: bool = False


def model_info(model: str, *, overrides: Overrides | None = None) -> ModelInfo:
    """Return the known limits, prices and cache rules of a model.

    Dates, aliases and prefixes are understood: `gpt-4o-2024-08-06`, `claude-3-5-sonnet-latest`,
    `models/gemini-2.5-pro`, `openai/gpt-4o`, Bedrock's
    `us.anthropic.claude-sonnet-4-20250514-v1:0`, Vertex AI's `claude-sonnet-4@20250514`, and
    `ft:gpt-4o-mini:team::id`.

    A name that only resembles a known one gets that model's limit and cache rules, or the smallest
    limit of its family, but never a price. Neither do fine-tuned models, resellers and regional
    endpoints, whose prices differ from the list.

    Args:
        model: Name of the model.
        overrides: Limits or entries by model name, which take precedence over all others, or the
            path of a JSON file of them in the format of `models.json`. The file that
            `HEADROOM_MODELS` names comes next, then the built-in catalog. A file is read once.

    Raises:
        ConfigurationError: The name is not a string, an override has a value that is not valid,
            or a file cannot be read.

    Example:
        >>> info = model_info("gpt-4o-2024-08-06")
        >>> info.name, info.context_limit, info.prices.input, info.cache.read
        ('gpt-4o', 128000, 2.5, 0.5)
        >>> model_info("my-model", overrides={"my-model": 64_000}).context_limit
        64000
        >>> model_info("my-model").context_limit is None
        True
    """
    if not isinstance(model, str):
        raise invalid_value(["model"], model, "must be a string, such as 'gpt-4o'")
    return _catalog(overrides).find(model)


@dataclass(frozen=True)
class _Catalog:
    """Entries of one file or argument, laid over those below it."""

    models: Mapping[str, ModelInfo] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, ModelInfo] = field(default_factory=dict)
    sources: Mapping[str, SourceSection] = field(default_factory=dict)
    caches: Mapping[str, CacheSection] = field(default_factory=dict)

    def find(self, model: str) -> ModelInfo:
        """Return the figures of a model, or of the most similar name."""
        if model in self.models:
            return self.models[model]
        name, has_list_price = _normalize(model)
        for candidate in _candidates(name):
            known = self._get(candidate)
            if known is not None:
                return known if has_list_price else replace(known, prices=None)
        return self._find_similar(name) or ModelInfo(model, inferred=True)

    def _get(self, name: str) -> ModelInfo | None:
        return self.models.get(name) or self.models.get(self.aliases.get(name, ""))

    def _find_similar(self, name: str) -> ModelInfo | None:
        """Return the model or family whose name is the longest beginning of this name."""
        for separator in reversed([*_SEPARATOR.finditer(name)]):
            if _OTHER_KIND.search(name, separator.start()):
                return None
            beginning = name[: separator.start()]
            # A dot separates versions, and another version may have other limits than the
            # model before the dot. Only the family's limit, the smallest, is safe then.
            known = None if separator[0] == "." else self._get(beginning)
            known = known or self.families.get(beginning)
            if known is not None:
                return replace(known, prices=None, inferred=True)
        return None


_LIST_PRICE_PREFIXES = {"openai", "anthropic", "google", "gemini", "models", "publishers"}
"""Prefixes with which a model has its maker's list price. Resellers have other prefixes."""

# Bedrock's names: an optional region, then `anthropic.` and the model. A name that merely contains
# "anthropic", such as `anthropic/claude-3-opus`, does not match.
_BEDROCK = re.compile(r"(?:([a-z-]+)\.)?anthropic\.(.+)")

# A date, version or `latest` at the end of a name, which leaves its limits and prices the same:
# `-20250514`, `-2024-08-06`, `-v2:0`, `-001`. It must not match the versions that tell models
# apart: the `-4-5` of `claude-sonnet-4-5`, or the `-2.5` of `gemini-2.5-pro`.
_SUFFIX = re.compile(r"-(?:v\d+(?::\d+k?)*|20\d{6}|20\d\d-\d\d-\d\d|latest|default|\d{3})$")

# Where a longer name may end and still belong to the same model or family.
_SEPARATOR = re.compile(r"[-.:\[]")

# Words that make a name another kind of model, with limits of its own: `gpt-4o-mini-tts` is not a
# variant of `gpt-4o-mini`.
_OTHER_KIND = re.compile(
    r"\b(?:audio|chat|computer|embedding|image|instruct|live|omni|realtime|robotics|search|spark"
    r"|transcribe|tts|vision)\b"
)

# Anthropic's own names have dashes where those of some routers have dots: `claude-sonnet-4.5`.
_VERSION_DOT = re.compile(r"(?<=\d)\.(?=\d)")


def _normalize(model: str) -> tuple[str, bool]:
    """Return the name as the model's maker writes it, and whether its list price applies."""
    prefix, _, name = model.rpartition("/")
    has_list_price = _LIST_PRICE_PREFIXES.issuperset(filter(None, prefix.split("/")))
    if name.startswith("ft:"):
        return name.split(":")[1], False
    match = _BEDROCK.fullmatch(name)
    if match:
        region, name = match.groups()
        has_list_price = has_list_price and region in (None, "global")
    name = name.replace("@", "-")
    # Claude 2.0 and 2.1 are the only ones whose maker writes the dot.
    if name.startswith("claude-") and not name.startswith("claude-2"):
        name = _VERSION_DOT.sub("-", name)
    return name, has_list_price


def _candidates(name: str) -> Iterator[str]:
    """Yield the name itself, then the name without its date, its version, or `latest`."""
    yield name
    shorter = _SUFFIX.sub("", name)
    while shorter != name:
        yield shorter
        name, shorter = shorter, _SUFFIX.sub("", shorter)


def _catalog(overrides: Overrides | None) -> _Catalog:
    if overrides is None:
        return _base_catalog()
    if isinstance(overrides, Mapping):
        base = _base_catalog()
        data = parse_catalog({"models": overrides}, _OVERRIDES, base.caches)
        return _overlay(data, base)
    if isinstance(overrides, (str, os.PathLike)):
        return _read_catalog(os.fsdecode(overrides), environment.models_file())
    problem = "must map model names to limits or entries, or be the path of a file"
    raise invalid_value([_OVERRIDES], overrides, problem)


_OVERRIDES = "model_context_limits"
"""The setting that overrides come from, as error messages name it."""

_BUILT_IN = str(Path(__file__).with_name("models.json"))


def _base_catalog() -> _Catalog:
    """Return the file that `HEADROOM_MODELS` names, laid over the built-in catalog."""
    return _read_catalog(environment.models_file() or _BUILT_IN, None)


@lru_cache(maxsize=32)
def _read_catalog(path: str, below: str | None) -> _Catalog:
    """Return a file laid over another, which defaults to the built-in catalog."""
    base = _Catalog() if path == _BUILT_IN else _read_catalog(below or _BUILT_IN, None)
    return _overlay(read_catalog(path, base.caches), base)


def _overlay(data: CatalogData, base: _Catalog) -> _Catalog:
    """Return the catalog laid over the one below it."""
    sources = {**base.sources, **data.sources}
    families = dict(base.families)
    for name, entry in data.families.items():
        known = families.get(name) or ModelInfo(name)
        families[name] = _apply(entry, known, sources, (data.origin, "families", name))
    models, aliases = dict(base.models), dict(base.aliases)
    for name, entry in data.models.items():
        info = _apply(entry, base.find(name), sources, (data.origin, "models", name))
        models[name] = replace(info, name=name, inferred=False)
        aliases.update(dict.fromkeys(entry.aliases, name))
    return _Catalog(
        models, aliases, families, sources=sources, caches={**base.caches, **data.caches}
    )


def _apply(
    entry: Entry,
    known: ModelInfo,
    sources: Mapping[str, SourceSection],
    location: tuple[str, ...],
) -> ModelInfo:
    """Return the known figures with those of the entry instead."""
    changes: dict[str, Any] = {}
    if entry.provider is not None:
        changes["provider"] = entry.provider
    if entry.limits is not None:
        changes["context_limit"] = entry.limits.context or known.context_limit
        if changes["context_limit"] is None:
            problem = "this field is required, because no limit of this model is known"
            raise invalid_value((*location, "limits", "context"), None, problem)
        changes["max_output"] = entry.limits.output or known.max_output
    if entry.prices is not None:
        changes["prices"] = _prices(entry.prices)
    if entry.cache is not None:
        changes["cache"] = _cache_rules(entry.cache)
    changes.update(_provenance(entry, sources))
    return replace(known, **changes)


def _prices(section: PricesSection) -> Prices:
    long = section.long
    if long is None:
        return _flat_prices(section)
    return replace(_flat_prices(section), long_above=long.above, long=_flat_prices(long))


def _flat_prices(section: PricesSection | LongPricesSection) -> Prices:
    return Prices(section.input, section.output, section.cached, section.cache_write)


def _cache_rules(section: CacheSection) -> CacheRules:
    return CacheRules(
        read=section.read,
        write=section.write,
        kind=section.kind,
        min_tokens=section.min_tokens,
        ttl_seconds=section.ttl_seconds,
    )


_UNKNOWN_SOURCE = SourceSection()


def _provenance(entry: Entry, sources: Mapping[str, SourceSection]) -> dict[str, Any]:
    """Return the day of the oldest figures of an entry and the addresses of all, if dated."""
    days: list[str] = []
    addresses: list[str] = []
    for section in (entry.limits, entry.prices, entry.cache):
        if section is None:
            continue
        source = sources.get(section.source, _UNKNOWN_SOURCE)
        day = source.as_of or section.as_of
        if day:
            days.append(day)
        address = section.source if source.url is None else source.url
        if address and address not in addresses:
            addresses.append(address)
    return {"as_of": min(days), "sources": tuple(addresses)} if days else {}
