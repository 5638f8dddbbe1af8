"""Test the metrics of requests and their costs with and without compression."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import ConfigurationError, RequestMetrics, ValidationError
from headroom_core.metrics.ledger import Ledger


def record(ledger: Ledger, before: int = 1000, after: int = 250, **more: Any) -> RequestMetrics:
    return ledger.record(
        **{"model": "gpt-4o", "tokens_input_before": before, "tokens_input_after": after, **more}
    )


def test_all_fields_of_a_request_are_recorded() -> None:
    one = record(Ledger(), tokens_output=100, transforms_applied=["table"], latency_ms=12.5)
    assert (one.model, one.provider, one.tokens_output, one.latency_ms) == (
        "gpt-4o",
        "openai",
        100,
        12.5,
    )
    assert (one.transforms_applied, one.tokens_saved) == (("table",), 750)
    assert one.timestamp.utcoffset() == timedelta(0)
    assert one.cost_before == pytest.approx((1000 * 2.5 + 100 * 10) / 1e6)
    assert one.cost_after == pytest.approx((250 * 2.5 + 100 * 10) / 1e6)


def test_costs_assume_the_same_cached_share_before_compression() -> None:
    one = record(Ledger(), cached_tokens=400, cached_of=500)
    assert one.cost_before == pytest.approx((200 * 2.5 + 800 * 1.25) / 1e6)
    assert one.cost_after == pytest.approx((50 * 2.5 + 200 * 1.25) / 1e6)


def test_costs_of_unknown_models_are_none() -> None:
    ledger = Ledger()
    one = record(ledger, model="my-own-model")
    assert (one.cost_before, one.cost_after, one.provider) == (None, None, None)
    assert ledger.get_summary()["total_cost_saved_usd"] is None


def test_the_summary_covers_all_requests() -> None:
    ledger = Ledger()
    assert ledger.get_summary() == {
        "total_requests": 0,
        "total_tokens_saved": 0,
        "avg_compression_ratio": 1.0,
        "total_cost_saved_usd": 0.0,
    }
    record(ledger)
    record(ledger, 1000, 1250)
    record(ledger, model="my-own-model")
    summary = ledger.get_summary()
    assert (summary["total_requests"], summary["total_tokens_saved"]) == (3, 750 - 250 + 750)
    assert summary["avg_compression_ratio"] == pytest.approx(1750 / 3000)
    assert summary["total_cost_saved_usd"] == pytest.approx(500 * 2.5 / 1e6)


def test_old_requests_are_dropped_but_still_counted_in_totals() -> None:
    ledger = Ledger(keep=2)
    ids = [record(ledger).request_id for _ in range(3)]
    assert [one.request_id for one in ledger.get_metrics()] == ids[1:]
    assert ledger.get_summary()["total_requests"] == 3


def test_requests_are_filtered_by_time_model_and_limit() -> None:
    ledger = Ledger()
    first, second, third = (
        record(ledger, model=model) for model in ("gpt-4o", "gpt-4o-mini", "gpt-4o")
    )
    assert ledger.get_metrics(start_time=second.timestamp) == [second, third]
    assert ledger.get_metrics(end_time=first.timestamp) == [first]
    assert ledger.get_metrics(model="gpt-4o") == [first, third]
    assert ledger.get_metrics(limit=1) == [third]
    assert ledger.get_summary(start_time=third.timestamp)["total_requests"] == 1


def test_times_without_a_zone_are_utc() -> None:
    ledger = Ledger()
    record(ledger)
    now = datetime.now(UTC).replace(tzinfo=None)
    assert ledger.get_metrics(now - timedelta(minutes=1), now + timedelta(minutes=1))
    assert not ledger.get_metrics(now + timedelta(minutes=1))


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": True}, {"start_time": "today"}, {"end_time": 3}]
)
def test_invalid_filters_are_errors(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(
        ValidationError, match=rf"{name} (= .*expected|must be .* at least 1, got) "
    ):
        Ledger().get_metrics(**wrong)


@pytest.mark.parametrize("keep", [0, -1, True, 1.5])
def test_keep_below_one_is_an_error(keep: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"keep must be an integer of at least 1, got {keep}"
    ):
        Ledger(keep)


def test_copies_are_the_same_ledger_and_pickles_are_empty() -> None:
    ledger = Ledger(keep=7)
    record(ledger)
    assert copy.copy(ledger) is copy.deepcopy([ledger])[0] is ledger
    loaded = pickle.loads(pickle.dumps(ledger))
    assert (loaded.keep, loaded.get_metrics()) == (7, [])


def test_requests_from_threads_are_all_recorded() -> None:
    ledger = Ledger()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: record(ledger), range(400)))
    assert ledger.get_summary()["total_requests"] == len(
        {one.request_id for one in ledger.get_metrics(limit=400)}
    )


counts = st.integers(0, 100_000)


@given(st.lists(st.tuples(counts, counts)))
def test_totals_match_the_recorded_requests(requests: list[tuple[int, int]]) -> None:
    ledger = Ledger()
    kept = [record(ledger, before, after) for before, after in requests]
    summary = ledger.get_summary()
    assert summary["total_tokens_saved"] == sum(one.tokens_saved for one in kept)
    assert summary == pytest.approx(ledger.get_summary(start_time=datetime(2000, 1, 1)))


@given(before=counts, after=counts, cached=counts, total=st.none() | counts)
def test_costs_are_never_negative(before: int, after: int, cached: int, total: int | None) -> None:
    one = record(Ledger(), before, after, cached_tokens=cached, cached_of=total)
    assert one.cost_before is not None
    assert one.cost_after is not None
    assert min(one.cost_before, one.cost_after) >= 0
