"""Test that token counts are exact with a vocabulary and estimated without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from anthropic.types import TextBlock, ToolUseBlock
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage

from headroom_core.dialects.access import replace_text
from headroom_core.errors import TokenizationError
from headroom_core.tokens import vocabulary
from headroom_core.tokens.estimate import estimate_tokens
from headroom_core.tokens.tokenizer import Tokenizer, count_tokens_messages, count_tokens_text

ROOT = Path(__file__).parents[2]
TOKENIZER = Tokenizer("gpt-4o")
count = TOKENIZER.count_text

WITHOUT_VOCABULARY = """
import socket, sys
def refuse(*arguments): raise AssertionError("a connection was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from headroom_core.tokens import vocabulary
vocabulary.find_spec = lambda name: None
from headroom_core.tokens import Tokenizer
tokenizer = Tokenizer("gpt-4o")
print(tokenizer.estimated, tokenizer.count_text(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def exact() -> tiktoken.Encoding:
    encoding = vocabulary.load_vocabulary("o200k_base")
    if encoding is None:
        pytest.skip("the vocabulary is not on this machine")
    return encoding


def count_without_vocabulary(text: str, folder: Path) -> list[str]:
    environment = {**os.environ, "TMPDIR": str(folder), "TIKTOKEN_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", WITHOUT_VOCABULARY, text]
    return subprocess.check_output(command, text=True, cwd=ROOT, env=environment).split()


class TestTexts:
    def test_counts_use_the_vocabulary_of_the_model(self, exact: tiktoken.Encoding) -> None:
        text = '{"id": 17, "name": "Zoë", "état": "過去 🚀"}\n\t<|endoftext|>'
        assert count_tokens_text(text) == len(exact.encode_ordinary(text))
        assert not TOKENIZER.estimated

    def test_special_tokens_are_counted_as_ordinary_text(self) -> None:
        assert count("<|endoftext|>") > 1

    def test_lone_surrogates_are_counted(self) -> None:
        assert count("a \ud83d b \udc00") > 0
        assert count("\ud83d" * 1000) > 0

    @given(st.text(st.characters(codec=None)))
    def test_every_text_has_a_count_and_an_estimate(self, text: str) -> None:
        assert (count(text) > 0) == (estimate_tokens(text) > 0) == (text != "")

    @pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
    def test_counts_of_long_texts_match_tiktoken(self, encoding: str) -> None:
        exact = vocabulary.load_vocabulary(encoding)
        if exact is None:
            pytest.skip("the vocabulary is not on this machine")
        rows = [
            {"id": n, "note": f"row\n{n} isn't  done", "path": f"/a/b{n}.txt", "x": n / 7}
            for n in range(12_000)
        ]
        text = json.dumps(rows)
        model = {"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"}[encoding]
        assert len(text) > 600_000
        assert count_tokens_text(text, model) == len(exact.encode_ordinary(text))

    @pytest.mark.parametrize("character", list(" a\t\n=1中é🚀"))
    def test_a_million_repeated_characters_are_counted(self, character: str) -> None:
        part, whole = count(character * 100_000), count(character * 1_000_000)
        assert abs(whole - 10 * part) <= 20


class TestModels:
    @pytest.mark.parametrize(
        ("model", "encoding"),
        [
            ("gpt-4o", "o200k_base"),
            ("gpt-4o-mini-2024-07-18", "o200k_base"),
            ("openai/gpt-4o", "o200k_base"),
            ("gpt-5.2", "o200k_base"),
            ("gpt-oss-120b", "o200k_base"),
            ("ft:gpt-4.1-mini-2025-04-14:team::id", "o200k_base"),
            ("ft:gpt-3.5-turbo:team::id", "cl100k_base"),
            ("gpt-4-turbo", "cl100k_base"),
            ("gpt-4", "cl100k_base"),
        ],
    )
    def test_known_models_use_their_own_vocabulary(self, model: str, encoding: str) -> None:
        assert vocabulary.resolve_encoding(model) == (encoding, True)

    @pytest.mark.parametrize(
        "model", ["claude-sonnet-4-5", "gemini-3-pro", "llama3:8b", "ft:", "", "ft:x", "a/b/", "🚀"]
    )
    def test_other_models_use_o200k_and_are_marked_as_estimated(self, model: str) -> None:
        tokenizer = Tokenizer(model)
        assert (tokenizer.encoding, tokenizer.estimated) == ("o200k_base", True)
        assert tokenizer.count_text("Hello") == count("Hello")

    def test_counts_are_estimated_without_a_vocabulary(self, tmp_path: Path) -> None:
        text = json.dumps([{"id": n, "status": "ok"} for n in range(200)])
        estimated, tokens = count_without_vocabulary(text, tmp_path)
        assert estimated == "True"
        assert int(tokens) == estimate_tokens(text) == pytest.approx(count(text), rel=0.15)

    def test_a_damaged_vocabulary_is_neither_used_nor_removed(self, tmp_path: Path) -> None:
        damaged = tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790"
        damaged.write_bytes(b"IQ== 0\n")
        assert count_without_vocabulary("Hello", tmp_path)[0] == "True"
        assert damaged.read_bytes() == b"IQ== 0\n"

    def test_loading_does_not_change_environment_variables(self) -> None:
        code = (
            "import os; before = dict(os.environ); "
            "from headroom_core.tokens import count_tokens_text; "
            "count_tokens_text('hi'); assert dict(os.environ) == before"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


class TestEstimate:
    @pytest.mark.parametrize(
        "text",
        [
            "The server stopped answering at three; two of the jobs failed, "
            "and the others went on as before.",
            '[{"id": 101, "name": "worker-7", "ok": true, "cpu": 0.75}, '
            '{"id": 102, "name": "worker-8", "ok": false}]',
            "2024-05-15 15:00:00,123 ERROR dfs.DataNode: Failed to serve "
            "blk_-1608999687919862906 to /10.250.19.102",
            "def count(self, text: str) -> int:\n    for key in self.keys:\n"
            "        yield self.get(key)\n",
            "Сервер перестал отвечать ночью, инженер перезапустил базу данных "
            "и проверил место на диске.",
            "服务器在夜里停止了响应，工程师重新启动了数据库，并检查了磁盘的空间。",
            "Die Fähre fährt im Sommer täglich um sieben, im Winter nur freitags; "
            "Fahrräder kosten extra.",
            "7b2d1f0e9a8c4d6b5e3f1a2c4b6d8e0f" * 8,
        ],
    )
    def test_estimates_are_close_to_exact_counts(self, text: str, exact: tiktoken.Encoding) -> None:
        assert estimate_tokens(text) == pytest.approx(len(exact.encode_ordinary(text)), rel=0.3)

    @given(st.text(), st.text())
    def test_estimates_never_decrease_with_more_text(self, text: str, more: str) -> None:
        assert estimate_tokens(text) <= estimate_tokens(text + more)


class TestCache:
    def test_tokenizers_of_an_encoding_share_a_cache(self) -> None:
        for text in (
            "short, and new to the cache: 4711",
            "long, and new to the cache: " + "4711 " * 500,
        ):
            before = TOKENIZER.counter.encoded_characters
            counts = {
                tokenizer.count_text(text)
                for tokenizer in (TOKENIZER, Tokenizer("gpt-4.1"), Tokenizer("claude-x"))
            }
            assert len(counts) == 1
            assert TOKENIZER.counter.encoded_characters - before == len(text)

    def test_only_new_messages_of_a_conversation_are_encoded(self) -> None:
        messages = [
            {"role": "user", "content": f"message number {n} of a growing conversation"}
            for n in range(50)
        ]
        count_tokens_messages(messages[:-1])
        before = TOKENIZER.counter.encoded_characters
        count_tokens_messages(messages)
        assert TOKENIZER.counter.encoded_characters - before == len(messages[-1]["content"])

    def test_threads_give_the_same_counts(self) -> None:
        texts = [f"thread text {n} " * (n % 50 + 1) for n in range(400)]
        with ThreadPoolExecutor(8) as pool:
            counts = list(pool.map(count, texts * 3))
        assert counts == [count(text) for text in texts] * 3


IMAGE: dict[str, Any] = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64," + "A" * 9000},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "jobs", "arguments": '{"day": 3}'}}


def content_tokens(*parts: Any) -> int:
    """Return the tokens that parts add to a message."""
    whole = TOKENIZER.count_messages([{"role": "user", "content": list(parts)}])
    return whole - TOKENIZER.count_messages([{"role": "user", "content": []}])


def google_tokens(*parts: Any) -> int:
    """Return the tokens that parts add to a content of Google's format."""
    whole = TOKENIZER.count_messages([{"role": "user", "parts": list(parts)}])
    return whole - TOKENIZER.count_messages([{"role": "user", "parts": []}])


class TestMessages:
    def test_messages_and_the_reply_cost_three_extra_tokens_each(self) -> None:
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "name": "Ann", "content": "Hi"},
        ]
        texts = sum(map(count, ["system", "Be brief.", "user", "Ann", "Hi"]))
        assert count_tokens_messages(messages) == 3 + 2 * 3 + 1 + texts

    def test_calls_are_counted_by_name_and_arguments(self) -> None:
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
        assert count_tokens_messages([message]) == 6 + sum(
            map(count, ["assistant", "jobs", '{"day": 3}'])
        )

    @pytest.mark.parametrize(
        ("part", "texts"),
        [
            (
                {"type": "tool_use", "id": "t1", "name": "jobs", "input": {"day": 3}},
                ["jobs", '{"day":3}'],
            ),
            ({"type": "tool_result", "tool_use_id": "t1", "content": "[]"}, ["[]"]),
            (
                {
                    "type": "tool_result",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
                ["a", "b"],
            ),
            (
                {"type": "thinking", "thinking": "well then", "signature": "c2ln" * 99},
                ["well then"],
            ),
            ({"type": "redacted_thinking", "data": "c2ln" * 99}, []),
            (
                {"type": "document", "title": "T", "source": {"type": "text", "data": "body"}},
                ["T", "body"],
            ),
            ({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}, ["hi"]),
            ({"type": "refusal", "refusal": "no"}, ["no"]),
            ("bare", ["bare"]),
            (None, []),
            (17, []),
        ],
    )
    def test_only_text_of_a_part_that_the_model_reads_is_counted(
        self, part: Any, texts: list[str]
    ) -> None:
        assert content_tokens(part) == sum(map(count, texts))

    @pytest.mark.parametrize(
        ("part", "texts"),
        [
            ({"function_call": {"name": "jobs", "args": {"day": 3}}}, ["jobs", '{"day":3}']),
            ({"functionCall": {"name": "jobs", "args": {"day": 3}}}, ["jobs", '{"day":3}']),
            (
                {"function_response": {"name": "jobs", "response": {"ok": True}}},
                ["jobs", "ok", "true"],
            ),
            (
                {"functionResponse": {"name": "jobs", "response": {"rows": [1]}}},
                ["jobs", "rows", "[1]"],
            ),
            ({"functionResponse": {"name": "jobs", "response": "odd"}}, ["jobs", "odd"]),
            ({"executable_code": {"language": "PYTHON", "code": "x = 1"}}, ["x = 1"]),
            ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, ["1"]),
            ("bare", ["bare"]),
            (None, []),
            (17, []),
        ],
    )
    def test_only_text_of_google_parts_that_the_model_reads_is_counted(
        self, part: Any, texts: list[str]
    ) -> None:
        assert google_tokens(part) == sum(map(count, texts))

    def test_images_cost_a_fixed_number_of_tokens(self) -> None:
        low = {"type": "image_url", "image_url": {"url": "https://host/a.png", "detail": "low"}}
        block = {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "A" * 9000},
        }
        assert [content_tokens(part) for part in (IMAGE, low, block)] == [765, 85, 765]
        inline = {"inline_data": {"mime_type": "image/png", "data": "A" * 9000}}
        linked = {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a.png"}}
        assert [google_tokens(part) for part in (inline, linked)] == [765, 765]

    def test_sdk_objects_are_counted_like_dicts(self) -> None:
        answer = ChatCompletionMessage.model_validate(
            {"role": "assistant", "content": "Hi", "tool_calls": [CALL]}
        )
        blocks = [
            TextBlock(type="text", text="Hi"),
            ToolUseBlock(type="tool_use", id="t", name="jobs", input={"day": 3}),
        ]
        for message in (answer, *blocks):
            assert content_tokens(message) == content_tokens(message.model_dump())

    @pytest.mark.parametrize(
        "messages", [[None], ["text"], [{}], [{"role": 3, "content": 4}], [{"content": {}}]]
    )
    def test_invalid_messages_are_counted_without_an_error(self, messages: list[Any]) -> None:
        assert count_tokens_messages(messages) >= 6

    def test_a_message_that_contains_itself_is_an_error(self) -> None:
        message: dict[str, Any] = {"role": "user"}
        message["content"] = [message]
        with pytest.raises(TokenizationError, match="refers to itself"):
            count_tokens_messages([message])

    @given(st.text(), st.text(), st.integers(0, 4))
    def test_replacing_a_text_changes_the_count_by_the_difference(
        self, old: str, new: str, at: int
    ) -> None:
        paths = [
            ("content",),
            ("content", 0, "text"),
            ("content", 1, "content"),
            ("content", 2, "source", "data"),
            ("parts", 0, "function_response", "response", "result"),
        ]
        content = [
            {"type": "text", "text": old},
            {"type": "tool_result", "content": old},
            {"type": "document", "source": {"type": "text", "data": old}},
        ]
        response = {"function_response": {"name": "jobs", "response": {"result": old}}}
        message = {"role": "tool", "content": content if at else old}
        if at == 4:
            message = {"role": "tool", "parts": [response]}
        changed = replace_text(message, paths[at], new)
        difference = count_tokens_messages([changed, IMAGE]) - count_tokens_messages(
            [message, IMAGE]
        )
        assert difference == count(new) - count(old)
