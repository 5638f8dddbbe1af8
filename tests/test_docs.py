"""Test that examples in the README and `docs/` run and that their tables match the code."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from test_imports import LEVELS

from headroom_core import ScoringWeights, adapters

ROOT = Path(__file__).parent.parent
NOT_MAPPED = {"py.typed", "__pycache__"}

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PLUGIN_TEST = """
from acme_headroom import output
from headroom_core import compress, retrieve

result = compress([{"role": "tool", "tool_call_id": "1", "content": output}])
print(*result.transforms_applied)
print(retrieve(*result.ccr_hashes, lines="7").text)
"""


def examples() -> Iterator[Any]:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            where = path.relative_to(ROOT).as_posix()
            yield pytest.param("\n" * (line - 1) + match[1], where, id=f"{where}:{line}")


@pytest.fixture(autouse=True)
def use_memory_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", "memory://")


@pytest.mark.parametrize(("source", "where"), list(examples()))
def test_python_examples_run(
    source: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(source, str(ROOT / where), "exec"), {"__name__": "__main__"})


def test_documented_warnings_exist_in_the_code() -> None:
    explained = re.findall(
        r"^\| [^|]+ \| `([^`]+)` \|",
        (ROOT / "docs/how-it-works.md").read_text(encoding="utf-8").split("## Warnings")[1],
        re.MULTILINE,
    )
    code = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "headroom_core").rglob("*.py")
    )
    parts = [
        part.strip(" :=")
        for warning in explained
        for part in re.split(r"\d+|…|token_budget", warning)
    ]
    assert len(explained) == 24
    assert [part for part in parts if part not in code] == []


def test_every_claim_about_security_names_a_test_that_exists() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+/test_\w+\.py)::(\w+)`", text)
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not re.search(
            rf"^ *(async )?def {name}\(",
            (ROOT / "tests" / file).read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    ]
    assert len(named) >= 20
    assert missing == []


def test_documented_weights_are_the_defaults() -> None:
    text = (ROOT / "docs/budgets.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `(\w+)=([\d.]+)` \|", text, re.MULTILINE)
    assert {name: float(weight) for name, weight in explained} == ScoringWeights().model_dump()


def test_the_output_in_the_readme_matches_its_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    exec(EXAMPLE.findall(README)[0], {})
    printed = capsys.readouterr().out
    (shown,) = re.findall(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    parts = [part.strip("\n") for part in re.split(r"^…$", shown, flags=re.MULTILINE)]
    assert re.fullmatch(r"\n(?:.+\n)+".join(map(re.escape, parts)) + r"\n+", printed), (
        f"it prints\n{printed}"
    )


def test_the_documented_marker_matches_its_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (ROOT / "docs/tables.md").read_text(encoding="utf-8")
    (example,) = [example for example in EXAMPLE.findall(text) if "print(marker)" in example]
    exec(example, {})
    (shown,) = re.findall(r"^```\n(\[headroom: .*?)^```$", text, re.MULTILINE | re.DOTALL)
    printed = re.sub(r'(?<=key=")\w+', "…", capsys.readouterr().out)
    assert " ".join(shown.split()) == printed.strip()


def test_the_agent_loop_in_the_readme_answers_retrieve_calls() -> None:
    """Run the loop with the real client and a transport that calls the tool once."""
    (loop,) = [source for source in EXAMPLE.findall(README) if "def answer(" in source]
    requests: list[dict[str, Any]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(json.loads(request.content))
        message: dict[str, Any] = {"role": "assistant", "content": "worker-2"}
        if len(requests) == 1:
            (key,) = re.findall(
                r'headroom_retrieve\(key="(\w+)"', requests[0]["messages"][1]["content"]
            )
            function = {
                "name": "headroom_retrieve",
                "arguments": json.dumps({"key": key, "where": "id == 1203"}),
            }
            message = {
                "role": "assistant",
                "tool_calls": [{"id": "call_2", "type": "function", "function": function}],
            }
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return httpx.Response(
            200,
            json={
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-4o",
                "choices": [choice],
            },
        )

    rows = json.dumps([{"id": 1000 + n, "node": f"worker-{n % 3}"} for n in range(500)])
    messages = [
        {"role": "user", "content": "Where?"},
        {"role": "tool", "tool_call_id": "call_1", "content": rows},
    ]
    client = openai.OpenAI(
        api_key="none", http_client=httpx.Client(transport=httpx.MockTransport(respond))
    )
    names: dict[str, Any] = {}
    exec(loop, names)
    assert names["answer"](client, messages) == "worker-2"
    assert [tool["function"]["name"] for tool in requests[0]["tools"]] == ["headroom_retrieve"]
    assert "\n203,1203,worker-2" in requests[1]["messages"][-1]["content"]
    assert len(messages) == 2


def test_the_map_of_the_code_matches_the_modules() -> None:
    inside, around = README.split("## Map of the code")[1].split("Around the core:")
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \| (\d+) \|$", inside, re.MULTILINE)
    modules = {
        f"{path.name}/" if path.is_dir() else path.name: path.stem
        for path in (ROOT / "headroom_core").iterdir()
        if path.name not in NOT_MAPPED
    }
    assert len(rows) == len(modules)
    assert {module: level for module, _, level in rows} == {
        module: str(LEVELS["" if name == "__init__" else name]) for module, name in modules.items()
    }
    levels = [int(level) for _, _, level in rows]
    assert levels == sorted(levels, reverse=True)
    paths = [
        f"{module}{part}"
        for module, purpose, _ in rows
        for part in re.findall(r"`([\w/]+(?:/|\.py))`", purpose)
    ]
    assert [path for path in paths if not (ROOT / "headroom_core" / path).exists()] == []
    mapped = set(re.findall(r"`([^`]+/)`", around.split("## ")[0]))
    integrations = (ROOT / "headroom_integrations").glob("*/__init__.py")
    assert {f"{path.parent.relative_to(ROOT).as_posix()}/" for path in integrations} <= mapped
    assert [path for path in mapped if not (ROOT / path).is_dir()] == []


def test_links_in_the_documentation_resolve() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT).as_posix()}: {link}"
        for page in pages
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if not resolves(page, link)
    ]
    assert broken == []


def resolves(page: Path, link: str) -> bool:
    """Return whether a link of a page leads to an existing file and heading."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub creates for the headings of a page."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_all_environment_variables_are_documented() -> None:
    settings = ast.parse((ROOT / "headroom_core/environment.py").read_text(encoding="utf-8"))
    strings = {node.value for node in ast.walk(settings) if isinstance(node, ast.Constant)}
    read = {
        name for name in strings if isinstance(name, str) and re.fullmatch("[A-Z]+(_[A-Z]+)*", name)
    }
    assert {*re.findall("`([A-Z_]+)`", README.split("## Environment variables")[1])} == read


