"""Lines that were left out, and the marks in their place."""

from __future__ import annotations

from headroom_core import Request
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.markers import has_marker, marker_keys

KEY = "0" * 24
REQUEST = Request(KEY, 1000, selecting=True)
LINES = [f"line {number:04} of this text says little\n" for number in range(1, 101)]


def test_a_single_gap_has_the_marker_in_its_place() -> None:
    compressed = write_kept_lines(LINES, range(10), REQUEST, reason="")
    assert compressed
    assert compressed.text.splitlines()[10] == (
        "[headroom: 90 of 100 lines left out here; original intact: "
        f'headroom_retrieve(key="{KEY}", lines="11-100")]'
    )


def test_several_gaps_have_one_marker_at_the_top() -> None:
    compressed = write_kept_lines(
        LINES, [0, 50, 99], REQUEST, reason="", describe=lambda first, end: f"{first}..{end}"
    )
    assert compressed
    assert marker_keys(compressed.text) == [KEY]
    assert compressed.text.splitlines() == [
        "[headroom: 97 of 100 lines left out at the marks below; original intact: "
        f'headroom_retrieve(key="{KEY}")]',
        LINES[0].rstrip(),
        "[headroom: 49 lines from 2: 1..50]",
        LINES[50].rstrip(),
        "[headroom: 48 lines from 52: 51..99]",
        LINES[99].rstrip(),
    ]


def test_a_gap_that_is_shorter_than_its_mark_is_filled() -> None:
    kept = [index for index in range(100) if index not in (40, 41)]
    assert write_kept_lines(LINES, kept, REQUEST, reason="") is None


def test_without_a_key_the_marker_says_that_the_original_is_gone() -> None:
    compressed = write_kept_lines(LINES, [0, 50], Request("", 1000, selecting=True), reason="")
    assert compressed
    assert has_marker(compressed.text, "")
