"""Test that the lines of real programs, linters, compilers, git and loggers stay verbatim."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from headroom_core import CCRConfig, HeadroomConfig, MemoryStore, compress, decode_table
from headroom_core.compressors import REGISTRY

ROOT = Path(__file__).parents[2]
OUTPUTS = 50
MAX_LINES = 400
LOSSLESS = HeadroomConfig(ccr=CCRConfig(enabled=False))
MARKER = re.compile(
    r"\[headroom: (?:all )?([\d,]+)(?: of [\d,]+)? lines? (?:left out here|from \d)"
)
COMPRESSORS = {route.compressor.name: route for route in REGISTRY.routes(HeadroomConfig())}
TOP_MARKER = re.compile(r"\[headroom: \d+ of \d+ lines left out at the marks below")


class Sent(NamedTuple):
    """A text as it is sent, and the compressor that shortened it, if one did."""

    text: str
    by: str


def send(texts: Sequence[str], config: HeadroomConfig | None = None) -> list[Sent]:
    """Return texts as `compress` sends them, as the results of a tool of which nothing is known."""
    messages: list[Any] = [{"role": "user", "content": "Where is the total of 1234 computed?"}]
    for number, text in enumerate(texts):
        function = {"name": "call_it", "arguments": "{}"}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": text})
    # A model whose context holds all of them.
    result = compress(messages, model="gpt-4.1", config=config, store=MemoryStore())
    assert not result.warnings
    by = {change.message: change.by for change in result.changes if change.action != "kept"}
    return [
        Sent(message["content"], by.get(index, ""))
        for index, message in enumerate(result.messages)
        if message["role"] == "tool"
    ]


def assert_lines_stay(original: str, sent: Sent) -> None:
    """Check that all lines that were sent are the original's, in order, or markers that add up."""
    if sent.by == "diff" or (sent.by and not COMPRESSORS[sent.by].keeps_lines):
        # Its lines are of shapes of its own, which have tests of their own.
        assert len(sent.text) < len(original)
        return
    missing = 0
    remaining = iter(original.split("\n"))
    lines = sent.text.split("\n")
    if TOP_MARKER.match(lines[0]):
        del lines[0]
    for line in lines:
        if marker := MARKER.match(line):
            count = int(marker[1].replace(",", ""))
            assert len(list(islice(remaining, count))) == count
            missing += count
        else:
            assert line == next(remaining, None)
    assert not list(remaining)


def assert_stays(outputs: Sequence[str]) -> None:
    """Check outputs without and with leaving lines out."""
    assert len(outputs) >= OUTPUTS
    assert all(output.count("\n") >= 3 for output in outputs)
    for original, sent in zip(outputs, send(outputs, LOSSLESS), strict=True):
        restored = sent.text
        if sent.by:
            restored = getattr(COMPRESSORS[sent.by].compressor, "restore", decode_table)(sent.text)
        assert restored == original
    for original, sent in zip(outputs, send(outputs), strict=True):
        assert_lines_stay(original, sent)


def cut(text: str) -> str:
    """Return the first lines of a text."""
    return "\n".join(text.split("\n")[:MAX_LINES])


