"""What is known of a model: its limits, its prices, and the rules of its provider's prompt cache."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from headroom_core import environment
from headroom_core.errors import ConfigurationError

Overrides: TypeAlias = "Mapping[str, int | Mapping[str, Any]] | str | os.PathLike[str]"
"""Limits or entries by model, or the path of a JSON file of them."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What tokens cost, in USD for a million.

    Attributes:
        input: tokens that no cache held.
        output: tokens that the model writes, its thinking included.
        cached: input tokens read from the prompt cache. None: not known, or nothing is cached.
        cache_write: input tokens written to the cache. None: as other input.
        long_above: the input tokens above which all tokens of a request cost what `long` says.
        long: the prices of such long requests.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    long_above: int | None = None
    long: Prices | None = None

    def for_request(self, input_tokens: int) -> Prices:
        """Return the prices of a request with that many input tokens.

        Example:
            >>> prices = Prices(1.25, 10.0, long_above=200_000, long=Prices(2.5, 15.0))
            >>> prices.for_request(200_000).input, prices.of(200_001).input
            (1.25, 2.5)
        """
        if self.long is None or self.long_above is None or input_tokens <= self.long_above:
            return self
        return self.long


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How a provider caches prompts, and what that costs.

    Attributes:
        read: the price of a token read from the cache, as a share of the input price.
        write: the price of a token written to it, as a multiple of the input price.
        kind: `explicit` where the request marks what is cached, `automatic` where it need not.
        min_tokens: prefixes with fewer tokens are not cached. None: not known.
        ttl_seconds: seconds without a read after which an entry is gone. None: not known.
    """

    read: float
    write: float
    kind: Literal["automatic", "explicit"] = "automatic"
    min_tokens: int | None = None
    ttl_seconds: int | None = None

    def break_even(self, rewritten: int, removed: int) -> float:
        """Return the number of requests above which changing a prefix that is cached pays for itself.

        Everything from the first changed byte on has to be written anew. With r = `read` and w = `write`,
        n more requests cost n·r·(K + S) when nothing changes, and w·K + (n - 1)·r·K when it does; so a
        change pays once n > (w - r) / r · K / S.

        Args:
            rewritten: K, the tokens from the first changed byte to the end, after the change.
            removed: S, the tokens that the change removes.

        Returns:
            The number of requests, the next one included; infinity when nothing is removed.

        Example:
            A block of 20,000 tokens, cut to 2,000 at the start of 150,000 that Anthropic has cached for five
            minutes, has to be left out of more than 84 requests:

            >>> round(CacheRules(read=0.1, write=1.25).break_even(rewritten=132_000, removed=18_000))
            84
        """
        if removed <= 0:
            return math.inf
        if rewritten <= 0 or self.write <= self.read:
            return 0.0
        return (self.write - self.read) / self.read * rewritten / removed if self.read else math.inf


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model.

    Attributes:
        name: the name that the figures are kept under; for a model that is not known, the name asked for.
        provider: `openai`, `anthropic` or `google`. None: not known.
        context_limit: the tokens that a request may have as input. None: not known.
        max_output: the tokens that an answer may have. None: not known.
        prices: what tokens cost. None: not known.
        cache: how the provider caches prompts. None: not known, or not at all.
        as_of: the day (ISO 8601) on which the oldest of these figures was true. None: not known.
        sources: where the figures come from, addresses.
        inferred: whether the limit is told from names that are alike, or nothing is known.
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
    """Return what is known of a model.

    Dates, aliases and prefixes are understood: `gpt-4o-2024-08-06`, `claude-3-5-sonnet-latest`,
    `models/gemini-2.5-pro`, `openai/gpt-4o`, Bedrock's `us.anthropic.claude-sonnet-4-20250514-v1:0`, Vertex's
    `claude-sonnet-4@20250514`, and `ft:gpt-4o-mini:team::id`. A name that is only like a known one has
    that one's limit and cache rules, or the smallest limit of its family, never a price; nor has a fine-tuned
    model, nor one of a reseller or of a regional endpoint, since those cost something else.

    Args:
        model: the model's name.
        overrides: limits or entries by model, which go before all else, or the path of a JSON file of them
            in the format of `models.json`. Below it stands the file that `HEADROOM_MODELS` names, then
            what is built in. A file is read once.

    Raises:
        ConfigurationError: the model's name is no text, an override has a wrong value, or a file cannot be read.

    Example:
        >>> info = model_info("gpt-4o-2024-08-06")
        >>> info.name, info.context_limit, info.prices.input, info.cache.read
        ('gpt-4o', 128000, 2.5, 0.5)
        >>> model_info("my-model", overrides={"my-model": 64_000}).context_limit
        64000
        >>> model_info("my-model").context_limit is None
        True
    """
    return _shelves(overrides).find(_text(model, "model"))


@dataclass(frozen=True)
class _Shelf:
    """The entries of one source, laid over those below."""

    models: Mapping[str, ModelInfo] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, ModelInfo] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    caches: Mapping[str, Any] = field(default_factory=dict)

    def find(self, model: str) -> ModelInfo:
        name, listed = _plain(model)
        if model in self.models:
            return self.models[model]
        for candidate in _candidates(name):
            if known := self._known(candidate):
                return known if listed else replace(known, prices=None)
        return self._alike(name) or ModelInfo(model, inferred=True)

    def _known(self, name: str) -> ModelInfo | None:
        return self.models.get(name) or self.models.get(self.aliases.get(name, ""))

    def _alike(self, name: str) -> ModelInfo | None:
        """Return what holds of the longest known name that a name goes on from, and of that one's family."""
        for match in reversed([*re.finditer(r"[-.:\[]", name)]):
            if _OTHER_KIND.search(name, match.start()):
                return None
            beginning = name[: match.start()]
            # What follows a dot is a version, which may have other limits than the one before the dot.
            known = None if match[0] == "." else self._known(beginning)
            if known := known or self.families.get(beginning):
                return replace(known, prices=None, inferred=True)
        return None


