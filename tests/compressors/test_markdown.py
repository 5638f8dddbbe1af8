"""Markdown, of which sections that the query is not about are left out."""

from __future__ import annotations

from headroom_core import MemoryStore, compress

SECTION = "## {name}\n\n" + "Nothing much is known of it, and nobody has asked so far.\n" * 6 + "\n"
DOCUMENT = "# Birds\n\n" + "".join(SECTION.format(name=f"Heron {n}") for n in range(40))
DOCUMENT = DOCUMENT.replace("## Heron 20\n\n", "## Pelican\n\nIt eats 4 kg of fish a day.\n\n")


def sent(query: str, text: str = DOCUMENT) -> str:
    call = {"id": "1", "type": "function", "function": {"name": "read_page", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": query},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": text},
    ]
    return str(compress(messages, store=MemoryStore()).messages[-1]["content"])


def test_the_section_stays_that_the_query_is_about_and_all_headings() -> None:
    text = sent("How much does a pelican eat?")
    assert "It eats 4 kg of fish a day." in text
    assert all(f"## Heron {n}\n" in text for n in range(20))
    assert len(text) < len(DOCUMENT) / 2


def test_without_a_word_of_the_query_nothing_is_left_out() -> None:
    assert sent("Summarise this.") == DOCUMENT


def test_a_comment_in_a_fenced_block_is_no_heading() -> None:
    code = "```sh\n# not a heading\n" + "echo nothing much\n" * 60 + "```\n\n"
    text = sent(
        "How much does a pelican eat?", DOCUMENT.replace("## Heron 3\n", f"## Heron 3\n{code}")
    )
    assert "# not a heading" not in text
