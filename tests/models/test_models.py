"""Test the names, limits, prices and cache rules of models, and their overrides."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headroom_core.models
from headroom_core.errors import ConfigurationError
from headroom_core.models.lookup import CacheRules, Prices, model_info

DATA = json.loads(
    Path(headroom_core.models.__file__).with_name("models.json").read_text(encoding="utf-8")
)
tokens = st.integers(1, 2_000_000)


@pytest.fixture(autouse=True)
def without_models_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADROOM_MODELS", raising=False)


def write_file(path: Path, content: Any) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("claude-sonnet-4@20250514", "claude-sonnet-4"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gemini-2.0-flash-001", "gemini-2.0-flash"),
    ],
)
def test_dates_aliases_and_prefixes_name_the_same_model(model: str, name: str) -> None:
    info = model_info(model)
    assert (info.name, info.inferred) == (name, False)
    assert info == model_info(name)
    assert info.prices


@pytest.mark.parametrize(
    "model",
    [
        "ft:gpt-4o-mini-2024-07-18:team::id",
        "openai/ft:gpt-4o-mini:team::id",
        "azure/gpt-4o-mini",
        "openrouter/openai/gpt-4o-mini",
    ],
)
def test_models_of_other_vendors_have_the_limit_but_no_price(model: str) -> None:
    assert model_info(model) == replace(model_info("gpt-4o-mini"), prices=None)


def test_a_regional_endpoint_has_no_price() -> None:
    info = model_info("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    assert (info.context_limit, info.prices) == (200_000, None)


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("gpt-4o-whatever", 128_000),
        ("gpt-5.9", 272_000),
        ("claude-opus-7", 200_000),
        ("gemini-2.5-flash-preview-05-20", 1_048_576),
    ],
)
def test_a_similar_name_has_a_safe_limit_and_no_price(model: str, limit: int) -> None:
    info = model_info(model)
    assert (info.context_limit, info.prices, info.inferred) == (limit, None, True)


@pytest.mark.parametrize(
    ("model", "context", "output"),
    [
        ("gpt-5-pro-2025-10-06", 128_000, 272_000),
        ("o1-preview-2024-09-12", 128_000, 32_768),
        ("o1-2024-12-17", 200_000, 100_000),
        ("gpt-3.5-turbo-0613", 4_096, 4_096),
        ("gpt-35-turbo-0613", 4_096, 4_096),
        ("gpt-3.5-turbo-1106", 16_385, 4_096),
    ],
)
def test_models_that_differ_from_their_family_have_their_own_limits(
    model: str, context: int, output: int
) -> None:
    info = model_info(model)
    assert (info.context_limit, info.max_output) == (context, output)


def test_a_model_with_only_an_explicit_cache_has_a_cached_price() -> None:
    info = model_info("gemini-2.0-flash")
    assert info.prices
    assert info.cache
    assert (info.prices.cached, info.cache.kind) == (0.025, "explicit")


@pytest.mark.parametrize(
    "overrides", [{1: 5}, {None: {}}, [1], 7, {"m": {1: 2}}, {"m": {"limits": {1: 2}}}]
)
def test_invalid_overrides_are_rejected(overrides: Any) -> None:
    with pytest.raises(ConfigurationError, match="model_context_limits"):
        model_info("gpt-4o", overrides=overrides)


@pytest.mark.parametrize("model", [None, 7, ["gpt-4o"]])
def test_a_non_string_model_name_is_rejected(model: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"model = .*must be a string"):
        model_info(model)


@pytest.mark.parametrize(
    "model",
    [
        "",
        "llama-3",
        "gpt-4.7",
        "gpt-4o-mini-tts",
        "gemini-2.5-flash-image-preview",
        "gpt-9",
        "claudette",
    ],
)
def test_nothing_is_known_about_other_names(model: str) -> None:
    info = model_info(model)
    assert (info.name, info.context_limit, info.prices, info.cache) == (model, None, None, None)
    assert info.inferred


@given(
    st.text(max_size=60)
    | st.sampled_from(sorted(DATA["models"])).flatmap(lambda n: st.text().map(n.__add__))
)
def test_any_name_is_accepted_and_only_known_names_have_prices(model: str) -> None:
    info = model_info(model)
    assert info.prices is None or not info.inferred


@pytest.mark.parametrize("name", sorted(DATA["models"]))
def test_every_entry_is_consistent(name: str) -> None:
    info = model_info(name)
    assert info.name == name
    assert info.provider in ("openai", "anthropic", "google")
    assert info.context_limit
    assert info.max_output
    assert info.as_of
    assert date(2025, 1, 1) < date.fromisoformat(info.as_of)
    assert info.sources
    assert all(source.startswith("https://") for source in info.sources)
    for prices in filter(None, (info.prices, info.prices and info.prices.long)):
        assert 0 < prices.input < prices.output
        if info.cache and prices.cached is not None:
            assert prices.cached == pytest.approx(prices.input * info.cache.read)
        if info.cache and prices.cache_write is not None:
            assert prices.cache_write == pytest.approx(prices.input * info.cache.write)
        assert prices.cached is None or info.cache


def test_every_group_of_figures_names_its_source() -> None:
    groups = [*DATA["caches"].values()]
    for entry in (*DATA["models"].values(), *DATA["families"].values()):
        groups += [entry[name] for name in ("limits", "prices") if name in entry]
    assert {group["source"] for group in groups} == DATA["sources"].keys()
    assert {entry["cache"] for entry in DATA["models"].values() if "cache" in entry} == DATA[
        "caches"
    ].keys()


def test_long_requests_have_prices_of_their_own() -> None:
    prices = model_info("gemini-2.5-pro").prices
    assert prices
    assert [prices.for_request(n).input for n in (0, 200_000, 200_001)] == [1.25, 1.25, 2.5]
    assert Prices(1, 2).for_request(10**9).input == 1


def test_the_documented_break_even_is_correct() -> None:
    rules = model_info("claude-sonnet-4-5").cache
    assert rules
    assert rules.break_even(rewritten=132_000, removed=18_000) == pytest.approx(84.33, abs=0.01)
    hour = replace(rules, write=2.0, ttl_seconds=3600)
    assert hour.break_even(rewritten=1000, removed=1000) == pytest.approx(19)


@given(
    kept=tokens,
    removed=tokens,
    requests=st.integers(1, 10_000),
    read=st.sampled_from([0.025, 0.1, 0.25, 0.5]),
    write=st.sampled_from([1.0, 1.25, 2.0]),
)
def test_a_change_pays_off_exactly_beyond_the_break_even(
    kept: int, removed: int, requests: int, read: float, write: float
) -> None:
    keep = requests * read * (kept + removed)
    change = write * kept + (requests - 1) * read * kept
    if not math.isclose(keep, change, rel_tol=1e-9):
        assert (requests > CacheRules(read, write).break_even(kept, removed)) == (change < keep)


def test_a_change_that_removes_nothing_never_pays_off() -> None:
    assert CacheRules(0.1, 1.25).break_even(1000, 0) == math.inf
    assert CacheRules(0.0, 1.25).break_even(1000, 10) == math.inf
    assert CacheRules(0.1, 1.25).break_even(0, 10) == 0


def test_an_argument_overrides_a_file_and_a_file_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_file(tmp_path / "models.json", {"models": {"gpt-4o": 64_000, "mine": 1_000}})
    named = write_file(tmp_path / "named.json", {"models": {"gpt-4o": 32_000, "o3": 1_234}})
    monkeypatch.setenv("HEADROOM_MODELS", file)
    assert model_info("gpt-4o").context_limit == 64_000
    assert model_info("mine").context_limit == 1_000
    assert model_info("gpt-4o", overrides={"gpt-4o": 16_000}).context_limit == 16_000
    assert model_info("mine", overrides={"gpt-4o": 16_000}).context_limit == 1_000
    assert model_info("gpt-4o", overrides=named).context_limit == 32_000
    assert model_info("mine", overrides=Path(named)).context_limit == 1_000
    assert model_info("o3", overrides=named).context_limit == 1_234
    assert model_info("gpt-4.1").context_limit == 1_047_576


def test_a_limit_override_applies_to_dated_names() -> None:
    overrides = {"gpt-4o": 64_000}
    info = model_info("gpt-4o-2024-08-06", overrides=overrides)
    assert info == replace(model_info("gpt-4o"), context_limit=64_000)
    assert model_info("gpt-4o").context_limit == 128_000


def test_an_alias_can_be_overridden_separately() -> None:
    overrides = {"gpt-5.6": 50_000, "azure/gpt-4o": 9_000}
    assert model_info("openai/gpt-5.6", overrides=overrides).context_limit == 50_000
    assert model_info("gpt-5.6-sol", overrides=overrides).context_limit == 922_000
    assert model_info("azure/gpt-4o", overrides=overrides).context_limit == 9_000


def test_a_full_entry_makes_a_model_known() -> None:
    entry = {
        "provider": "openai",
        "aliases": ["mine-too"],
        "limits": {"context": 64_000, "output": 8_000},
        "prices": {
            "input": 2,
            "cached": 1,
            "output": 4,
            "long": {"above": 10_000, "input": 4, "output": 8},
        },
        "cache": {
            "kind": "explicit",
            "read": 0.5,
            "write": 1,
            "min_tokens": 100,
            "ttl_seconds": 60,
        },
    }
    info = model_info("mine-too", overrides={"mine": entry})
    assert info.name == "mine"
    assert (info.context_limit, info.max_output, info.inferred, info.as_of) == (
        64_000,
        8_000,
        False,
        None,
    )
    assert info.prices == Prices(2, 4, 1, None, 10_000, Prices(4, 8))
    assert info.cache == CacheRules(0.5, 1, "explicit", 100, 60)


def test_an_entry_can_name_a_built_in_cache_rule_and_a_source() -> None:
    entry = {
        "cache": "anthropic-1024",
        "limits": {"context": 5, "source": "https://example.com", "as_of": "2026-11-20"},
    }
    info = model_info("mine", overrides={"mine": entry})
    assert info.cache == model_info("claude-sonnet-4-5").cache
    assert info.as_of == "2026-10-07"
    assert info.sources[0] == "https://example.com"


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (0, "models.m"),
        (-5, "models.m"),
        (True, "models.m"),
        ("64k", "models.m"),
        ({"limit": 5}, "models.m.limit"),
        ({"limits": {"context": "5"}}, "models.m.limits.context"),
        ({"limits": {"output": 5}}, "models.m.limits.context"),
        ({"limits": []}, "models.m.limits"),
        ({"provider": 5}, "models.m.provider"),
        ({"aliases": "x"}, "models.m.aliases"),
        ({"prices": {"input": 1}}, "models.m.prices.output"),
        ({"prices": {"input": -1, "output": 1}}, "models.m.prices.input"),
        ({"prices": {"input": math.inf, "output": 1}}, "models.m.prices.input"),
        (
            {"prices": {"input": 1, "output": 1, "long": {"input": 1, "output": 1}}},
            "models.m.prices.long.above",
        ),
        ({"cache": "anthropic"}, "models.m.cache"),
        ({"cache": {"read": 0.1}}, "models.m.cache.write"),
        ({"cache": {"read": 0.1, "write": 1, "kind": "free"}}, "models.m.cache.kind"),
        ({"limits": {"context": 5, "source": []}}, "models.m.limits.source"),
        ({"limits": {"context": 5, "as_of": "yesterday"}}, "models.m.limits.as_of"),
        ({"limits": {"context": 5, "as_of": "20261121"}}, "models.m.limits.as_of"),
        ({"limits": {"context": 5, "as_of": ""}}, "models.m.limits.as_of"),
    ],
)
def test_a_wrong_value_is_reported_with_its_file_and_field(
    entry: Any, field: str, tmp_path: Path
) -> None:
    file = write_file(tmp_path / "models.json", json.dumps({"models": {"m": entry}}))
    with pytest.raises(ConfigurationError, match=re.escape(f"{file}: {field} = ")):
        model_info("gpt-4o", overrides=file)
    with pytest.raises(ConfigurationError, match=re.escape(f"model_context_limits: {field} = ")):
        model_info("gpt-4o", overrides={"m": entry})


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"model": {}}',
        '{"models": []}',
        '{"sources": {"s": {"url": "https://example.com", "as_of": "yesterday"}}}',
        '{"sources": {"s": 5}, "models": {"m": {"limits": {"context": 5, "source": "s"}}}}',
    ],
)
def test_a_broken_file_is_named_in_the_error(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_file(tmp_path / "models.json", content)
    monkeypatch.setenv("HEADROOM_MODELS", file)
    with pytest.raises(ConfigurationError, match=re.escape(file)):
        model_info("gpt-4o")


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path / "none.json"))):
        model_info("gpt-4o", overrides=tmp_path / "none.json")
