"""Titles of nodes, and copies of nodes with a shorter text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from llama_index.core.schema import BaseNode, ImageNode, IndexNode, MetadataMode, Node, TextNode

from headroom_core.adapters import extract_title

_TITLE_KEYS = ("title", "document_title", "header_path", "file_name")
"""Metadata keys that may hold a title, the most informative first.

LlamaIndex's `TitleExtractor`, `MarkdownNodeParser` and `SimpleDirectoryReader` set the last three.
"""


def node_text(node: BaseNode) -> str:
    """Return the text of a node without its metadata."""
    return node.get_content(MetadataMode.NONE)


def llm_text(node: BaseNode) -> str:
    """Return the text of a node with its metadata, as a language model is sent it."""
    return node.get_content(MetadataMode.LLM)


def is_plain_text(node: BaseNode) -> bool:
    """Return whether a node consists of a text only, and the text is not empty."""
    if isinstance(node, Node):
        has_media = node.image_resource or node.audio_resource or node.video_resource
        return bool(node_text(node)) and not has_media
    is_text_node = isinstance(node, TextNode) and not isinstance(node, (ImageNode, IndexNode))
    return is_text_node and bool(node_text(node))


def node_title(node: BaseNode) -> str | None:
    """Return the title of a node according to its metadata, or None if it has no title."""
    for key in _TITLE_KEYS:
        value = node.metadata.get(key)
        title = value.strip("/ \n") if isinstance(value, str) else ""
        if not title:
            continue
        if key == "file_name":
            return PurePath(title).stem
        if key == "header_path" and node_text(node).startswith("#"):
            # The path ends above the heading that the text begins with.
            return f"{title} {extract_title(node_text(node))}"
        return title
    return None


def replace_text(node: BaseNode, text: str, count_tokens: Callable[[str], int]) -> BaseNode:
    """Return a copy of a plain-text node with another text, if that saves tokens.

    Args:
        node: Node that consists of a text only.
        text: New text.
        count_tokens: Counts the tokens of a text.

    Returns:
        The copy, or the node itself if the copy would not have fewer tokens.
    """
    if text == node_text(node):
        return node
    copy: BaseNode
    if isinstance(node, Node) and node.text_resource:
        # `set_content` would replace the resource and lose its MIME type.
        resource = node.text_resource.model_copy(update={"text": text})
        copy = node.model_copy(update={"text_resource": resource})
    else:
        copy = node.model_copy()
        copy.set_content(text)
    return copy if count_tokens(llm_text(copy)) < count_tokens(llm_text(node)) else node
