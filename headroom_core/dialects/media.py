"""Token estimates of images, audio, video and files, for which no text can be counted.

Providers count them by pixels, seconds and pages, which cannot be told without decoding a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from headroom_core.dialects.access import get_field, is_mapping

TOKENS_PER_IMAGE = 765
TOKENS_PER_LOW_DETAIL_IMAGE = 85
"""OpenAI's price of an image of 1024 by 1024 pixels, and of any image in low detail."""

TOKENS_PER_FILE = 1_500
"""Estimate of a file of unknown size, such as a URL or the id of an upload.

Anthropic names 1,500 tokens for a short page of a PDF. Gemini counts as much for 47 seconds of
audio, or 6 seconds of video.
"""

BYTES_PER_PAGE = 40_000
"""Size of a page of a PDF or an office document, each of which counts as `TOKENS_PER_FILE`."""

BYTES_PER_TOKEN = {"audio": 500, "video": 500, "text": 4}
"""Bytes of a file per token, by the first part of its MIME type.

Gemini counts 32 tokens for a second of audio, which has 16 kB at 128 kbit/s, and 258 for one of
video, which has 125 kB at 1 Mbit/s.
"""

FILE_KINDS: Mapping[str, str] = {
    "audio": "audio",
    "audio_url": "audio",
    "input_audio": "audio",
    "output_audio": "audio",
    "video": "video",
    "video_url": "video",
    "input_video": "video",
    "container_upload": "",
    "document": "",
    "file": "",
    "file_url": "",
    "image": "image",
    "input_file": "",
    "media": "",
    "resource": "",
}
"""Types of parts that hold a file, with the first part of its MIME type if the type tells it."""

_DATA_FIELDS = ("data", "base64", "bytes", "blob", "file_data", "audio", "video", "url")
_MIME_FIELDS = ("mime_type", "mimeType", "media_type", "mediaType", "document_mimetype", "format")
_TEXT_FIELDS = ("text", "content")
_MAX_DEPTH = 3

_TEXT_MIME_TYPES = (
    "application/json",
    "application/xml",
    "application/csv",
    "csv",
    "html",
    "md",
    "txt",
)


def count_file(part: Any, kind: str = "") -> int:
    """Estimate the tokens of a part that holds a file, 0 if it holds a text instead.

    Args:
        part: The part.
        kind: The first part of the file's MIME type, if the part's type tells it.

    Example:
        >>> count_file({"type": "file", "file": {"file_id": "file-7"}})
        1500
        >>> count_file({"mime_type": "audio/mp3", "data": "A" * 64_000})
        96
    """
    if get_field(get_field(part, "document"), "data") is not None:
        return 0  # Cohere's documents hold texts.
    mime_type, size = kind, None
    for holder in _holders(part, _MAX_DEPTH):
        if _has_text(holder):
            return 0
        for name in _MIME_FIELDS:
            value = get_field(holder, name)
            mime_type = mime_type or (value if isinstance(value, str) else "")
        for name in _DATA_FIELDS:
            found, named = _measure(get_field(holder, name))
            size = found if size is None else size
            mime_type = mime_type or named
    return _estimate(mime_type, size)


def _estimate(mime_type: str, size: int | None) -> int:
    family = mime_type.partition("/")[0]
    if family == "image":
        return TOKENS_PER_IMAGE
    if size is None:
        return TOKENS_PER_FILE
    if family in BYTES_PER_TOKEN or mime_type in _TEXT_MIME_TYPES:
        return ceil(size / BYTES_PER_TOKEN.get(family, BYTES_PER_TOKEN["text"]))
    return TOKENS_PER_FILE * max(1, round(size / BYTES_PER_PAGE))


def _holders(part: Any, depth: int) -> Iterator[Any]:
    """Yield a part, and the mappings and objects in its fields."""
    yield part
    fields = part if is_mapping(part) else getattr(part, "__dict__", {})
    for value in fields.values() if depth else ():
        if is_mapping(value) or hasattr(value, "model_dump"):
            yield from _holders(value, depth - 1)


def _has_text(holder: Any) -> bool:
    # The source of a document in plain text has type "text" and holds the text as its data.
    if get_field(holder, "type") == "text":
        return True
    return any(get_field(holder, name) for name in _TEXT_FIELDS)


def _measure(data: Any) -> tuple[int | None, str]:
    """Return the size of data in bytes, None if it stands elsewhere, and its MIME type if named."""
    if isinstance(data, (bytes, bytearray)):
        return len(data), ""
    if not isinstance(data, str) or not data:
        return None, ""
    if data.startswith("data:"):
        head, _, encoded = data.partition(",")
        return len(encoded) * 3 // 4, head[5:].partition(";")[0]
    # Addresses and ids are short. So is the base64 of a file that hardly counts.
    is_address = "://" in data[:40]
    return (None, "") if is_address else (len(data) * 3 // 4, "")
