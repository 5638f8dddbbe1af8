"""Test retrieving originals as a whole, by rows, by lines and by words."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import count_tokens_text
from headroom_core.errors import ConfigurationError, ValidationError
from headroom_core.markers import RETRIEVE_TOOL, content_key
from headroom_core.results import RetrievalResult
from headroom_core.retrieval import aretrieve, handle_retrieve_call, retrieve, retrieve_tool
from headroom_core.stores import MemoryStore, SQLiteStore
from headroom_core.testing import FailingStore

JOBS = json.dumps(
    [
        {
            "id": number,
            "status": "failed" if number % 40 == 3 else "ok",
            "owner": {"login": f"user{number % 7}"},
        }
        for number in range(200)
    ]
)
LOG = "".join(f"request {number} took {number * 7 % 100} ms\r\n" for number in range(1, 201))
CSV = "city,river,people\n" + "".join(f"city{n},river{n % 3},{n * 1000}\n" for n in range(30))
store = MemoryStore()


def store_text(text: str) -> str:
    store.put_many({content_key(text): text})
    return content_key(text)


def retrieve_text(text: str, **options: Any) -> str:
    result = retrieve(store_text(text), store=store, **options)
    assert result.found, result.reason
    return result.text


def miss_reason(text: str, **options: Any) -> str:
    result = retrieve(store_text(text), store=store, **options)
    assert not result.found
    assert (result.text, result.next_page) == ("", None)
    return result.reason


def row_numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^(\d+),", text, re.MULTILINE)]


def all_pages(text: str, **options: Any) -> list[RetrievalResult]:
    pages = [retrieve(store_text(text), store=store, **options)]
    while pages[-1].next_page:
        pages.append(retrieve(store_text(text), store=store, page=pages[-1].next_page, **options))
    return pages


def body(page: RetrievalResult) -> str:
    text = page.text.partition("\n")[2]
    return text.rpartition("[the next page: ")[0] if page.next_page else text


# Whole originals and lines.


@pytest.mark.parametrize("text", ["", "\n", "a\r\nb", "\ud800", JOBS, "x" * 100_000])
def test_without_a_limit_the_original_is_returned_byte_for_byte(text: str) -> None:
    assert retrieve_text(text, limit=None) == text


@given(st.text(alphabet="ab \n\r,é\u2028", min_size=1, max_size=300), st.integers(1, 9))
def test_the_pages_of_an_original_concatenate_to_it(text: str, limit: int) -> None:
    joined = "".join(body(page) for page in all_pages(text, limit=limit))
    assert joined.replace("\n", "") == text.replace("\n", "")
    assert len(all_pages(text, limit=limit)) == -(
        -(text.count("\n") + (not text.endswith("\n"))) // limit
    )


def test_a_page_names_itself_and_the_next_page() -> None:
    first = retrieve(store_text(LOG), store=store)
    assert first.text.splitlines()[0] == "lines 1-50 of 200 (page 1 of 4, 200 in all)"
    assert (
        first.text.splitlines()[-1]
        == f'[the next page: {RETRIEVE_TOOL}(key="{store_text(LOG)}", page=2)]'
    )
    assert first.next_page == 2
    assert retrieve(store_text(LOG), store=store, page=4).next_page is None


@pytest.mark.parametrize(
    ("lines", "head", "numbers"),
    [
        ("7", "line 7 of 200", [7]),
        ("9-11", "lines 9-11 of 200", [9, 10, 11]),
        ("1-2, 199-500", "lines 1-2, 199-200 of 200", [1, 2, 199, 200]),
        ("L5–L6", "lines 5-6 of 200", [5, 6]),
    ],
)
def test_lines_are_returned_by_number(lines: str, head: str, numbers: list[int]) -> None:
    text = retrieve_text(LOG, lines=lines)
    assert text.partition("\n")[0] == head
    assert [int(number) for number in re.findall(r"request (\d+) took", text)] == numbers


@pytest.mark.parametrize("sign", ["\t", "→", ": ", " | "])
def test_lines_of_a_numbered_view_have_the_numbers_of_the_file(sign: str) -> None:
    view = "src/area.py, from line 120:\n"
    view += "".join(f"{n:6}{sign}total_{n} = compute({n})\n" for n in range(120, 240))
    text = retrieve_text(view, lines="157")
    assert text == f"line 157 of 239\n   157{sign}total_157 = compute(157)\n"
    assert retrieve_text(view, query="total_203").splitlines()[1:] == [
        f"   203{sign}total_203 = compute(203)"
    ]
    assert miss_reason(view, lines="5") == (
        "there are no lines 5: the original has lines 120 to 239"
    )
    assert retrieve_text(view, limit=None) == view


@pytest.mark.parametrize("lines", ["x", "0", "5-3", "1-", "-1", "1;2", ",".join("1" * 101)])
def test_invalid_line_numbers_are_answered_with_an_example(lines: str) -> None:
    with pytest.raises(ValidationError, match="120-180"):
        retrieve(store_text(LOG), lines=lines, store=store)


def test_a_single_very_long_line_is_paged() -> None:
    text = "word, " * 50_000
    pages = all_pages(text)
    assert len(pages) > 10
    assert all(len(page.text) < 17_000 for page in pages)
    assert "".join(body(page) for page in pages).replace("\n", "") == text


def test_json_on_a_single_line_is_paged_by_rows() -> None:
    pages = all_pages(JOBS, limit=80)
    assert pages[0].text.startswith("rows 0-79 of 200 (page 1 of 3, 200 in all)\n")
    assert [number for page in pages for number in row_numbers(page.text)] == list(range(200))


# Rows.


def test_where_returns_the_matching_rows() -> None:
    text = retrieve_text(JOBS, where="status == 'failed'")
    assert text.partition("\n")[0] == "rows 3, 43, 83, 123, 163 of 200 where status == 'failed'"
    assert row_numbers(text) == [3, 43, 83, 123, 163]


@pytest.mark.parametrize("text", [JOBS, CSV, json.dumps(list(range(20))), '{"id": 7}\n' * 20])
def test_rows_are_returned_by_the_numbers_of_the_table(text: str) -> None:
    assert row_numbers(retrieve_text(text, where="# in [3, 17]")) == [3, 17]
    assert row_numbers(retrieve_text(text, where="# >= 5 and # < 8")) == [5, 6, 7]
    assert "none of the" in miss_reason(text, where="# == 5000")


def test_object_entries_and_nested_rows_are_returned_by_number() -> None:
    entries = json.dumps({f"host{n}": {"up": n} for n in range(20)})
    assert "\n4,host4,4\n" in retrieve_text(entries, where="# == 4")
    nested = json.dumps([{"id": n, "labels": [{"name": f"l{n}"}] * 2} for n in range(20)])
    assert row_numbers(retrieve_text(nested, where="# == 15")) == [15, 15, 30, 31]


def test_the_names_of_a_table_header_are_understood() -> None:
    text = json.dumps(
        [{"id": n, "labels": [{"name": "bug" if n == 7 else "ui"}]} for n in range(30)]
    )
    assert "id,labels" in retrieve_text(text, where="id == 7")
    for where in ("labels contains 'bug'", "labels.name == 'bug'", "labels[].name == 'bug'"):
        assert set(row_numbers(retrieve_text(text, where=where))) == {7}
    assert row_numbers(retrieve_text(json.dumps([n * n for n in range(30)]), where=". == 49")) == [
        7
    ]
    assert "no row has label; fields: id, labels, labels.name" in miss_reason(
        text, where="label == 'bug'"
    )


def test_where_works_on_csv() -> None:
    text = retrieve_text(CSV, where="river == 'river1' and people >= 20000")
    assert row_numbers(text) == [22, 25, 28]
    assert "city25,river1,25000" in text or "25,city25,25000" in text


def test_matching_rows_are_paged_completely() -> None:
    pages = all_pages(JOBS, where="status == 'ok'", limit=60)
    numbers = [number for page in pages for number in row_numbers(page.text)]
    assert numbers == [number for number in range(200) if number % 40 != 3]
    assert "where=\"status == 'ok'\", limit=60, page=2)]" in pages[0].text


def test_rows_of_several_tables_are_separated() -> None:
    text = json.dumps(
        {
            "users": [{"id": n, "name": f"u{n}"} for n in range(9)],
            "jobs": [{"id": n} for n in range(9)],
        }
    )
    answer = retrieve_text(text, where="id == 4")
    assert answer.startswith("2 of 18 rows in 2 tables where id == 4\n")
    assert row_numbers(answer) == [4, 4]


def test_a_query_returns_the_best_rows_in_document_order() -> None:
    rows = [{"id": n, "note": "backup done"} for n in range(30)]
    rows[20]["note"] = "disk full: backup of getUserName stopped"
    rows[7]["note"] = "disk nearly full"
    text = json.dumps(rows)
    assert row_numbers(retrieve_text(text, query="why is the disk full?")) == [7, 20]
    assert row_numbers(retrieve_text(text, query="disk full user name", limit=1)) == [20]
    assert row_numbers(retrieve_text(text, query="disk", where="id > 10")) == [20]


def test_a_query_returns_lines_if_there_are_no_rows() -> None:
    places = "".join(f"river {number}\n" for number in range(40)) + "Zu\u0308rich\n"
    assert retrieve_text(places, query="Z\u00fcrich", limit=1).endswith("Zu\u0308rich\n")
    answer = retrieve_text(LOG, query="request 77")
    assert "77: request 77 took 39 ms\r\n" in answer
    assert answer.startswith("line")
    assert " that best match 'request 77', each behind its number" in answer.partition("\n")[0]


# Misses.


def test_an_unknown_key_is_final() -> None:
    result = retrieve("0" * 24, store=MemoryStore())
    assert not result.found
    assert "asking again will not help" in result.reason


@pytest.mark.parametrize("key", ["", "3f9a", "g" * 24, "0" * 25, "../../etc/passwd"])
def test_an_invalid_key_is_rejected_without_reading_the_store(key: str) -> None:
    assert "24 hexadecimal digits" in retrieve(key, store=None).reason


def test_a_key_may_be_quoted() -> None:
    assert retrieve(f' "{store_text(LOG).upper()}" ', store=store).found


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (JOBS, {"where": "status == 'lost'"}, "none of the 200 rows matches status == 'lost'"),
        (JOBS, {"where": "state == 'lost'"}, "no row has state; fields: id, status, owner.login"),
        (LOG, {"where": "id == 1"}, "this original has none: ask for some of its 200 lines"),
        (JOBS, {"query": "zebra"}, "none of the 200 rows has a word of 'zebra'"),
        (LOG, {"query": "zebra"}, "none of the 200 lines has a word of 'zebra'"),
        (LOG, {"query": "?!"}, "none of the 200 lines has a word of '?!'"),
        (LOG, {"lines": "900"}, "there are no lines 900: the original has 200"),
        (LOG, {"page": 5}, "the last one is page 4"),
        (LOG, {"page": 2, "limit": None}, "the last one is page 1"),
        (JOBS, {"where": "id > 1", "page": 9}, "the last one is page 4"),
        ("", {}, "the original is empty"),
    ],
)
def test_a_miss_has_a_reason(text: str, options: dict[str, Any], reason: str) -> None:
    assert reason in miss_reason(text, **options)


def test_an_unreadable_store_is_reported_in_the_reason(tmp_path: Any) -> None:
    (tmp_path / "notes.db").write_bytes(b"no database" * 1000)
    result = retrieve("0" * 24, store=SQLiteStore(tmp_path / "notes.db"))
    assert not result.found
    assert "not a SQLite file" in result.reason


def test_whatever_a_store_raises_is_a_reason_without_its_texts() -> None:
    failing = FailingStore("get", error=ConnectionError("confidential"))
    result = retrieve("0" * 24, store=failing)
    assert (result.found, result.reason) == (False, "the store raised ConnectionError")
    call = handle_retrieve_call({"key": "0" * 24}, store=failing)
    assert call == "headroom_retrieve: the store raised ConnectionError"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit = 0: expected a whole number, 1 or more, or None for everything"),
        ({"limit": -5}, "limit = -5: "),
        ({"limit": "5"}, "limit = '5': expected a whole number"),
        ({"limit": True}, "limit = True: "),
        ({"page": 0}, "page = 0: expected a whole number, 1 or more"),
        ({"page": "x"}, "page = 'x': "),
        ({"page": None}, "page = None: "),
        ({"page": 1.0}, "page = 1.0: "),
        ({"where": 5}, "where = 5: expected an expression such as \"status == 'failed'\""),
        ({"query": ["disk"]}, "query = ['disk']: expected words"),
        ({"lines": 7}, "lines = 7: expected numbers counted from 1, such as '120-180'"),
        ({"lines": "1", "query": "x"}, "lines stands alone"),
        ({"key": None}, "key = None: expected the 24 hexadecimal digits of a marker"),
        ({"key": 5}, "key = 5: "),
        ({"key": b"0" * 24}, "key = b'0"),
    ],
)
def test_invalid_arguments_are_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)) as caught:
        retrieve(**{"key": store_text(LOG), "store": store, **options})
    assert options.items() <= caught.value.details.items()


async def test_aretrieve_returns_the_same_result() -> None:
    assert await aretrieve(store_text(LOG), lines="3", store=store) == retrieve(
        store_text(LOG), lines="3", store=store
    )


def test_the_default_store_is_used_if_no_store_is_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path / 'x.db'}")
    SQLiteStore(tmp_path / "x.db").put_many({content_key("kept"): "kept"})
    assert retrieve(content_key("kept"), limit=None).text == "kept"


# The tool.


def test_every_provider_receives_the_same_tool_in_its_format() -> None:
    openai, anthropic, google = (retrieve_tool(name) for name in ("openai", "anthropic", "google"))  # type: ignore[arg-type]
    declared = [openai["function"], anthropic, google["function_declarations"][0]]
    assert {declaration["name"] for declaration in declared} == {RETRIEVE_TOOL}
    schemas = [declared[0]["parameters"], declared[1]["input_schema"], declared[2]["parameters"]]
    assert schemas[0] == schemas[1] == schemas[2]
    assert list(schemas[0]["properties"]) == ["key", "where", "query", "lines", "limit", "page"]
    assert retrieve_tool()["type"] == "function"


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_the_tool_costs_at_most_120_tokens_a_request(provider: Any) -> None:
    assert count_tokens_text(json.dumps(retrieve_tool(provider)), model="gpt-4o") <= 120


def test_a_schema_is_a_fresh_copy() -> None:
    retrieve_tool("anthropic")["input_schema"]["properties"].clear()
    assert retrieve_tool("anthropic")["input_schema"]["properties"]


def test_an_unknown_provider_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="'openai', 'anthropic' or 'google'"):
        retrieve_tool("other")  # type: ignore[arg-type]


def test_a_call_is_answered_from_a_string_or_a_dictionary() -> None:
    arguments = {
        "key": store_text(LOG),
        "lines": 7,
        "where": "",
        "query": None,
        "limit": "5",
        "page": 1.0,
    }
    answer = "line 7 of 200\nrequest 7 took 49 ms\r\n"
    assert handle_retrieve_call(arguments, store=store) == answer
    assert handle_retrieve_call(json.dumps(arguments), store=store) == answer


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ("", "must be a JSON object"),
        ("{", "must be a JSON object"),
        ("[1]", "must be a JSON object"),
        ("[" * 100_000, "must be a JSON object"),
        (None, "must be a JSON object"),
        ({}, "key is missing"),
        ({"key": 7}, "key = 7: expected the 24 hexadecimal digits"),
        ({"key": "zz"}, "24 hexadecimal digits"),
        ({"key": "0" * 24}, "asking again will not help"),
        ({"key": "0" * 24, "rows": 3}, "no parameter is named 'rows'; there are key, where"),
        ({"key": "0" * 24, "where": ["a"]}, "where = ['a']: expected an expression such as"),
        ({"key": "0" * 24, "limit": "many"}, "limit = 'many': expected a whole number, 1 or more"),
        ({"key": "0" * 24, "page": float("inf")}, "page = inf: expected a whole number"),
        ({"key": "0" * 24, "page": {}}, "page = {}: expected a whole number"),
        (
            {"key": "0" * 24, "limit": 0},
            "limit = 0: expected a whole number, 1 or more, or None for everything",
        ),
        (
            {"key": "0" * 24, "lines": -(10**5000)},
            "lines = a number of thousands of digits: expected numbers",
        ),
        (
            {"key": "0" * 24, "limit": -(10**5000)},
            "limit = a number of thousands of digits: expected",
        ),
        ({"key": "0" * 24, "lines": "1", "where": "a"}, "lines stands alone"),
        ({"key": store_text(JOBS), "where": "status == failed"}, "strings stand in quotes"),
    ],
)
def test_an_unanswerable_call_returns_the_reason(arguments: Any, answer: str) -> None:
    answer_text = handle_retrieve_call(arguments, store=store)
    assert answer_text.startswith(f"{RETRIEVE_TOOL}: ")
    assert answer in answer_text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
names = st.sampled_from(["key", "where", "query", "lines", "limit", "page"]) | st.text()


@given(st.text() | json_values | st.dictionaries(names, json_values | st.just(store_text(CSV))))
def test_no_call_raises(arguments: Any) -> None:
    assert isinstance(handle_retrieve_call(arguments, store=store), str)


def test_several_tables_are_named_by_paths_that_where_takes() -> None:
    pages = [
        {"rows": [{"id": n, "state": "open" if n % 2 else "shut"} for n in range(30)]},
        {"rows": [{"id": n, "state": "open"} for n in range(40)]},
    ]
    text = json.dumps({"pages": pages, "data": {"orders": [{"id": n} for n in range(30)]}})
    found = retrieve_text(text, where="id == 7")
    assert found.startswith("3 of 100 rows in 3 tables where id == 7\npages[0].rows:\n[table 1 of")
    assert "\npages[1].rows:\n" in found
    assert "\ndata.orders:\n" in found
    for where in ("data.orders.id == 7", "orders.id == 7 and id != 3"):
        assert "\ndata.orders:\n" in retrieve_text(text, where=where)
        assert "pages" not in retrieve_text(text, where=where)
    only = retrieve_text(text, where="pages[0].rows.state != 'open' and id < 3")
    assert row_numbers(only) == [0, 2]


def test_a_search_finds_the_plural_and_the_singular() -> None:
    notes = ["two refunds were sent", "one refund was sent", "an order came"]
    rows = json.dumps([{"id": n, "note": notes[n % 3] if n < 3 else "quiet"} for n in range(40)])
    store = MemoryStore()
    store.put_many({content_key(rows): rows})
    for query in ("refund", "refunds"):
        text = retrieve(content_key(rows), query=query, store=store).text
        assert "two refunds" in text
        assert "one refund" in text
        assert "an order" not in text