_LISTED = {"openai", "anthropic", "google", "gemini", "models", "publishers"}
"""Prefixes with which a model costs what its maker's list says."""

_BEDROCK = re.compile(r"(?:([a-z-]+)\.)?anthropic\.(.+)")
_SUFFIX = re.compile(r"-(?:v\d+(?::\d+k?)*|20\d{6}|20\d\d-\d\d-\d\d|latest|default|\d{3})$")
_OTHER_KIND = re.compile(
    r"\b(?:audio|chat|computer|embedding|image|instruct|live|omni|realtime|robotics|search|spark|transcribe|tts|vision)\b"
)
"""What in a name tells of another kind of model, with limits of its own."""


def _plain(model: str) -> tuple[str, bool]:
    """Return a model's name as its maker writes it, and whether it costs what its maker's list says."""
    prefix, _, name = model.rpartition("/")
    listed = _LISTED.issuperset(filter(None, prefix.split("/")))
    if name.startswith("ft:"):
        return name.split(":")[1], False
    if match := _BEDROCK.fullmatch(name):
        listed, name = listed and match[1] in (None, "global"), match[2]
    name = name.replace("@", "-")
    if name.startswith("claude-") and not name.startswith("claude-2"):
        name = re.sub(r"(?<=\d)\.(?=\d)", "-", name)
    return name, listed


def _candidates(name: str) -> Iterator[str]:
    """Yield the names that a name may stand for: itself, then without its date, version or `latest`."""
    yield name
    while (shorter := _SUFFIX.sub("", name)) != name:
        yield shorter
        name = shorter


