"""Texts of one kind that look like another, made from a seed: each maker's title names the kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random

_WORDS = """account batch cache cluster disk failed fetch index job node order payment queue replica
retry route schema session shard timeout token user worker write""".split()
_LEVELS = ("INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR")
_FOLDERS = ("src", "lib/core", "app/api", "pkg/store", "tests/unit")


def _phrase(random: Random, words: int = 4) -> str:
    return " ".join(random.choices(_WORDS, k=words))


def _path(random: Random) -> str:
    ending = random.choice(("py", "ts", "go", "java", "rs", "c"))
    return f"{random.choice(_FOLDERS)}/{random.choice(_WORDS)}_{random.choice(_WORDS)}.{ending}"


def _time(random: Random, number: int, style: int) -> str:
    hour, minute, second = number // 3600 % 24, number // 60 % 60, number % 60
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    return (
        f"2024-05-01 {clock}",
        f"2024-05-01T{clock}.{random.randrange(1000):03d}Z",
        f"[{clock}]",
        f"May  1 {clock}",
        f"2024-05-01 {clock},{random.randrange(1000):03d}",
    )[style]


def _log_lines(random: Random, count: int) -> list[str]:
    style, seconds = random.randrange(5), 0
    lines = []
    for _ in range(count):
        seconds += random.randrange(40)
        level, name = random.choice(_LEVELS), random.choice(_WORDS)
        lines.append(
            f"{_time(random, seconds, style)} {level} {name}: {_phrase(random)} id={seconds}"
        )
    return lines


def _python_lines(random: Random, count: int) -> list[str]:
    lines = ["import os", "import logging", ""]
    while len(lines) < count:
        name = "_".join(random.choices(_WORDS, k=2))
        lines += [
            f"def {name}(value: int) -> int:",
            f'    """Return the {name}."""',
            "    if value < 0:",
            f'        raise ValueError("error: {_phrase(random)}")',
            "    try:",
            f'        logging.warning("WARNING: {_phrase(random)}")',
            "    except OSError as error:",
            f'        print(f"FAILED: {{error}} {_phrase(random)}")',
            "    return value",
            "",
        ]
    return lines


def code_with_error_words(random: Random, count: int) -> str:
    if random.random() < 0.5:
        return "\n".join(_python_lines(random, count))
    lines = ["package store", "", 'import "errors"', ""]
    while len(lines) < count:
        lines += [
            f"// ERROR: {_phrase(random)} fatal error",
            f"func {random.choice(_WORDS)}{random.randrange(99)}(id string) error {{",
            '\tif id == "" {',
            f'\t\treturn errors.New("error: {_phrase(random)}")',
            "\t}",
            f'\tlog.Printf("FAILED to %s: {_phrase(random)}", id)',
            "\treturn nil",
            "}",
            "",
        ]
    return "\n".join(lines)


def logs_like_separated_values(random: Random, count: int) -> str:
    separator = random.choice((",", "|", ";", "\t"))
    style, seconds, lines = random.randrange(5), 0, []
    for _ in range(count):
        seconds += random.randrange(40)
        cells = [_time(random, seconds, style), random.choice(_LEVELS), random.choice(_WORDS)]
        lines.append(separator.join([*cells, str(random.randrange(9999)), _phrase(random)]))
    return "\n".join(lines)


def tests_that_print_json(random: Random, count: int) -> str:
    lines = [
        "============================= test session starts ==============================",
        f"collected {count} items",
        "",
    ]
    for _ in range(count // 3 + 1):
        value = {"id": random.randrange(999), "status": _phrase(random, 1), "ok": True}
        lines.append(f"tests/test_{random.choice(_WORDS)}.py::test_{random.choice(_WORDS)} PASSED")
        lines += json.dumps(value, indent=random.choice((None, 2))).split("\n")
    return "\n".join([*lines, f"====== {count // 3 + 1} passed in 1.20s ======"])


def markdown_about_logs(random: Random, count: int) -> str:
    lines = [f"# How to read the logs of the {random.choice(_WORDS)}", ""]
    while len(lines) < count:
        lines += [f"## {_phrase(random, 2).capitalize()}", ""]
        lines += [f"A line with ERROR tells that the {_phrase(random)} has not ended well.", ""]
        lines += [f"- `{random.choice(_LEVELS)}`: the {_phrase(random)}" for _ in range(3)]
        lines += ["", "```", *_log_lines(random, random.randrange(2, 12)), "```", ""]
    return "\n".join(lines)


def diffs_of_logs(random: Random, count: int) -> str:
    header = ["diff --git a/app.log b/app.log", "index 0a1b2c3..4d5e6f7 100644"]
    lines = [*header[: random.choice((0, 2))], "--- a/app.log", "+++ b/app.log"]
    while len(lines) < count:
        lines.append(f"@@ -{len(lines)},9 +{len(lines)},9 @@")
        lines += [random.choice((" ", " ", "+", "-")) + line for line in _log_lines(random, 9)]
    return "\n".join(lines)


def yaml_in_markdown(random: Random, count: int) -> str:
    lines = [f"# Deploy the {random.choice(_WORDS)}", "", f"Set the {_phrase(random)} first.", ""]
    while len(lines) < count:
        lines += ["```yaml", "services:"]
        for _ in range(random.randrange(3, 15)):
            lines += [f"  - name: {random.choice(_WORDS)}", f"    port: {random.randrange(9999)}"]
        lines += ["```", "", f"Then restart the {_phrase(random)}, and wait for it.", ""]
    return "\n".join(lines)


def greps_of_logs(random: Random, count: int) -> str:
    lines = _log_lines(random, count)
    name = f"logs/{random.choice(_WORDS)}.log"
    return "\n".join(f"{name}:{7 * number + 3}:{line}" for number, line in enumerate(lines))


def greps_of_code(random: Random, count: int) -> str:
    lines = [line for line in _python_lines(random, count) if line]
    return "\n".join(f"{_path(random)}:{random.randrange(1, 900)}:{line}" for line in lines)


def tables_of_times(random: Random, count: int) -> str:
    header = "JOB              STATE      STARTED               ENDED                 RUNS"
    lines = [header]
    for _ in range(max(count, 5)):
        start = random.randrange(40_000)
        times = (_time(random, start, 0), _time(random, start + random.randrange(900), 0))
        state = random.choice(("done", "failed", "running"))
        lines.append(
            f"{random.choice(_WORDS):<16} {state:<10} {times[0]:<21} {times[1]:<21} "
            f"{random.randrange(99)}"
        )
    return "\n".join(lines)


def separated_values_with_quoted_text(random: Random, count: int) -> str:
    lines = ["id,time,title,text,score"]
    for number in range(max(count, 6)):
        text = _phrase(random, 9).replace(" ", random.choice((", ", " ", "\n", '""', "; ")), 3)
        time, title = _time(random, number, 0), _phrase(random, 2)
        lines.append(f'{number},{time},{title},"{text}",{random.random():.3f}')
    return "\n".join(lines)


def separated_values_of_few_columns(random: Random, count: int) -> str:
    separator = random.choice((",", ";", "\t"))
    rows = [(random.choice(_WORDS), str(random.randrange(9999))) for _ in range(max(count, 6))]
    return "\n".join(map(separator.join, [("name", "value"), *rows]))


def stack_traces(random: Random, count: int) -> str:
    lines: list[str] = []
    seconds = 0
    while len(lines) < count:
        seconds += random.randrange(90)
        style = 0
        lines.append(f"{_time(random, seconds, style)} ERROR {_phrase(random)}")
        lines.append(f"java.lang.IllegalStateException: {_phrase(random)}")
        for _ in range(random.randrange(1, 3)):
            name = random.choice(_WORDS)
            lines.append(f"\tat com.app.{name}.Worker.run(Worker.java:{random.randrange(900)})")
        lines += _log_lines(Random(seconds), random.randrange(5, 9))
    return "\n".join(lines)


def shell_transcripts(random: Random, count: int) -> str:
    prompt = random.choice(("$ ", "dev@web:~/app$ ", "root@db:/srv# "))
    lines: list[str] = []
    while len(lines) < count:
        lines.append(f"{prompt}ls {random.choice(_FOLDERS)}")
        lines += [f"{random.choice(_WORDS)}.py" for _ in range(3)]
        lines.append(f"{prompt}tail app.log")
        lines += _log_lines(random, 4)
    return "\n".join(lines)


def sql_in_code(random: Random, count: int) -> str:
    lines = ["import sqlite3", ""]
    while len(lines) < count:
        table = random.choice(_WORDS)
        lines += [
            f"def add_{table}(connection: sqlite3.Connection) -> None:",
            '    connection.execute("""',
            f"CREATE TABLE {table} (id integer PRIMARY KEY, name text);",
            f"INSERT INTO {table} VALUES (1, '{_phrase(random)}');",
            '    """)',
            "    if connection.in_transaction:",
            "        connection.commit()",
            "    return None",
            "",
        ]
    return "\n".join(lines)


def settings_with_equals(random: Random, count: int) -> str:
    lines = [f"# Settings of the {random.choice(_WORDS)}."]
    has_sections = random.random() < 0.7
    for number in range(count):
        if has_sections and number % 7 == 0:
            lines += ["", f"[{random.choice(_WORDS)}]"]
        value = random.choice(("true", "8080", '"error"', "/var/log/app.log", _phrase(random, 2)))
        lines.append(f"{random.choice(_WORDS)}_{number}{random.choice((' = ', '='))}{value}")
    return "\n".join(lines)


FALSE_FRIENDS: Mapping[Callable[[Random, int], str], str] = {
    code_with_error_words: "code",
    diffs_of_logs: "diff",
    greps_of_code: "search",
    greps_of_logs: "search",
    logs_like_separated_values: "log",
    markdown_about_logs: "markdown",
    separated_values_of_few_columns: "separated",
    separated_values_with_quoted_text: "separated",
    settings_with_equals: "settings",
    shell_transcripts: "outputs",
    sql_in_code: "code",
    stack_traces: "log",
    tables_of_times: "table",
    tests_that_print_json: "build",
    yaml_in_markdown: "markdown",
}
"""Makers of texts by a random generator and a number of lines, with their true kinds."""
