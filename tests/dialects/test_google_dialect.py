"""Test that the dialect of Google reads dicts and SDK types and changes only texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from google import genai
from google.genai import types
from hypothesis import given
from strategies import google_conversations

from headroom_core import MemoryStore, compress, count_tokens_messages, retrieve
from headroom_core.dialects import GoogleDialect
from headroom_core.messages import Block, Draft, Gap

ROWS = [
    {"id": 1000 + number, "status": "ok", "node": f"worker-{number % 5}"} for number in range(300)
]


def call_content(name: str, identifier: str | None = None, **args: Any) -> dict[str, Any]:
    fields = {} if identifier is None else {"id": identifier}
    return {"role": "model", "parts": [{"function_call": {"name": name, "args": args, **fields}}]}


def response_content(name: str, response: Any, **fields: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "parts": [{"function_response": {"name": name, "response": response, **fields}}],
    }


def content_of(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def to_sdk(*contents: dict[str, Any]) -> list[types.Content]:
    return [types.Content.model_validate(content) for content in contents]


def parse_blocks(*contents: Any) -> tuple[Block, ...]:
    return GoogleDialect().parse(contents).blocks


def rewrite(content: Any, text: str, position: int = 0) -> Any:
    """Return the content with one of its texts replaced."""
    draft = GoogleDialect().parse([content])
    changed = [
        block.with_text(text) if i == position else block for i, block in enumerate(draft.blocks)
    ]
    (written,) = GoogleDialect().render(replace(draft, blocks=tuple(changed)))
    return written


def without_contents(draft: Draft) -> Draft:
    """Return the draft without its contents."""
    return replace(draft, messages=())


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("user", "user"),
        (None, "user"),
        ("model", "assistant"),
        ("system", "system"),
        ("function", "tool_result"),
        ("tool", "tool_result"),
    ],
)
def test_the_role_determines_the_kind(role: str | None, kind: str) -> None:
    draft = GoogleDialect().parse([{"role": role, "parts": [{"text": "hi"}]}])
    assert [(block.kind, block.path, block.text) for block in draft.blocks] == [
        (kind, ("parts", 0, "text"), "hi")
    ]
    assert draft.outlines[0].kind == kind


def test_strings_are_accepted_as_contents_and_parts() -> None:
    found = parse_blocks(
        content_of({"text": "a"}),
        "b",
        {"role": "user", "parts": "c"},
        content_of("d"),
        {"parts": {"text": "e"}},
    )
    assert [(block.path, block.text) for block in found[1:]] == [
        ((), "b"),
        (("parts",), "c"),
        (("parts", 0), "d"),
        (("parts", "text"), "e"),
    ]


def test_strings_before_the_first_content_are_pinned() -> None:
    first, second, third = parse_blocks("a", content_of("b"), "c")
    assert first.pinned
    assert (second.pinned, third.pinned) == (None, None)


def test_thoughts_are_ignored_and_signed_texts_are_pinned() -> None:
    thought = {"text": "hm", "thought": True}
    signed, plain = parse_blocks(
        content_of(
            thought,
            {"text": "so", "thought_signature": b"s"},
            {"text": "and", "thought": False},
            role="model",
        )
    )
    assert (signed.text, bool(signed.pinned)) == ("so", True)
    assert (plain.text, plain.pinned) == ("and", None)
    assert parse_blocks(content_of({"text": "so", "thoughtSignature": "c2ln"}, role="model"))[
        0
    ].pinned


def test_arguments_of_calls_are_read_but_never_changed() -> None:
    content = call_content("jobs", day=3, who="Zoë")
    (block,) = parse_blocks(content)
    assert (block.kind, block.text, block.tool) == ("tool_call", '{"day":3,"who":"Zoë"}', "jobs")
    assert rewrite(content, "{}") is content


def test_a_text_of_a_response_is_replaced_in_a_copy() -> None:
    content = response_content("jobs", {"result": "long", "error": "none"}, id="c1")
    written = rewrite(content, "short")
    assert written == response_content("jobs", {"result": "short", "error": "none"}, id="c1")
    assert content == response_content("jobs", {"result": "long", "error": "none"}, id="c1")


def test_lists_and_objects_are_read_as_json_and_replaced_by_strings() -> None:
    response = {"rows": [{"id": 1}], "meta": {"page": 1}, "total": 3, "next": None, "ok": True}
    content = response_content("jobs", response)
    assert [block.text for block in parse_blocks(content)] == ['[{"id":1}]', '{"page":1}']
    written = rewrite(content, "[table 1 row]")["parts"][0]["function_response"]["response"]
    assert list(written.items()) == [("rows", "[table 1 row]"), *list(response.items())[1:]]
    assert written["meta"] is response["meta"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_texts_of_mcp_results_are_read_separately(wrapped: bool) -> None:
    image = {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}
    mcp = {
        "content": [image, {"type": "text", "text": "long", "annotations": None}],
        "isError": False,
    }
    content = response_content("jobs", {"result": mcp} if wrapped else mcp)
    written = rewrite(content, "short")["parts"][0]["function_response"]["response"]
    inside = written["result"] if wrapped else written
    assert inside == {
        "content": [image, {"type": "text", "text": "short", "annotations": None}],
        "isError": False,
    }
    assert inside["content"][0] is image


def test_a_list_similar_to_an_mcp_result_is_one_text() -> None:
    fields = [{"type": "text", "label": "name"}, {"type": "number", "label": "age"}]
    (block,) = parse_blocks(response_content("form", {"content": fields}))
    assert json.loads(block.text) == fields


def test_values_that_are_not_json_are_ignored() -> None:
    assert parse_blocks(response_content("jobs", {"result": [object()], "when": {1, 2}})) == ()


def test_responses_without_ids_are_paired_in_order() -> None:
    contents = [call_content("jobs", day=1), call_content("users"), call_content("jobs", day=2)]
    contents += [
        response_content("jobs", {"result": "a"}),
        response_content("jobs", {"result": "b"}),
        response_content("users", {"result": "c"}),
    ]
    draft = GoogleDialect().parse(contents)
    calls = [outline.calls[0] for outline in draft.outlines[:3]]
    assert [outline.answers[0] for outline in draft.outlines[3:]] == [calls[0], calls[2], calls[1]]
    assert [block.call for block in draft.blocks[3:]] == ['{"day":1}', '{"day":2}', "{}"]


@pytest.mark.parametrize("call_id", ["c1", None])
@pytest.mark.parametrize("response_id", ["c1", None])
def test_calls_and_responses_pair_if_only_one_has_an_id(
    call_id: str | None, response_id: str | None
) -> None:
    draft = GoogleDialect().parse(
        [
            call_content("jobs", call_id, day=1),
            response_content("jobs", {"result": "a"}, id=response_id),
        ]
    )
    assert draft.outlines[0].calls == draft.outlines[1].answers != ()
    assert draft.blocks[1].call == '{"day":1}'


def test_responses_are_paired_by_id_in_any_order() -> None:
    draft = GoogleDialect().parse(
        [
            call_content("jobs", "c1", day=1),
            call_content("jobs", "c2", day=2),
            response_content("jobs", {"result": "b"}, id="c2"),
        ]
    )
    assert draft.outlines[2].answers == ("c2",)
    assert draft.blocks[-1].call == '{"day":2}'


def test_contents_with_only_responses_are_tool_results() -> None:
    (part,) = response_content("jobs", {"result": "a"})["parts"]
    alone, mixed = (
        GoogleDialect()
        .parse([content_of(part, part), content_of(part, {"text": "and now?"})])
        .outlines
    )
    assert (alone.kind, len(alone.answers)) == ("tool_result", 2)
    assert (mixed.kind, len(mixed.answers)) == ("user", 1)


def test_retrieved_text_is_pinned() -> None:
    assert parse_blocks(
        call_content("headroom_retrieve"), response_content("headroom_retrieve", {"result": "rows"})
    )[-1].pinned


def test_camel_case_is_read_and_kept() -> None:
    call = {"functionCall": {"name": "jobs", "args": {"day": 3}}}
    answer = {"functionResponse": {"name": "jobs", "response": {"result": "long"}}}
    _, result = parse_blocks(content_of(call, role="model"), content_of(answer))
    assert (result.tool, result.call) == ("jobs", '{"day":3}')
    assert rewrite(content_of(answer), "short") == content_of(
        {"functionResponse": {"name": "jobs", "response": {"result": "short"}}}
    )


@given(google_conversations())
def test_sdk_types_are_read_and_counted_like_dicts(contents: list[dict[str, Any]]) -> None:
    known = [
        {
            **content,
            "parts": [
                {"text": part} if isinstance(part, str) else part for part in content["parts"]
            ],
        }
        for content in contents
        if all("x_unknown" not in part for part in content["parts"] if isinstance(part, dict))
    ]
    given_types = to_sdk(*known)
    snake = [content.model_dump(exclude_none=True) for content in given_types]
    assert without_contents(GoogleDialect().parse(given_types)) == without_contents(
        GoogleDialect().parse(snake)
    )
    assert (
        count_tokens_messages(given_types)
        == count_tokens_messages(snake)
        == count_tokens_messages(known)
    )


def test_sdk_types_are_copied_and_share_unchanged_parts() -> None:
    (content,) = to_sdk(
        content_of(
            {"text": "here"}, *response_content("jobs", {"result": ROWS, "total": 300})["parts"]
        )
    )
    before = content.model_dump()
    written = rewrite(content, "[table]", position=1)
    assert isinstance(written, types.Content)
    assert content.model_dump() == before
    assert (written.parts or [])[0] is (content.parts or [])[0]
    response = (written.parts or [])[1].function_response
    assert response == types.FunctionResponse(
        name="jobs", response={"result": "[table]", "total": 300}
    )


class Gemini(BaseHTTPRequestHandler):
    """Server that answers any request with one text and records the requests."""

    received: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        reply = {"candidates": [{"content": {"role": "model", "parts": [{"text": "done"}]}}]}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def client() -> Iterator[genai.Client]:
    server = HTTPServer(("127.0.0.1", 0), Gemini)
    Thread(target=server.serve_forever, daemon=True).start()
    Gemini.received = []
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{server.server_port}")
    yield genai.Client(api_key="none", http_options=options)
    server.shutdown()
    server.server_close()


def test_the_client_accepts_rendered_contents(client: genai.Client) -> None:
    contents: list[Any] = to_sdk(
        content_of({"text": "old"}),
        content_of({"text": "hi"}),
        response_content("jobs", {"result": ROWS}),
    )
    draft = GoogleDialect().parse(contents)
    short = tuple(
        block.with_text("[table]") if block.kind == "tool_result" else block
        for block in draft.blocks
    )
    rendered = GoogleDialect().render(
        replace(draft, blocks=short, gap=Gap((0,), "[1 message left out]"))
    )
    assert (
        client.models.generate_content(model="gemini-2.5-flash", contents=rendered).text == "done"
    )
    note, question, answer = Gemini.received[0]["contents"]
    assert note == {"role": "user", "parts": [{"text": "[1 message left out]"}]}
    assert question == {"role": "user", "parts": [{"text": "hi"}]}
    assert answer["parts"][0]["functionResponse"] == {
        "name": "jobs",
        "response": {"result": "[table]"},
    }


@pytest.mark.parametrize(
    "convert", [list, lambda contents: to_sdk(*contents)], ids=["dicts", "types"]
)
def test_conversations_are_compressed_and_originals_are_stored(convert: Any) -> None:
    contents = convert(
        [
            content_of({"text": "which job failed?"}),
            call_content("jobs", day=3),
            response_content("jobs", {"result": ROWS, "total": 300}),
        ]
    )
    store = MemoryStore()
    result = compress(contents, model="gemini-2.5-flash", store=store)
    assert result.warnings == ()
    assert result.messages[:2] == contents[:2]
    assert result.tokens_before == count_tokens_messages(contents, "gemini-2.5-flash")
    assert (
        result.tokens_after
        == count_tokens_messages(result.messages, "gemini-2.5-flash")
        < result.tokens_before / 2
    )
    for change in result.changes:
        for key in change.keys:
            assert json.loads(retrieve(key, limit=None, store=store).text) == ROWS
