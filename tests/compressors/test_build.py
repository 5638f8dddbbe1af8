"""Output of builds and tests: what failed stays whole, what passed is counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.builds import make_cargo, make_ci, make_make, make_pytest

from headroom_core import Compressed, Request, Tokenizer
from headroom_core.compressors.build import BuildCompressor
from headroom_core.compressors.build.signs import read_sign

KEY = "0" * 24
PASSED = [f"tests/test_a.py::test_{n} PASSED [{n % 100:3}%]" for n in range(200)]


def compress_build(text: str, query: str = "") -> Compressed:
    compressed = BuildCompressor().compress(text, Request(KEY, 9999, query=query, selecting=True))
    assert compressed
    return compressed


def fail(name: str, value: int) -> list[str]:
    """Return what pytest says of a failure."""
    frames = [f"    step_{n}()  # of the same helper" for n in range(20)]
    return [
        f"_______________ {name} _______________",
        *frames,
        ">       assert connect() == 200",
        f"E       assert {value} == 200",
        "tests/test_a.py:7: AssertionError",
    ]


def test_every_distinct_failure_stays_whole() -> None:
    failures = [line for n in range(12) for line in fail(f"test_number_{n}", 500 + n)]
    text = compress_build("\n".join([*PASSED, *failures, *PASSED])).text
    for n in range(12):
        assert f"_ test_number_{n} _" in text
        assert f"E       assert {500 + n} == 200" in text


def test_the_lines_around_repeated_failures_stand_once() -> None:
    failures = [line for n in range(12) for line in fail(f"test_number_{n}", 500)]
    text = compress_build("\n".join([*PASSED, *failures, *PASSED])).text
    assert text.count(">       assert connect() == 200") == 1
    assert all(f"_ test_number_{n} _" in text for n in range(12))


def test_passed_tests_are_counted() -> None:
    text = compress_build(make_pytest(300, 1)).text
    marker = next(line for line in text.split("\n") if line.startswith("[headroom: "))
    assert "281 passed" in marker
    assert "1 failed, 299 passed in 4.21s" in text


def test_results_and_exit_codes_stay_wherever_they_stand() -> None:
    results = ["Tests:       2 failed, 9 passed, 11 total", "The job exited with code 3"]
    text = compress_build("\n".join([*PASSED, *results, *PASSED])).text
    assert all(line in text.split("\n") for line in results)


def test_the_command_of_a_failing_step_stays() -> None:
    steps = ["##[group]Run npm run lint", *PASSED, "##[group]Run npm run pack", *PASSED]
    text = compress_build("\n".join([*PASSED, *steps, "##[error]no space left", *PASSED])).text
    assert "##[group]Run npm run pack\n" in text
    assert "##[group]Run npm run lint" not in text


def test_coloured_lines_stay_as_they_are() -> None:
    text = make_cargo(300, 1)
    lines = compress_build(text).text.split("\n")
    assert (
        "\x1b[1m\x1b[31merror[E0382]\x1b[0m\x1b[1m: borrow of moved value: `ledger`\x1b[0m" in lines
    )
    assert set(lines) - set(text.split("\n")) == {line for line in lines if "[headroom:" in line}


def test_a_last_line_of_codes_alone_stays() -> None:
    text = make_cargo(300, 1) + "\n\x1b[0m"
    assert compress_build(text).text.endswith("previous error\n\x1b[0m")


def test_warnings_at_other_places_stay_where_nothing_failed() -> None:
    warnings = [f"src/a.c:{n}:1: warning: unused variable 'v'" for n in range(1, 9)]
    text = compress_build("\n".join([*PASSED, *warnings, *PASSED])).text
    assert all(line in text for line in warnings)


def test_the_same_warning_stays_once_beside_errors() -> None:
    warnings = [f"src/{n}.c:{n}:1: warning: 'LEGACY' is deprecated" for n in range(50)]
    text = compress_build("\n".join([*PASSED, *warnings, *PASSED, "error: no", *PASSED])).text
    assert text.count("'LEGACY' is deprecated") == 1
    assert "49 repeated warnings" in text.partition("\n")[0]


def test_a_failure_in_the_summary_is_not_told_twice() -> None:
    listed = "tests/test_a.py::test_slow FAILED [ 50%]"
    summary = "FAILED tests/test_a.py::test_slow - assert 500 == 200"
    lines = [*PASSED, listed, *PASSED, *fail("test_slow", 500), *PASSED, summary, *PASSED]
    text = compress_build("\n".join(lines)).text
    assert listed not in text
    assert summary in text
    assert "_______________ test_slow _______________" in text
    assert "E       assert 500 == 200" in text


def test_of_very_many_errors_that_differ_in_numbers_some_stay() -> None:
    errors = [f"src/a.c:{n}:1: error: line {n} is too long" for n in range(1, 900)]
    text = compress_build("\n".join([*PASSED, *errors, *PASSED])).text
    assert 20 < text.count("is too long") < 120


def test_lines_that_the_query_names_stay() -> None:
    text = compress_build("\n".join(PASSED), "Did test_133 pass?").text
    assert "tests/test_a.py::test_133 PASSED" in text


def test_a_long_log_of_a_job_says_why_it_failed() -> None:
    text = make_ci(12_000, 1)
    compressed = compress_build(text).text
    count = Tokenizer().count_text
    assert count(compressed) < 0.05 * count(text)
    assert "connect ECONNREFUSED 10.3.0.17:5432" in compressed
    assert "##[error]Process completed with exit code 17." in compressed
    assert "##[group]Run npm run deploy" in compressed


def test_without_selecting_nothing_changes() -> None:
    assert BuildCompressor().compress(make_make(300, 1), Request(KEY, 9999)) is None


@pytest.mark.parametrize(
    ("line", "sign"),
    [
        ("src/a.ts(4,7): error TS2322: Type 'x' is not assignable to type 'y'.", "error"),
        ("  12:5  error  'x' is assigned a value but never used  no-unused-vars", "error"),
        ("app/a.py:3: error: Incompatible return value type  [return-value]", "error"),
        ("FAIL: test_lantern (tests.test_lantern.LanternTest)", "error"),
        ('ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2', "error"),
        ("thread 'main' panicked at src/main.rs:4:5:", "error"),
        ("/usr/bin/ld: a.o: undefined reference to `valve_open'", "error"),
        ("Found 3 errors in 2 files (checked 40 source files)", "result"),
        ("test result: FAILED. 1 passed; 2 failed; 0 ignored", "result"),
        ("Build finished with 0 errors and 0 warnings", "result"),
        ("test parser::reads_error ... ok", "passed"),
        ("   Compiling thiserror v1.0.50", None),
        ("gcc -Werror -Wno-error=format -c src/error.c -o error.o", None),
    ],
)
def test_a_line_says(line: str, sign: str | None) -> None:
    assert read_sign(line) == sign


@given(
    st.lists(st.sampled_from(["error: a", "warning: b", "ok 1 c", "", "\x1b[0m", "x\r", "d" * 90]))
)
def test_lines_that_stay_are_those_of_the_text_in_order(lines: list[str]) -> None:
    text = "\n".join(lines)
    compressed = BuildCompressor().compress(text, Request(KEY, 9999, selecting=True))
    if compressed:
        rest = iter(text.split("\n"))
        own = [line for line in compressed.text.split("\n") if not line.startswith("[headroom: ")]
        assert all(line in rest for line in own)
