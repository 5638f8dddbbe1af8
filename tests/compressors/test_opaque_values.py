"""Test that values which nobody reads are left out whole, and that all others stay."""

from __future__ import annotations

import json
from base64 import b64encode, encodebytes
from random import Random
from typing import Any

import pytest

from headroom_core import MemoryStore, compress, content_key, retrieve
from headroom_core.config import HeadroomConfig

random = Random(7)
IMAGE = b64encode(random.randbytes(9_000)).decode()
LINES = encodebytes(random.randbytes(9_000)).decode()
VECTOR = [random.uniform(-1, 1) for _ in range(1_536)]
BUNDLE = "".join(f"function f{n}(a,b){{return a[b]+{n};}};" for n in range(300))


def shorten(text: str, role: str = "tool", store: Any = None, **settings: Any) -> str:
    message = {"role": role, "content": text, **({"tool_call_id": "1"} if role == "tool" else {})}
    store = MemoryStore() if store is None else store
    return str(compress([message], store=store, **settings).messages[0]["content"])


KINDS = {
    "base64": (IMAGE, "base64, 12,000 characters", IMAGE[:40]),
    "a file in an answer": (
        json.dumps({"name": "map.png", "content": IMAGE}),
        '{"name":"map.png","content":"[headroom: base64, 12,000 characters]"}',
        IMAGE[:40],
    ),
    "an inline image": (
        f"# Map\n\n![the map](data:image/png;base64,{IMAGE}) of the lake\n",
        "![the map]([headroom: data URI of image/png, 12,022 characters]) of the lake\n",
        IMAGE[:40],
    ),
    "lines of base64": (
        f"-----BEGIN DATA-----\n{LINES}-----END DATA-----\n",
        "-----BEGIN DATA-----\n[headroom: base64, 12,158 characters]-----END DATA-----\n",
        "====",
    ),
    "digits": (f"dump: {random.randbytes(2_000).hex()}", "dump: [headroom: hexadecimal, ", "===="),
    "a vector": (
        json.dumps({"model": "e-3", "embedding": VECTOR}),
        '{"model":"e-3","embedding":"[headroom: vector of 1,536 numbers]"}',
        str(VECTOR[0]),
    ),
    "a bundle": (f"/* app */\n{BUNDLE}\n", "/* app */\n[headroom: minified code, ", "f17("),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_opaque_value_is_replaced_by_its_kind_and_length(kind: str) -> None:
    text, shown, hidden = KINDS[kind]
    store = MemoryStore()
    shorter = shorten(text, store=store)
    assert shown in shorter
    assert hidden not in shorter
    assert f'headroom_retrieve(key="{content_key(text)}"' in shorter
    assert retrieve(content_key(text), limit=None, store=store).text == text


def test_cells_of_rows_are_replaced_and_come_back_with_their_row() -> None:
    rows = [{"id": n, "text": f"passage {n}", "vector": VECTOR} for n in range(3)]
    text, store = json.dumps(rows), MemoryStore()
    shorter = shorten(text, store=store)
    assert "passage 1" in shorter
    assert "[headroom: 3 values left out above (vector ×3); " in shorter
    assert len(shorter) < 500
    assert str(VECTOR[7]) in retrieve(content_key(text), where="id == 1", store=store).text


def test_the_marker_names_the_lines_of_the_values() -> None:
    text = "first\n" * 30 + f"![a](data:image/gif;base64,{IMAGE})\n" + "last\n" * 30
    assert 'lines="31")]' in shorten(text)


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_texts_of_users_and_models_keep_all_values(role: str) -> None:
    assert shorten(KINDS["an inline image"][0], role) == KINDS["an inline image"][0]


def test_nothing_is_left_out_where_no_tool_retrieves_it() -> None:
    text = KINDS["a vector"][0]
    assert json.loads(shorten(text, config=HeadroomConfig().lossless())) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"token": IMAGE[:600], "note": "word " * 200}),
        json.dumps({"temperature": [round(random.uniform(-9, 38), 1) for _ in range(400)]}),
        json.dumps({"ids": list(range(5_000, 6_000))}),
        "/".join(["usr/share/doc/python"] * 60) + "\n" + "word " * 300,
        "ACGT" * 900 + " is the sequence " * 20,
    ],
    ids=["a token", "measurements", "ids", "a path", "a sequence"],
)
def test_values_that_may_be_read_stay(text: str) -> None:
    assert "[headroom: " not in shorten(text) or "rows left out" in shorten(text)
