"""Programs, of which bodies that nothing names are left out."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest

from headroom_core import CompressResult, MemoryStore, Tokenizer, compress, retrieve
from headroom_core.compressors.code import CodeCompressor
from headroom_core.messages import Block
from headroom_core.transforms.router import ContentRouter

FUNCTION = """def {name}(value):
    # about {name}
    total = value * 2
    total += 3
    for number in range(total):
        print(number)
    return total


"""
NAMES = [f"make_{number}" for number in range(60)]
PROGRAM = "import sys\n\n\n" + "".join(FUNCTION.format(name=name) for name in NAMES)


def ask(
    query: str, text: str = PROGRAM, tool: str = "read_file", **settings: Any
) -> CompressResult:
    arguments = json.dumps({"path": "src/make.py"})
    call = {"id": "1", "type": "function", "function": {"name": tool, "arguments": arguments}}
    messages = [
        {"role": "user", "content": query},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": text},
    ]
    return compress(messages, **{"store": MemoryStore(), **settings})


def sent(result: CompressResult) -> str:
    return str(result.messages[-1]["content"])


def test_the_function_that_is_named_stays_whole_and_all_signatures_stay() -> None:
    text = sent(ask("What does make_17 do?"))
    assert FUNCTION.format(name="make_17").strip() in text
    assert all(f"def {name}(value):\n" in text for name in NAMES)
    assert "# about make_18" not in text


def test_the_callers_of_a_function_stay_too() -> None:
    caller = "def caller(value):\n    a = 1\n    b = 2\n    c = 3\n    return make_17(a + b + c)\n"
    text = sent(ask("Where is make_17 called?", PROGRAM + caller))
    assert caller.strip() in text
    assert FUNCTION.format(name="make_17").strip() in text


def test_deep_nesting_is_no_problem() -> None:
    deep = "function a() {\n" * 3000 + "}\n" * 3000
    result = ask("What does make_17 do?", deep)
    assert not result.warnings


def test_the_lines_of_a_gap_come_back() -> None:
    store = MemoryStore()
    result = ask("What does make_17 do?", store=store)
    mark = re.search(r"\[headroom: (\d+) lines from (\d+): make_18\]", sent(result))
    assert mark
    first = int(mark[2])
    found = retrieve(result.ccr_hashes[0], lines=f"{first}-{first + int(mark[1]) - 1}", store=store)
    assert "# about make_18" in found.text


def test_a_program_with_a_syntax_error_stays() -> None:
    broken = PROGRAM + "def broken(:\n    pass\n"
    assert sent(ask("What does make_17 do?", broken)) == broken


def test_where_files_are_edited_programs_stay() -> None:
    tools = [{"type": "function", "function": {"name": "edit_file", "parameters": {}}}]
    retrieval = {"type": "function", "function": {"name": "headroom_retrieve", "parameters": {}}}
    assert sent(ask("What does make_17 do?", tools=[*tools, retrieval])) == PROGRAM


@pytest.mark.parametrize("query", ["", "Thanks!"])
def test_without_a_word_of_the_program_signatures_or_all_stay(query: str) -> None:
    text = sent(ask(query))
    assert all(f"def {name}(value):\n" in text for name in NAMES)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    router = ContentRouter([CodeCompressor()], Tokenizer())
    block = Block(1, ("content",), "tool_result", PROGRAM)
    result = router.route(block, "0" * 24, "What does make_17 do?", True)
    assert result.text is None
    assert "pip install headroom-integrations[code]" in result.reason