def output_of(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    return done.stdout + done.stderr


def split_by_file(output: str, starts: str) -> list[str]:
    """Return the parts of an output, one for each file that starts match."""
    parts: dict[str, list[str]] = {}
    name = ""
    for line in output.split("\n"):
        if match := re.match(starts, line):
            name = match[1]
        parts.setdefault(name, []).append(line)
    return ["\n".join(lines) for lines in parts.values() if len(lines) > 3]


@pytest.fixture(scope="session")
def programs() -> list[Path]:
    """Two hundred source files of installed packages, from all parts of the alphabet."""
    folder = Path(sysconfig.get_paths()["purelib"])
    paths = [path for path in sorted(folder.rglob("*.py")) if 3e3 < path.stat().st_size < 3e4]
    assert len(paths) > 200
    return paths[:: len(paths) // 200][:200]


VIEWS: dict[str, Callable[[int, str], str]] = {
    "plain": lambda number, line: line,
    "cat -n": lambda number, line: f"{number:6}\t{line}",
    "nl -ba": lambda number, line: f"{number:6}\t{line}",
    "nl": lambda number, line: f"{number:6}\t{line}" if line else "       ",
    "arrows": lambda number, line: f"{number:5}→{line}",
    "bars": lambda number, line: f"{number} | {line}",
}


@pytest.mark.parametrize("view", VIEWS)
def test_lines_of_programs_stay(programs: list[Path], view: str) -> None:
    texts = []
    for path in programs:
        lines = path.read_text("utf-8", errors="replace").split("\n")
        texts.append("\n".join(VIEWS[view](number, line) for number, line in enumerate(lines, 1)))
    for original, sent in zip(texts, send(texts), strict=True):
        assert_lines_stay(original, sent)


@pytest.mark.parametrize("style", ["concise", "full", "grouped", "pylint", "github", "azure"])
def test_lines_of_a_linter_stay(programs: list[Path], style: str) -> None:
    paths = map(str, programs[: OUTPUTS + 10])
    flags = ["--isolated", "--no-cache", "--select=ALL", f"--output-format={style}"]
    output = output_of(
        sys.executable, "-m", "ruff", "check", *flags, *paths, folder=programs[0].parent
    )
    starts = {
        "full": r"\s*--> (\S+?):\d",
        "grouped": r"(\S+):$",
        "github": r"::error.*?file=([^,]+),",
        "azure": r"##vso.*?sourcepath=([^;]+);",
    }
    assert_stays([*map(cut, split_by_file(output, starts.get(style, r"(\S+?):\d+:")))])


@pytest.mark.parametrize("flags", ["--show-error-context", "--pretty"])
def test_lines_of_a_type_checker_stay(programs: list[Path], tmp_path: Path, flags: str) -> None:
    for number, path in enumerate(programs):
        source = path.read_text("utf-8", errors="replace")
        # Without relative imports, which are errors outside of their package.
        if "from ." not in source:
            (tmp_path / f"m{number}_{path.stem.strip('_')}.py").write_text(source, "utf-8")
    names = [path.name for path in tmp_path.iterdir() if path.stem.isidentifier()][:80]
    alone = "--strict --follow-imports=skip --ignore-missing-imports --no-site-packages".split()
    cache = f"--cache-dir={tmp_path / 'cache'}"
    output = output_of(sys.executable, "-m", "mypy", *alone, cache, flags, *names, folder=tmp_path)
    assert_stays([*map(cut, split_by_file(output, r"(m\d+_\w+\.py):"))])


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, programs: list[Path]) -> Path:
    """The repository of these tests, or one of sixty versions of some programs."""
    if len(output_of("git", "log", "-70", "--oneline", folder=ROOT).split("\n")) > 70:
        return ROOT
    folder = tmp_path_factory.mktemp("repository")
    output_of("git", "init", "-q", folder=folder)
    identity = "-c user.name=Ann -c user.email=ann@example.com".split()
    for number in range(70):
        for path in programs[number::70]:
            lines = path.read_text("utf-8", errors="replace").split("\n")
            (folder / path.name).write_text("\n".join(lines[number:]), "utf-8")
        output_of("git", "add", ".", folder=folder)
        message = f"Change {programs[number].stem} number {number}"
        output_of("git", *identity, "commit", "-qm", message, folder=folder)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "show --format=fuller",
        "show --stat",
        "show --numstat --format=raw",
        "diff --stat {}~8",
        "diff -U1 {}~2",
        "log --oneline -40 --skip=1",
        "log --stat -5",
        "log -30 --format=%h|%an|%ad|%s --date=iso",
        "log -30 --graph --format=%C(auto)%h%x09%an%x09%s",
    ],
)
def test_lines_of_version_control_stay(repository: Path, command: str) -> None:
    revisions = output_of("git", "log", "-60", "--format=%H", "HEAD", folder=repository).split()
    outputs = []
    for revision in revisions[:OUTPUTS]:
        words = [*command.format(revision).split(), revision]
        output = output_of("git", "--no-pager", *words, folder=repository)
        outputs.append(cut(output) + "\n\n\n")
    assert_stays(outputs)


