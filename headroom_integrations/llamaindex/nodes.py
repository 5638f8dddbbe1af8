"""Nodes: what they are called, and copies of them with a shorter text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from llama_index.core.schema import BaseNode, ImageNode, IndexNode, MetadataMode, Node, TextNode

from headroom_core.adapters import extract_title

_TITLES = ("title", "document_title", "header_path", "file_name")
"""Where a title may stand in the metadata, the most telling key first."""


def text_of(node: BaseNode) -> str:
    """Return the text of a node without its metadata."""
    return node.get_content(MetadataMode.NONE)


def sent(node: BaseNode) -> str:
    """Return what a language model is sent of a node: its text in its template, with the metadata."""
    return node.get_content(MetadataMode.LLM)


def is_text(node: BaseNode) -> bool:
    """Return whether a node is nothing but a text, and has one."""
    if isinstance(node, Node):
        return bool(text_of(node)) and not (
            node.image_resource or node.audio_resource or node.video_resource
        )
    return (
        isinstance(node, TextNode)
        and not isinstance(node, (ImageNode, IndexNode))
        and bool(node.text)
    )


def title(node: BaseNode) -> str | None:
    """Return what a node's metadata calls it, None where they do not."""
    for key in _TITLES:
        value = node.metadata.get(key)
        told = value.strip("/ \n") if isinstance(value, str) else ""
        if told and key == "header_path" and text_of(node).startswith("#"):
            # The path names the headings above, but not the one that the text begins with.
            return f"{told} {extract_title(text_of(node))}"
        if told:
            return PurePath(told).stem if key == "file_name" else told
    return None


def with_text(node: BaseNode, text: str, count: Callable[[str], int]) -> BaseNode:
    """Return a copy of a node with another text, or the node itself where the copy would have no fewer tokens.

    Args:
        node: a node that is nothing but a text.
        text: the other text.
        count: counts the tokens of what a language model is sent.
    """
    if text == text_of(node):
        return node
    if isinstance(node, Node) and node.text_resource:
        # `set_content` would forget of what type the text is.
        copy: BaseNode = node.model_copy(
            update={"text_resource": node.text_resource.model_copy(update={"text": text})}
        )
    else:
        copy = node.model_copy()
        copy.set_content(text)
    return copy if count(sent(copy)) < count(sent(node)) else node
