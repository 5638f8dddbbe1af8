"""Test that dialects read every text and write back only changed texts."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from anthropic.types import Message, TextBlock, ToolUseBlock, Usage
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage
from strategies import anthropic_conversations, google_conversations, openai_conversations

from headroom_core.dialects import (
    AnthropicDialect,
    Dialect,
    GoogleDialect,
    OpenAIDialect,
    dialect_for,
)
from headroom_core.dialects.base import has_cache_breakpoint
from headroom_core.errors import ConfigurationError
from headroom_core.messages import Block, Draft, Outline

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def tool_call(identifier: str, name: str, arguments: Any = "{}") -> dict[str, Any]:
    return {
        "id": identifier,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def assistant_calling(*calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def tool_message(content: Any, identifier: str = "c1", **fields: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identifier, "content": content, **fields}


def tool_use(identifier: str, name: str, arguments: Any = None) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": identifier, "name": name, "input": arguments}],
    }


def tool_result(content: Any, **fields: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t1", "content": content, **fields}],
    }


def parse_openai(*messages: Any) -> tuple[Block, ...]:
    return OpenAIDialect().parse(messages).blocks


def parse_anthropic(*messages: Any) -> tuple[Block, ...]:
    return AnthropicDialect().parse(messages).blocks


def replace_block(draft: Draft, position: int, text: str) -> Draft:
    blocks = list(draft.blocks)
    blocks[position] = blocks[position].with_text(text)
    return replace(draft, blocks=tuple(blocks))


def find_differences(
    left: Any, right: Any, path: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, ...]]:
    """Yield the paths at which two values differ, by keys, their order, or container types."""
    if isinstance(left, dict) and isinstance(right, dict) and list(left) == list(right):
        for key in left:
            yield from find_differences(left[key], right[key], (*path, key))
    elif isinstance(left, (list, tuple)) and type(left) is type(right) and len(left) == len(right):
        for index, pair in enumerate(zip(left, right, strict=True)):
            yield from find_differences(*pair, (*path, index))
    elif type(left) is not type(right) or left != right:
        yield path


class TestProperties:
    CASES = (
        st.tuples(st.just(OpenAIDialect()), openai_conversations()),
        st.tuples(st.just(AnthropicDialect()), anthropic_conversations()),
        st.tuples(st.just(GoogleDialect()), google_conversations()),
    )

    @given(st.one_of(*CASES))
    def test_unchanged_conversations_are_returned_as_the_same_objects(
        self, case: tuple[Dialect, list[Any]]
    ) -> None:
        dialect, messages = case
        before = copy.deepcopy(messages)
        back = dialect.render(dialect.parse(messages))
        assert [id(message) for message in back] == [id(message) for message in messages]
        assert messages == before

    @given(st.one_of(*CASES), st.data())
    def test_a_changed_block_changes_only_its_text(
        self, case: tuple[Dialect, list[Any]], data: st.DataObject
    ) -> None:
        dialect, messages = case
        before, draft = copy.deepcopy(messages), dialect.parse(messages)
        if not draft.blocks:
            return
        position = data.draw(st.integers(0, len(draft.blocks) - 1))
        block = draft.blocks[position]
        back = dialect.render(replace_block(draft, position, block.text + " (changed)"))
        written = dialect.name == "openai" or block.kind != "tool_call"
        assert list(find_differences(messages, back)) == (
            [(block.message, *block.path)] if written else []
        )
        assert all(
            new is old
            for i, (old, new) in enumerate(zip(messages, back, strict=True))
            if i != block.message
        )
        assert messages == before

    @given(st.one_of(*CASES))
    def test_the_path_of_a_block_leads_to_its_text(self, case: tuple[Dialect, list[Any]]) -> None:
        dialect, messages = case
        for block in dialect.parse(messages).blocks:
            value: Any = messages[block.message]
            for key in block.path:
                value = value[key]
            assert value == block.text or json.loads(block.text) == value

    @given(st.one_of(*CASES))
    def test_blocks_of_a_prefix_are_a_prefix_of_all_blocks(
        self, case: tuple[Dialect, list[Any]]
    ) -> None:
        dialect, messages = case
        assert (dialect_for(messages).name == "google") is (dialect.name == "google")
        blocks = dialect_for(messages).parse(messages).blocks
        for end in range(len(messages)):
            prefix = dialect_for(messages[:end]).parse(messages[:end]).blocks
            assert prefix == blocks[: len(prefix)]

    @given(st.one_of(*CASES))
    def test_messages_have_outlines_and_calls_one_later_answer(
        self, case: tuple[Dialect, list[Any]]
    ) -> None:
        dialect, messages = case
        outlines = dialect.parse(messages).outlines
        calls = [(index, call) for index, outline in enumerate(outlines) for call in outline.calls]
        answers = {
            call: index for index, outline in enumerate(outlines) for call in outline.answers
        }
        assert len(outlines) == len(messages)
        assert len(answers) == len(calls)
        assert all(index < answers[call] for index, call in calls)
        for end in range(len(messages)):
            assert dialect.parse(messages[:end]).outlines == outlines[:end]


class TestOpenAI:
    @pytest.mark.parametrize(
        ("role", "kind"),
        [("system", "system"), ("developer", "system"), ("user", "user"), ("tool", "tool_result")],
    )
    def test_the_role_determines_the_kind(self, role: str, kind: str) -> None:
        (block,) = parse_openai({"role": role, "content": "hi"})
        assert (block.kind, block.path, block.text) == (kind, ("content",), "hi")

    def test_text_parts_have_their_own_paths_and_images_are_ignored(self) -> None:
        first, last = ({"type": "text", "text": text} for text in "ab")
        blocks = parse_openai({"role": "user", "content": [first, IMAGE, last]})
        assert [block.path for block in blocks] == [("content", 0, "text"), ("content", 2, "text")]

    def test_refusals_are_read_as_assistant_texts(self) -> None:
        parts = [{"type": "refusal", "refusal": "no"}]
        blocks = parse_openai({"role": "assistant", "content": parts, "refusal": "never"})
        assert [(block.path, block.kind) for block in blocks] == [
            (("content", 0, "refusal"), "assistant"),
            (("refusal",), "assistant"),
        ]

    def test_results_are_linked_to_their_calls(self) -> None:
        question, result = parse_openai(
            assistant_calling(tool_call("c1", "jobs", '{"day": 3}')), tool_message("[]")
        )
        assert (question.kind, question.path) == (
            "tool_call",
            ("tool_calls", 0, "function", "arguments"),
        )
        assert (result.tool, result.call) == ("jobs", '{"day": 3}')

    def test_a_reused_identifier_refers_to_the_latest_call(self) -> None:
        blocks = parse_openai(
            assistant_calling(tool_call("c1", "old")),
            tool_message("1"),
            assistant_calling(tool_call("c1", "new")),
            tool_message("2"),
        )
        assert [block.tool for block in blocks if block.kind == "tool_result"] == ["old", "new"]

    def test_results_link_to_custom_calls_and_calls_without_arguments(self) -> None:
        custom = {"id": "c2", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
        blocks = parse_openai(
            assistant_calling(tool_call("c1", "now", None), custom),
            tool_message("12:00"),
            tool_message("a b", "c2"),
        )
        assert [(block.tool, block.call) for block in blocks[1:]] == [
            ("now", None),
            ("shell", "ls"),
        ]

    def test_function_messages_are_linked_by_name(self) -> None:
        calling = {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "jobs", "arguments": "{}"},
        }
        question, result = parse_openai(
            calling, {"role": "function", "name": "jobs", "content": "[]"}
        )
        assert question.path == ("function_call", "arguments")
        assert (result.kind, result.tool, result.call) == ("tool_result", "jobs", "{}")

    def test_a_result_without_a_call_uses_its_own_name(self) -> None:
        assert [
            block.tool for block in parse_openai(tool_message("1"), tool_message("2", name="jobs"))
        ] == [
            None,
            "jobs",
        ]

    @pytest.mark.parametrize(
        "name", ["headroom_retrieve", "mcp__store__headroom_retrieve", "store.headroom_retrieve"]
    )
    def test_retrieved_text_is_pinned(self, name: str) -> None:
        assert parse_openai(assistant_calling(tool_call("c1", name)), tool_message("rows"))[
            -1
        ].pinned

    def test_a_similar_name_is_not_the_retrieve_tool(self) -> None:
        assert (
            parse_openai(
                assistant_calling(tool_call("c1", "my_headroom_retrieve")), tool_message("rows")
            )[-1].pinned
            is None
        )

    def test_sdk_objects_are_read_and_copied(self) -> None:
        message = ChatCompletionMessage.model_validate(
            {**assistant_calling(tool_call("c1", "jobs")), "content": "on it", "x_new": [1]}
        )
        draft = OpenAIDialect().parse([message, tool_message("[]")])
        assert [block.tool for block in draft.blocks] == [None, "jobs", "jobs"]
        written, _ = OpenAIDialect().render(replace_block(draft, 0, "now"))
        assert isinstance(written, ChatCompletionMessage)
        assert (written.content, message.content) == ("now", "on it")
        assert written.tool_calls is message.tool_calls
        assert written.model_dump() == {**message.model_dump(), "content": "now"}


class TestAnthropic:
    def test_the_input_of_a_tool_use_is_read_but_never_changed(self) -> None:
        messages = [tool_use("t1", "jobs", {"day": 3, "who": "Zoë"}), tool_result("[]")]
        draft = AnthropicDialect().parse(messages)
        assert (draft.blocks[0].text, draft.blocks[0].tool) == ('{"day":3,"who":"Zoë"}', "jobs")
        assert AnthropicDialect().render(replace_block(draft, 0, "{}"))[0] is messages[0]

    def test_results_as_strings_and_blocks_are_linked_to_their_calls(self) -> None:
        parts = [{"type": "text", "text": "[]"}, {"type": "image", "source": {}}]
        _, whole, part = parse_anthropic(
            tool_use("t1", "jobs", {}), tool_result("[]", is_error=True), tool_result(parts)
        )
        assert (whole.kind, whole.path) == ("tool_result", ("content", 0, "content"))
        assert (whole.tool, whole.call) == ("jobs", "{}")
        assert (part.path, part.tool, part.call) == (
            ("content", 0, "content", 0, "text"),
            "jobs",
            "{}",
        )

    def test_a_result_without_a_call_has_no_tool(self) -> None:
        assert parse_anthropic(tool_result("[]"))[0].tool is None

    def test_retrieved_text_is_pinned(self) -> None:
        assert parse_anthropic(
            tool_use("t1", "mcp__x__headroom_retrieve", {}), tool_result("rows")
        )[-1].pinned

    def test_thinking_is_ignored(self) -> None:
        thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
        parts = [
            thinking,
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "so"},
        ]
        (block,) = parse_anthropic({"role": "assistant", "content": parts})
        assert (block.kind, block.path) == ("assistant", ("content", 2, "text"))

    @pytest.mark.parametrize(
        ("part", "path"),
        [
            ({"type": "document", "source": {"type": "text", "data": "d"}}, ("source", "data")),
            (
                {"type": "document", "source": {"type": "content", "content": "d"}},
                ("source", "content"),
            ),
            (
                {
                    "type": "document",
                    "source": {"type": "content", "content": [{"type": "text", "text": "d"}]},
                },
                ("source", "content", 0, "text"),
            ),
            (
                {"type": "search_result", "content": [{"type": "text", "text": "d"}]},
                ("content", 0, "text"),
            ),
        ],
    )
    def test_documents_are_read_in_messages_and_results(
        self, part: dict[str, Any], path: tuple[Any, ...]
    ) -> None:
        alone, inside = parse_anthropic({"role": "user", "content": [part]}, tool_result([part]))
        assert (alone.kind, alone.path) == ("document", ("content", 0, *path))
        assert (inside.kind, inside.path) == ("document", ("content", 0, "content", 0, *path))

    def test_pdf_documents_are_ignored(self) -> None:
        source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
        assert (
            parse_anthropic({"role": "user", "content": [{"type": "document", "source": source}]})
            == ()
        )

    def test_sdk_objects_are_read_as_messages_and_inside_dicts(self) -> None:
        text = TextBlock(type="text", text="on it", citations=None)
        use = ToolUseBlock(type="tool_use", id="t1", name="jobs", input={"day": 3})
        usage = Usage(input_tokens=1, output_tokens=1)
        content = [text, use]
        whole = Message(
            id="m", role="assistant", content=content, model="m", type="message", usage=usage
        )
        for message in (whole, {"role": "assistant", "content": content}):
            draft = AnthropicDialect().parse([message, tool_result("[]")])
            assert [block.tool for block in draft.blocks] == [None, "jobs", "jobs"]
            written, _ = AnthropicDialect().render(replace_block(draft, 0, "now"))
            parts = written["content"] if isinstance(written, dict) else written.content
            assert type(written) is type(message)
            assert (parts[0], text.text) == (
                TextBlock(type="text", text="now", citations=None),
                "on it",
            )
            assert parts[1] is use


def parse_outlines(dialect: Dialect, *messages: Any) -> tuple[Outline, ...]:
    return dialect.parse(messages).outlines


CACHED = {"cache_control": {"type": "ephemeral"}}


class TestOutlines:
    """Test the kinds of messages and the links between calls and results."""

    @pytest.mark.parametrize(
        "dialect", [OpenAIDialect(), AnthropicDialect()], ids=lambda dialect: dialect.name
    )
    @pytest.mark.parametrize(
        ("message", "kind"),
        [
            ({"role": "system", "content": "x"}, "system"),
            ({"role": "user", "content": "x"}, "user"),
            ({"role": "assistant", "content": None}, "assistant"),
            ({"role": "narrator", "content": "x"}, None),
            ("x", None),
        ],
    )
    def test_the_role_determines_the_kind(self, dialect: Dialect, message: Any, kind: Any) -> None:
        assert parse_outlines(dialect, message) == (Outline(kind),)

    def test_openai_calls_are_paired_by_id(self) -> None:
        found = parse_outlines(
            OpenAIDialect(),
            assistant_calling(tool_call("c1", "a"), tool_call("c2", "b")),
            tool_message("2", "c2"),
            tool_message("1"),
        )
        assert found == (
            Outline("assistant", calls=("c1", "c2")),
            Outline("tool_result", answers=("c2",)),
            Outline("tool_result", answers=("c1",)),
        )

    def test_functions_are_paired_by_name_and_order(self) -> None:
        def calling(name: str, arguments: str) -> dict[str, Any]:
            return {"role": "assistant", "function_call": {"name": name, "arguments": arguments}}

        def answering(name: str) -> dict[str, Any]:
            return {"role": "function", "name": name, "content": "[]"}

        calls_made = (calling("jobs", "1"), calling("users", "2"), calling("jobs", "3"))
        draft = OpenAIDialect().parse(
            (*calls_made, answering("users"), answering("jobs"), answering("jobs"))
        )
        calls = [outline.calls[0] for outline in draft.outlines[:3]]
        assert len(set(calls)) == 3
        assert [outline.answers for outline in draft.outlines[3:]] == [
            (calls[1],),
            (calls[0],),
            (calls[2],),
        ]
        assert [block.call for block in draft.blocks[3:]] == ["2", "1", "3"]

    def test_tool_calls_without_ids_are_paired(self) -> None:
        no_id = {"type": "function", "id": None, "function": {"name": "jobs", "arguments": "{}"}}
        calling, answering = parse_outlines(
            OpenAIDialect(),
            assistant_calling(no_id),
            {"role": "tool", "name": "jobs", "content": "[]"},
        )
        assert calling.calls == answering.answers != ()

    def test_a_result_with_an_unknown_id_answers_no_other_call(self) -> None:
        found = parse_outlines(
            OpenAIDialect(),
            assistant_calling(tool_call("c1", "jobs")),
            tool_message("[]", "c9", name="jobs"),
        )
        assert found[1].answers == ("c9",)

    def test_user_messages_with_only_results_are_tool_results(self) -> None:
        question = {"type": "text", "text": "and now?"}
        (part,) = tool_result("[]", **CACHED)["content"]
        found = parse_outlines(
            AnthropicDialect(),
            tool_use("t1", "jobs", {}),
            {"role": "user", "content": [part]},
            tool_use("t1", "jobs", {}),
            {"role": "user", "content": [part, question]},
        )
        assert found[1] == Outline("tool_result", answers=("t1",), mark=True)
        assert found[3] == Outline("user", answers=("t1",), mark=True)

    def test_server_tools_link_messages_only_across_a_pause(self) -> None:
        search = {
            "type": "server_tool_use",
            "id": "s1",
            "name": "web_search",
            "input": {"query": "x"},
        }
        found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
        together = parse_outlines(
            AnthropicDialect(), {"role": "assistant", "content": [search, found]}
        )
        assert together == (Outline("assistant"),)
        paused = parse_outlines(
            AnthropicDialect(),
            *({"role": "assistant", "content": [part]} for part in (search, found)),
        )
        assert paused == (
            Outline("assistant", calls=("s1",)),
            Outline("assistant", answers=("s1",)),
        )

    @pytest.mark.parametrize(
        "message",
        [
            {"role": "user", "content": "x", **CACHED},
            {
                "role": "user",
                "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y", **CACHED}],
            },
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}, **CACHED}],
            },
            tool_result("x", **CACHED),
            tool_result([{"type": "text", "text": "x", **CACHED}]),
            tool_result(
                [
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [{"type": "text", **CACHED}]},
                    }
                ]
            ),
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [{"type": "text", **CACHED}]},
                    }
                ],
            },
            tool_result(
                [{"type": "search_result", "content": [{"type": "text", "text": "x", **CACHED}]}]
            ),
        ],
    )
    def test_cache_breakpoints_are_found_in_all_positions(self, message: Any) -> None:
        assert parse_outlines(AnthropicDialect(), message)[0].mark
        assert parse_outlines(OpenAIDialect(), message)[0].mark

    def test_parts_that_contain_themselves_do_not_loop_forever(self) -> None:
        part: dict[str, Any] = {"type": "tool_result"}
        part["content"] = [part, part]
        assert not has_cache_breakpoint([part])

    def test_cache_breakpoints_on_calls_are_found(self) -> None:
        assert parse_outlines(
            OpenAIDialect(), assistant_calling({**tool_call("c1", "jobs"), **CACHED})
        )[0].mark
        assert not parse_outlines(
            OpenAIDialect(), assistant_calling({**tool_call("c1", "jobs"), "cache_control": None})
        )[0].mark


ODD: tuple[Any, ...] = (
    7,
    None,
    [],
    {},
    {"role": "user"},
    {"role": ["user"], "content": "x"},
    {"role": "narrator", "content": "x"},
    {"role": "user", "content": 7},
    {"role": "user", "content": {"type": "text", "text": "x"}},
    {
        "role": "user",
        "content": [7, None, [], {"type": ["text"], "text": "x"}, {"type": "text", "text": 7}],
    },
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [None, {"id": 1}, {"id": [2], "function": "f"}],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": 7,
        "function_call": {"name": 7, "arguments": {}},
    },
    {"role": "tool", "tool_call_id": ["c"], "content": None},
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": ["t"], "content": {"a": 1}}],
    },
    {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": ["t"], "name": 7, "input": {1, 2}}],
    },
    {"role": ["user"], "parts": [{"text": "x"}]},
    {"role": "narrator", "parts": [{"text": "x"}]},
    {"role": "user", "parts": 7},
    {"role": "user", "parts": [7, None, [], {}, "", {"text": 7}, {"text": "x", "thought": True}]},
    {
        "role": "model",
        "parts": [{"function_call": 7}, {"function_call": {"name": 7, "args": {1, 2}, "id": [1]}}],
    },
    {"role": "user", "parts": [{"function_response": {"name": ["f"], "response": "x"}}]},
    {
        "role": "user",
        "parts": [
            {"function_response": {"response": {1: "x", "a": None, "b": [], "c": 7, "d": {1, 2}}}}
        ],
    },
)


class TestUnreadable:
    @pytest.mark.parametrize(
        "dialect",
        [OpenAIDialect(), AnthropicDialect(), GoogleDialect()],
        ids=lambda dialect: dialect.name,
    )
    @pytest.mark.parametrize("odd", ODD, ids=repr)
    def test_unreadable_messages_are_kept_unchanged(self, dialect: Dialect, odd: Any) -> None:
        draft = dialect.parse([odd])
        assert draft.blocks == ()
        assert len(draft.outlines) == 1
        assert dialect.render(draft)[0] is odd


@pytest.mark.parametrize(
    "dialect", [OpenAIDialect(), AnthropicDialect()], ids=lambda dialect: dialect.name
)
class TestBoth:
    def test_other_mappings_become_dicts_if_a_text_changes(self, dialect: Dialect) -> None:
        message = MappingProxyType({"name": "n", "role": "user", "content": "long"})
        draft = dialect.parse((message,))
        assert dialect.render(draft)[0] is message
        (written,) = dialect.render(replace_block(draft, 0, "short"))
        assert list(written.items()) == [("name", "n"), ("role", "user"), ("content", "short")]

    def test_tuples_of_parts_stay_tuples_and_share_unchanged_parts(self, dialect: Dialect) -> None:
        other = {"type": "x_unknown", "deep": [1]}
        message = {
            "role": "user",
            "content": ({"type": "text", "text": "long", "cache_control": {}}, other),
        }
        (written,) = dialect.render(replace_block(dialect.parse([message]), 0, "short"))
        assert written["content"] == ({"type": "text", "text": "short", "cache_control": {}}, other)
        assert written["content"][1] is other

    def test_objects_that_cannot_be_copied_become_their_dump(self, dialect: Dialect) -> None:
        class Dumped:
            role, content = "user", "long"

            def model_dump(self) -> dict[str, Any]:
                return {"role": self.role, "content": self.content}

        (written,) = dialect.render(replace_block(dialect.parse([Dumped()]), 0, "short"))
        assert written == {"role": "user", "content": "short"}


class TestChoice:
    @pytest.mark.parametrize(
        ("messages", "name"),
        [
            ([], "openai"),
            ([{"role": "user", "content": "hi"}], "openai"),
            ([assistant_calling(tool_call("c1", "jobs")), tool_message("[]")], "openai"),
            ([tool_result("[]")], "anthropic"),
            ([{"role": "user", "content": "hi"}, tool_use("t1", "jobs", {})], "anthropic"),
            ([assistant_calling(tool_call("c1", "jobs")), tool_result("[]")], "openai"),
            ([{"role": "user", "parts": [{"text": "hi"}]}], "google"),
            (["hi", {"parts": [{"text": "hi"}]}], "google"),
            (["hi", {"role": "user", "content": "hi"}], "openai"),
            ([None, {"parts": [{"text": "hi"}]}], "google"),
            ([{"role": "model", "parts": None}], "google"),
            ([{"role": "user", "parts": ["hi"]}, tool_result("[]")], "google"),
            ([tool_result("[]"), {"role": "user", "parts": ["hi"]}], "anthropic"),
            ([{"role": "user", "content": "hi"}, {"role": "user", "parts": ["hi"]}], "openai"),
            (
                [{"role": "user", "content": "hi", "parts": [{"type": "text", "text": "hi"}]}],
                "openai",
            ),
        ],
    )
    def test_the_dialect_is_detected_from_the_messages(
        self, messages: list[Any], name: str
    ) -> None:
        assert dialect_for(messages).name == name

    def test_a_dialect_can_be_given_by_name_or_object(self) -> None:
        mine = OpenAIDialect()
        assert dialect_for([], "anthropic").name == "anthropic"
        assert dialect_for([tool_result("[]")], mine) is mine

    def test_an_unknown_name_is_an_error_that_lists_known_names(self) -> None:
        with pytest.raises(ConfigurationError, match=r"google, .*anthropic, .*openai.*'latin'"):
            dialect_for([], "latin")
