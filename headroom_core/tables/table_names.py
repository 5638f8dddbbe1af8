"""Names of the tables in a text, by which headers, markers and conditions tell them apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from headroom_core.tables.frame import Frame

# A smaller table needs no title to be told from others: its rows are whole.
_MIN_TITLED_ROWS = 5
_MAX_NAME_CHARACTERS = 100
# A key that a name shows as it is. Must not match signs that end a name in a header.
_PLAIN_KEY = re.compile(r"[\w@$#/ -]+")


def name_tables(frames: Sequence[Frame]) -> None:
    """Name the frames of a text and their descendants, if not all of them have the same rows.

    The name is the path as `data.orders` or `results[2].rows`. If it is long, has odd keys or is
    that of several tables, the name is `table 3` for the third table of the text.

    Args:
        frames: The frames of the text, without child frames.
    """
    tables = [frame for top in frames for frame in walk_frames(top)]
    has_others = len({id(frame.aligned or frame) for frame in tables}) > 1
    paths = [write_frame_path(frame.path) for frame in tables]
    counts = Counter(paths)
    titled = {id(frame) for frame in frames if len(frame.rows) >= _MIN_TITLED_ROWS}
    for number, (frame, path) in enumerate(zip(tables, paths), 1):
        name = path if path and counts[path] == 1 else f"table {number}"
        frame.name = name if has_others else ""
        frame.title = name if len(titled) > 1 and id(frame) in titled else ""


def walk_frames(frame: Frame) -> Iterator[Frame]:
    """Yield a frame and its descendants, depth first."""
    yield frame
    for child in frame.children:
        yield from walk_frames(child)


def write_frame_path(path: tuple[str | int, ...]) -> str:
    """Return a path as text; empty if it is long or has odd keys."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    are_plain = all(isinstance(key, int) or _PLAIN_KEY.fullmatch(key) for key in path)
    return text.removeprefix(".") if are_plain and len(text) <= _MAX_NAME_CHARACTERS else ""