FAULTS = """
#include <stdio.h>
#include <string.h>
static int unused_{n}(int a, unsigned b) {{ return a < b; }}
int total_{n}(char *name, int count) {{
    int rest, other = {n};
    char buffer[{n} + 2];
    printf("%d %s\\n", name, count);
    if (count = {n}) strcpy(buffer, "a text that is longer than it may be, by far");
    for (unsigned i = 0; i < count; i++) missing_{n}(i, "{n}");
    switch (count) {{ case 1: other = 2; case 2: other = {n}; }}
}}
"""


def test_lines_of_a_compiler_stay(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    names = [f"part{number}.c" for number in range(OUTPUTS)]
    for number, name in enumerate(names):
        (tmp_path / name).write_text(FAULTS.format(n=number) * (1 + number % 3))
    flags = ["-fsyntax-only", "-Wall", "-Wextra"]
    output = output_of("gcc", *flags, *names, folder=tmp_path)
    assert_stays(split_by_file(output, r"(part\d+\.c):"))


def test_lines_of_errors_of_syntax_stay(programs: list[Path], tmp_path: Path) -> None:
    for number in range(OUTPUTS):
        package = tmp_path / f"package{number:02}"
        package.mkdir()
        for part, path in enumerate(programs[number : number + 6]):
            lines = path.read_text("utf-8", errors="replace").split("\n")
            lines.insert(len(lines) // 2, "    value = (1, 2" if part % 2 else "def total(a, b:")
            (package / f"{path.stem}_{part}.py").write_text("\n".join(lines), "utf-8")
    output = output_of(sys.executable, "-m", "compileall", "-f", ".", folder=tmp_path)
    assert_stays(split_by_file(output, r"Listing '\./(package\d+)'"))


FORMATS = (
    "%(asctime)s %(levelname)s %(name)s: %(message)s",
    "%(asctime)s,%(levelname)s,%(name)s,%(message)s",
    "%(asctime)s|%(levelname)-8s|%(name)s|%(lineno)d|%(message)s",
    "%(asctime)s\t%(levelname)s\t%(process)d\t%(message)s",
    "%(asctime)s; %(levelname)s; %(message)s",
    "[%(asctime)s] [%(levelname)s] [%(threadName)s] %(message)s",
    "%(levelname)s:%(name)s:%(message)s",
    "%(levelname)s %(message)s",
    "%(relativeCreated)9.1f %(filename)s:%(lineno)d %(funcName)s() %(message)s",
    "<%(levelno)d>%(asctime)s %(name)s[%(process)d]: %(message)s",
)
EVENTS = (
    lambda log, number: log.info("request %d took %d ms, status=%d", number, number * 37 % 91, 200),
    lambda log, number: log.warning("retrying order %d, attempt %d", 1000 + number, number % 4),
    lambda log, number: log.debug("user=%s path=/items/%d?a=1,2", f"u{number % 7}", number),
    lambda log, number: log.error("cannot read %r", f"data/part-{number}.csv"),
    lambda log, number: log.info("ready"),
)


def logged(style: str, seed: int) -> str:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(style))
    log = logging.Logger(f"shop.part{seed}")
    log.addHandler(handler)
    for number in range(60 + 20 * seed):
        EVENTS[(number * (seed + 1) + number // 5) % (seed + 1)](log, number)
        if number % 40 == 39:
            try:
                raise ValueError(f"no order {number}")
            except ValueError:
                log.exception("order %d failed", number)
    return stream.getvalue()


def test_lines_of_a_logger_stay() -> None:
    assert_stays([logged(style, seed) for style in FORMATS for seed in range(5)])
