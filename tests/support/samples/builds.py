"""Output of test runners, compilers, linters and CI jobs, each with one failure."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from samples import Sample

_NOUNS = "anchor basket candle dragon engine falcon garden harbor island jacket kettle".split()
_VERBS = "adds closes drops finds keeps lists moves opens parses reads saves".split()


def _name(random: Random, joint: str = "_") -> str:
    return joint.join([random.choice(_NOUNS), random.choice(_VERBS), str(random.randrange(900))])


def make_pytest(lines: int, seed: int) -> str:
    """Return the output of `pytest -v`."""
    random = Random(seed)
    tests = [f"tests/test_{random.choice(_NOUNS)}.py::test_{_name(random)}" for _ in range(lines)]
    failed = "tests/test_lantern.py::test_lantern_glows"
    tests[lines // 3] = failed
    results = [
        f"{test} {'FAILED' if test == failed else 'PASSED'} [{100 * number // lines:3}%]"
        for number, test in enumerate(tests)
    ]
    return "\n".join(
        [
            "============================= test session starts ==============================",
            "platform linux -- Python 3.12.1, pytest-8.3.4, pluggy-1.5.0",
            f"collected {lines} items",
            "",
            *results,
            "",
            "=================================== FAILURES ===================================",
            "______________________________ test_lantern_glows ______________________________",
            "",
            "    def test_lantern_glows():",
            "        lantern = Lantern(oil=2)",
            ">       assert lantern.lumens == 340",
            "E       assert 120 == 340",
            "E        +  where 120 = Lantern(oil=2).lumens",
            "",
            "tests/test_lantern.py:41: AssertionError",
            "=========================== short test summary info ============================",
            f"FAILED {failed} - assert 120 == 340",
            f"================== 1 failed, {lines - 1} passed in 4.21s ==================",
        ]
    )


def make_jest(lines: int, seed: int) -> str:
    """Return the output of `jest`."""
    random = Random(seed)
    passed = [f"    ✓ {_name(random, ' ')} ({random.randrange(1, 40)} ms)" for _ in range(lines)]
    failure = [
        "  ● cart › totals prices with tax",
        "",
        "    expect(received).toBe(expected) // Object.is equality",
        "",
        "    Expected: 119.95",
        "    Received: 120.05",
        "",
        "      17 |     const cart = build(items);",
        "    > 18 |     expect(cart.total()).toBe(119.95);",
        "         |                          ^",
        "",
        "      at Object.toBe (src/cart.test.ts:18:26)",
    ]
    return "\n".join(
        [
            "> shop@1.4.0 test",
            "> jest --verbose",
            "",
            "FAIL src/cart.test.ts",
            "  cart",
            *passed[: lines // 2],
            "    ✕ totals prices with tax (6 ms)",
            *passed[lines // 2 :],
            "",
            *failure,
            "",
            "Test Suites: 1 failed, 12 passed, 13 total",
            f"Tests:       1 failed, {lines} passed, {lines + 1} total",
            "Time:        9.134 s",
        ]
    )


def make_cargo(lines: int, seed: int) -> str:
    """Return the output of `cargo build`, with terminal codes."""
    random = Random(seed)
    crates = [
        f"\x1b[1m\x1b[32m   Compiling\x1b[0m {_name(random, '-')} v0.{random.randrange(30)}.1"
        for _ in range(lines)
    ]
    error = [
        "\x1b[1m\x1b[31merror[E0382]\x1b[0m\x1b[1m: borrow of moved value: `ledger`\x1b[0m",
        "  --> src/books.rs:57:20",
        "   |",
        "52 |     let ledger = Ledger::open(path)?;",
        "   |         ------ move occurs because `ledger` has type `Ledger`",
        '57 |     println!("{}", ledger.total());',
        "   |                    ^^^^^^ value borrowed here after move",
        "",
        "For more information about this error, try `rustc --explain E0382`.",
        "error: could not compile `books` (lib) due to 1 previous error",
    ]
    return "\n".join(["    Updating crates.io index", *crates, *error])


def make_make(lines: int, seed: int) -> str:
    """Return the output of `make`, with warnings that repeat."""
    random = Random(seed)
    printed = []
    for number in range(lines // 2):
        name = _name(random)
        printed.append(f"gcc -Wall -Werror=return-type -O2 -Iinclude -c src/{name}.c -o {name}.o")
        if number % 3 == 0:
            warning = "include/config.h:12:9: warning: 'LEGACY_MODE' is deprecated"
            printed += [warning, "   12 | #define LEGACY_MODE 1", "      |         ^~~~~~~~~~~"]
    error = [
        "src/pump.c: In function 'pump_start':",
        "src/pump.c:88:5: error: too few arguments to function 'valve_open'",
        "   88 |     valve_open(main_valve);",
        "      |     ^~~~~~~~~~",
        "make[1]: *** [Makefile:31: pump.o] Error 1",
    ]
    position = 2 * len(printed) // 3
    tail = ["make[1]: Leaving directory '/srv/app/src'", "make: *** [Makefile:7: all] Error 2"]
    return "\n".join([*printed[:position], *error, *printed[position:], *tail])


def make_go(lines: int, seed: int) -> str:
    """Return the output of `go test -v`."""
    random = Random(seed)
    printed = []
    for _ in range(lines // 2):
        test = f"Test{_name(random).title().replace('_', '')}"
        printed += [f"=== RUN   {test}", f"--- PASS: {test} (0.0{random.randrange(9)}s)"]
    failure = [
        "=== RUN   TestRetryStopsAfterDeadline",
        "    retry_test.go:73: attempts = 9, want 4",
        "--- FAIL: TestRetryStopsAfterDeadline (1.20s)",
    ]
    position = 2 * (len(printed) // 4)
    result = ["FAIL", "FAIL\texample.com/retry\t1.934s", "exit status 1"]
    return "\n".join([*printed[:position], *failure, *printed[position:], *result])


def make_maven(lines: int, seed: int) -> str:
    """Return the output of `mvn test`."""
    random = Random(seed)
    printed = []
    for _ in range(lines // 2):
        name = f"com.example.{_name(random).title().replace('_', '')}Test"
        printed += [
            f"[INFO] Running {name}",
            f"[INFO] Tests run: {random.randrange(1, 30)}, Failures: 0, Errors: 0, Skipped: 0, "
            f"Time elapsed: 0.{random.randrange(100, 999)} s - in {name}",
        ]
    failure = [
        "[ERROR] Tests run: 4, Failures: 1, Errors: 0, Skipped: 0 <<< FAILURE! - in TariffTest",
        "[ERROR] com.example.TariffTest.roundsHalfUp  Time elapsed: 0.012 s  <<< FAILURE!",
        "org.opentest4j.AssertionFailedError: expected: <12.35> but was: <12.34>",
        "\tat com.example.TariffTest.roundsHalfUp(TariffTest.java:64)",
    ]
    result = ["[INFO] BUILD FAILURE", "[INFO] Total time:  12.480 s"]
    return "\n".join(["[INFO] Scanning for projects...", *printed, *failure, *result])


def make_ci(lines: int, seed: int) -> str:
    """Return the log of a CI job, with times, groups and terminal codes."""
    random = Random(seed)
    printed = ["##[group]Run npm ci", "npm ci", "##[endgroup]"]
    printed += [f"\x1b[36mnpm http fetch\x1b[0m GET 200 {_name(random, '-')}" for _ in range(lines)]
    printed += [
        "##[group]Run npm run deploy",
        "npm run deploy",
        "##[endgroup]",
        "Error: connect ECONNREFUSED 10.3.0.17:5432",
        "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1595:16)",
        "##[error]Process completed with exit code 17.",
        "Post job cleanup.",
    ]
    return "\n".join(
        f"2026-03-02T{number // 60:02}:00:{number % 60:02}.{random.randrange(10**7):07}Z {line}"
        for number, line in enumerate(printed)
    )


def make_error_classes(lines: int, seed: int) -> str:
    """Return code about errors, which is no output of a build."""
    random = Random(seed)
    parts = []
    for number in range(lines // 5):
        name = f"{random.choice(_NOUNS).title()}{number}Error"
        parts += [f"class {name}(Exception):", f'    """FAILED: {_name(random)}."""', ""]
        parts += [f"    def report(self) -> str:\n        return 'error: {number}'", ""]
    return "\n".join(["class LanternError(Exception):", "    code = 4711", "", *parts])


def _sample(
    name: str, make: Callable[[int, int], str], command: str, query: str, answer: str
) -> Sample:
    return Sample(
        name, "build", make, query, answer, tool="bash", call=f'{{"command": "{command}"}}'
    )


_WHY = "Why did it fail?"
SAMPLES = [
    _sample("pytest", make_pytest, "pytest -v", _WHY, "E       assert 120 == 340"),
    _sample("jest", make_jest, "npx jest --verbose", _WHY, "    Received: 120.05"),
    _sample("cargo", make_cargo, "cargo build", _WHY, "  --> src/books.rs:57:20"),
    _sample("make", make_make, "make all", _WHY, "src/pump.c:88:5: error: too few arguments"),
    _sample("go", make_go, "go test -v ./...", _WHY, "retry_test.go:73: attempts = 9, want 4"),
    _sample("maven", make_maven, "mvn test", _WHY, "expected: <12.35> but was: <12.34>"),
    _sample("ci", make_ci, "npm run ci", _WHY, "connect ECONNREFUSED 10.3.0.17:5432"),
    Sample(
        "error_classes",
        "code",
        make_error_classes,
        "What is the code of LanternError?",
        "    code = 4711",
        tool="bash",
        call='{"command": "sed -n 1,400p errors.py"}',
        least_saved=0.0,
    ),
]