def _shelves(overrides: Overrides | None) -> _Shelf:
    if not isinstance(overrides, (Mapping, str, os.PathLike, type(None))):
        raise _wrong(
            "model_context_limits",
            overrides,
            "expected limits or entries by model, or the path of a file",
        )
    file = environment.models_file()
    below = _file(file, None) if file else _file(_BUILT_IN, None)
    if overrides is None:
        return below
    if isinstance(overrides, Mapping):
        return _laid({"models": overrides}, "model_context_limits", below)
    return _file(os.fsdecode(overrides), file)


_BUILT_IN = str(Path(__file__).with_name("models.json"))


@lru_cache(maxsize=32)
def _file(path: str, below: str | None) -> _Shelf:
    """Return what a file says, laid over the file below it and what is built in."""
    under = _Shelf() if path == _BUILT_IN else _file(below or _BUILT_IN, None)
    try:
        raw = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read as JSON ({type(error).__name__}: {error}); give a file like models.json"
        raise ConfigurationError(message, {"file": path}) from error
    return _laid(raw, path, under)


_PARTS = {"sources", "caches", "families", "models"}
_GROUPS = {"provider", "aliases", "limits", "prices", "cache"}
_KINDS = {"automatic", "explicit"}


def _laid(raw: Any, where: str, below: _Shelf) -> _Shelf:
    """Return what was read, laid over the entries below."""
    parts = _object(raw, where, _PARTS)
    sources = {**below.sources, **_sources(parts.get("sources", {}), f"{where}: sources")}
    caches = {**below.caches, **_object(parts.get("caches", {}), f"{where}: caches")}
    reader = _Reader(sources, caches)
    models, families, aliases = dict(below.models), dict(below.families), dict(below.aliases)
    for name, entry in _object(parts.get("families", {}), f"{where}: families").items():
        families[name] = reader.info(
            entry, f"{where}: families.{name}", families.get(name) or ModelInfo(name)
        )
    for name, entry in _object(parts.get("models", {}), f"{where}: models").items():
        at = f"{where}: models.{name}"
        known = below.find(name)
        models[name] = replace(reader.info(entry, at, known), name=name, inferred=False)
        aliases.update(dict.fromkeys(_names(entry, at), name))
    return _Shelf(models, aliases, families, sources, caches)