def test_documented_helpers_for_integrations_are_exported() -> None:
    page = (ROOT / "docs/plugins.md").read_text(encoding="utf-8").split("## Integrations")[1]
    rows = re.findall(r"^\| (`.+`) \|", page, re.MULTILINE)
    assert rows
    assert {*re.findall(r"`(\w+)`", " ".join(rows))} <= {*adapters.__all__}


def test_the_readme_lists_all_extras() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = project.split("[project.optional-dependencies]")[1].split("\n[tool")[0]
    named = re.findall(
        r"^\| (`.*`) \|", README.split("| extra | for |")[1].split("## ")[0], re.MULTILINE
    )
    assert {*re.findall("`(\\w+)`", " ".join(named))} == {
        *re.findall(r"^(\w+) = \[", section, re.MULTILINE)
    }


@pytest.mark.parametrize(
    ("guide", "core"), [("langchain", "langchain-core"), ("llamaindex", "llama-index-core")]
)
def test_documented_versions_are_the_pinned_versions(guide: str, core: str) -> None:
    table = (ROOT / f"docs/{guide}.md").read_text(encoding="utf-8").split("## Versions")[1]
    named = re.findall(r"^\| (\S+) \| (\d\S+) \| (\d\S+) \|", table, re.MULTILINE)
    lowest, usual = pins("constraints-lowest.txt"), pins("constraints.txt")
    assert named == [(package, lowest[package], usual[package]) for package, _, _ in named]
    assert named[0] == (core, lowest[core], usual[core])
    assert f"{core} {lowest[core]} and {usual[core]}" in " ".join(README.split())


def pins(name: str) -> dict[str, str]:
    """Return the last pinned version of each package, that of the newest Python."""
    return dict(
        re.findall(r"^(\S+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_the_documented_compressor_is_used_after_installation(tmp_path: Path) -> None:
    text = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    ((name, module, rest),) = re.findall(r'^(\w+) = "(\w+)(:\w+)"$', text, re.MULTILINE)
    (tmp_path / f"{module}.py").write_text(EXAMPLE.findall(text)[0], encoding="utf-8")
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[headroom.compressors]\n{name} = {module}{rest}\n")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "HEADROOM_STORE_URL": "memory://",
    }
    done = subprocess.run(
        [sys.executable, "-c", PLUGIN_TEST], env=environment, capture_output=True, text=True
    )
    expected = ["passed_tests", "line 7 of 200", "tests/test_api.py::test_6 PASSED"]
    assert done.stdout.rstrip().splitlines()[-3:] == expected, done.stderr
