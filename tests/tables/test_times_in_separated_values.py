"""Test tables whose records begin with something that has colons."""

from __future__ import annotations

import pytest

from headroom_core.tables.codec import parse_text
from headroom_core.tables.frame import Frame


def frames_in(text: str) -> list[Frame]:
    return [part for part in parse_text(text) or () if isinstance(part, Frame)]


@pytest.mark.parametrize(
    "first",
    ["2026-01-05T12:{0:02}:00Z", "12:{0:02}:00", "5:{0:02}:05", "00:16:3e:00:{0:02}:1f"],
)
def test_times_and_addresses_begin_records(first: str) -> None:
    records = [f"{first.format(n % 60)},Berlin,{n}" for n in range(200)]
    (frame,) = frames_in("\n".join(["begin,city,temp", *records]))
    assert len(frame.rows) == 200


@pytest.mark.parametrize("place", ["src/a.py", "C:\\src\\a.py", "Makefile", "2026-01-05.log"])
def test_places_do_not_begin_records(place: str) -> None:
    lines = [f"{place}:{n}: unused name, remove it, or use it" for n in range(1, 200)]
    assert frames_in("\n".join(lines)) == []