@dataclass(frozen=True)
class _Reader:
    """Reads entries, and says of a wrong value where it stands."""

    sources: Mapping[str, Mapping[str, str]]
    caches: Mapping[str, Any]

    def info(self, entry: Any, at: str, known: ModelInfo) -> ModelInfo:
        """Return what is known of a model with what an entry says instead."""
        if not isinstance(entry, Mapping):
            return replace(known, context_limit=_count(entry, at))
        groups = _object(entry, at, _GROUPS)
        changed: dict[str, Any] = {}
        told: dict[str, Mapping[str, Any]] = {}
        if "provider" in groups:
            changed["provider"] = _text(groups["provider"], f"{at}.provider")
        if "limits" in groups:
            limits = _object(groups["limits"], f"{at}.limits", {"context", "output", *_TOLD})
            changed["context_limit"] = _count(
                limits.get("context", known.context_limit), f"{at}.limits.context"
            )
            if "output" in limits:
                changed["max_output"] = _count(limits["output"], f"{at}.limits.output")
            told[f"{at}.limits"] = limits
        if "prices" in groups:
            prices = _object(groups["prices"], f"{at}.prices", {*_PRICES, "long", *_TOLD})
            changed["prices"] = _prices(prices, f"{at}.prices")
            told[f"{at}.prices"] = prices
        if "cache" in groups:
            cache = self._cache(groups["cache"], f"{at}.cache")
            changed["cache"] = _rules(cache, f"{at}.cache")
            told[f"{at}.cache"] = cache
        return replace(known, **changed, **self._origin(told))

    def _cache(self, value: Any, at: str) -> Mapping[str, Any]:
        if isinstance(value, str):
            if value not in self.caches:
                raise _wrong(at, value, f"expected an object, or one of {', '.join(self.caches)}")
            value = self.caches[value]
        return _object(value, at, {"kind", "read", "write", "min_tokens", "ttl_seconds", *_TOLD})

    def _origin(self, told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return the oldest day and the addresses of groups of figures, by where they stand."""
        days, addresses = [], []
        for at, group in told.items():
            source = _text(group.get("source", ""), f"{at}.source")
            named = self.sources.get(source, {})
            own = _day(group["as_of"], f"{at}.as_of") if "as_of" in group else ""
            days.append(named.get("as_of") or own)
            addresses.append(named.get("url", source))
        if not any(days):
            return {}
        return {
            "as_of": min(filter(None, days)),
            "sources": tuple(dict.fromkeys(filter(None, addresses))),
        }


_PRICES = ("input", "output", "cached", "cache_write")
_TOLD = ("source", "as_of")


def _sources(value: Any, at: str) -> dict[str, dict[str, str]]:
    found = {}
    for name, source in _object(value, at).items():
        parts = _object(source, f"{at}.{name}", {"url", "as_of"})
        found[name] = {
            part: _TELLERS[part](told, f"{at}.{name}.{part}") for part, told in parts.items()
        }
    return found


def _prices(prices: Mapping[str, Any], at: str) -> Prices:
    figures: dict[str, Any] = {
        name: _number(prices[name], f"{at}.{name}") for name in _PRICES if name in prices
    }
    for name in ("input", "output"):
        if name not in figures:
            raise _wrong(f"{at}.{name}", None, "expected USD for a million tokens")
    if "long" not in prices:
        return Prices(**figures)
    long = _object(prices["long"], f"{at}.long", {*_PRICES, "above"})
    above = _count(long.get("above"), f"{at}.long.above")
    return Prices(**figures, long_above=above, long=_prices(long, f"{at}.long"))


def _rules(cache: Mapping[str, Any], at: str) -> CacheRules:
    kind = cache.get("kind", "automatic")
    if kind not in _KINDS:
        raise _wrong(f"{at}.kind", kind, "expected automatic or explicit")
    counts = {
        name: _count(cache[name], f"{at}.{name}")
        for name in ("min_tokens", "ttl_seconds")
        if name in cache
    }
    read, write = (_number(cache.get(name), f"{at}.{name}") for name in ("read", "write"))
    return CacheRules(read, write, kind, **counts)


def _names(entry: Any, at: str) -> list[str]:
    aliases = entry.get("aliases", []) if isinstance(entry, Mapping) else []
    if not isinstance(aliases, (list, tuple)):
        raise _wrong(f"{at}.aliases", aliases, "expected a list of names")
    return [_text(alias, f"{at}.aliases") for alias in aliases]


def _object(value: Any, at: str, fields: set[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(at, value, "expected an object")
    for name in value:
        if not isinstance(name, str):
            raise _wrong(f"{at}.{name!r}", value[name], "expected a text as the name")
    if fields and (unknown := sorted(map(str, value.keys() - fields))):
        raise _wrong(
            f"{at}.{unknown[0]}",
            value[unknown[0]],
            f"no such field; the fields are {', '.join(sorted(fields))}",
        )
    return value


def _text(value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise _wrong(at, value, "expected a text")
    return value


def _day(value: Any, at: str) -> str:
    """Return a day as it is compared with others."""
    told = _text(value, at)
    with suppress(ValueError):
        if date.fromisoformat(told).isoformat() == told:
            return told
    raise _wrong(at, value, "expected a day such as 2026-11-21")


_TELLERS = {"url": _text, "as_of": _day}


def _number(value: Any, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise _wrong(at, value, "expected a number from 0 on")
    return float(value)


def _count(value: Any, at: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(at, value, "expected a whole number from 1 on")
    return value


def _wrong(at: str, value: Any, expected: str) -> ConfigurationError:
    return ConfigurationError(f"{at} = {value!r}: {expected}", {"field": at, "value": value})
