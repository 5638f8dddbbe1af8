"""Lists of commits."""

from __future__ import annotations

from headroom_core.compressors.base import Request
from headroom_core.compressors.git_log import GitLogCompressor

COMPRESSOR = GitLogCompressor()
LINES = [f"{number:07x}a 2026-03-{number % 28 + 1:02} Change {number}" for number in range(90)]


def select(text: str, query: str) -> list[str]:
    result = COMPRESSOR.compress(text, Request("k" * 24, 0, query, selecting=True))
    assert result
    return result.text.split("\n")


def test_the_commit_that_is_named_stays_with_the_newest_and_the_oldest() -> None:
    output = select("\n".join(LINES), 'Which commit is "Change 47"?')
    assert output[1:] == [*LINES[:3], LINES[47], LINES[-1]]
    assert "85 of 90 commits left out" in output[0]
    assert "2026-03-04 to 2026-03-05" in output[0]


def test_a_commit_stays_whole_with_its_message_and_files() -> None:
    blocks = [
        f"commit {number:040x}\nAuthor: Ada Holm <ada@example.org>\nDate:   2026-03-07\n\n"
        f"    Change {number}\n\n src/part_{number}.py | 2 +-\n"
        for number in range(40)
    ]
    output = "\n".join(select("\n".join(blocks), "What did part_31.py change in?"))
    assert blocks[31] in output
    assert "by Ada Holm" in output
    assert "part_30.py" not in output


def test_without_a_word_of_the_query_the_newest_stay() -> None:
    output = select("\n".join(LINES), "")
    assert output[1:] == [*LINES[:30], LINES[-1]]


def test_what_stands_above_the_first_commit_stays() -> None:
    text = "\n".join(["warning: shallow clone", *LINES])
    assert select(text, "Change 47")[1] == "warning: shallow clone"
