"""Diffs and patches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core.compressors.base import Request
from headroom_core.compressors.diff import DiffCompressor

COMPRESSOR = DiffCompressor()
HUNK = "@@ -1,9 +1,9 @@ def f():\n" + "".join(f" line {n}\n" for n in range(4))
HUNK += "-old\n+new\n+more\n" + "".join(f" line {n}\n" for n in range(4, 8))


def of_file(path: str, hunk: str = HUNK) -> str:
    head = f"diff --git a/{path} b/{path}\nindex 6f5dc6a5..b023941b 100644\n"
    return f"{head}--- a/{path}\n+++ b/{path}\n{hunk}"


def select(text: str, query: str) -> str:
    result = COMPRESSOR.compress(text, Request("k" * 24, 0, query, selecting=True))
    assert result
    return result.text


def test_the_path_of_a_file_is_written_once_in_the_lossless_form() -> None:
    new = of_file("b c.py").replace("index 6f5", "new file mode 100755\nindex 6f5")
    new = new.replace("--- a/b c.py", "--- /dev/null").replace(" 100644", "")
    text = of_file("a.py") + new
    result = COMPRESSOR.compress(text, Request("", 0))
    assert result
    assert result.text == (
        f"diff a.py index 6f5dc6a5..b023941b 100644\n{HUNK}"
        f"diff b c.py new 100755 index 6f5dc6a5..b023941b\n{HUNK}"
    )
    assert COMPRESSOR.restore(result.text) == text


@pytest.mark.parametrize(
    "text",
    [
        of_file("a.py").replace("+++ b/a.py", "+++ b/b.py"),
        of_file("a.py").replace("--- a/a.py", "--- /dev/null"),
        "diff a.py index 6f5dc6a5..b023941b 100644\n" + of_file("b.py"),
    ],
)
def test_headers_that_would_not_come_back_stay(text: str) -> None:
    assert COMPRESSOR.compress(text, Request("", 0)) is None


@given(st.text(st.sampled_from("ab/ .\"'é"), min_size=1, max_size=12))
def test_the_lossless_form_gives_back_files_of_any_name(path: str) -> None:
    result = COMPRESSOR.compress(of_file(path), Request("", 0))
    assert result is None or COMPRESSOR.restore(result.text) == of_file(path)


def test_the_text_of_a_file_is_not_rewritten() -> None:
    assert COMPRESSOR.compress(of_file("a.py"), Request("", 0, verbatim=True)) is None


def test_the_file_that_is_named_stays_whole_and_the_others_are_counted() -> None:
    files = [of_file(f"src/part_{number}.py") for number in range(9)]
    for name in ("src/part_4.py", "part_4.py"):
        output = select("Message\n\n" + "".join(files), f"What changed in {name}?")
        assert files[4] in output
        assert "src/part_3.py +2 -1" in output
        assert "Message\n" in output
        assert output.count("+new") == 1


def test_without_a_name_every_change_stays_with_the_line_next_to_it() -> None:
    output = select(of_file("a.py") + of_file("package-lock.json"), "Is this right?")
    assert output.count(" line 3\n-old\n+new\n+more\n line 4\n") == 2
    assert " line 2\n" not in output
    assert "diff package-lock.json index 6f5dc6a5..b023941b 100644\n" in output


def test_headers_in_the_text_of_a_file_stay_as_they_are() -> None:
    request = Request("k" * 24, 0, "Is this right?", selecting=True, verbatim=True)
    result = COMPRESSOR.compress(of_file("a.py"), request)
    assert result
    assert "+++ b/a.py\n" in result.text


def test_the_others_are_named_where_they_stand_side_by_side() -> None:
    files = [of_file(f"{number}.py") for number in range(60)]
    output = select("".join(files), "What changed in 59.py?")
    assert "(0.py +2 -1, 1.py +2 -1, " in output
    assert "39.py +2 -1 and 19 more files)" in output


def test_plain_diffs_have_files_too() -> None:
    files = [f"--- {name}\t2026\n+++ {name}\t2026\n{HUNK}" for name in ("a.py", "b.py", "c.py")]
    output = select("".join(files), "What changed in b.py?")
    assert files[1] in output
    assert "a.py +2 -1" in output


def test_messages_of_later_commits_stay() -> None:
    commits = [f"commit {n:040x}\n\n    Change {n}\n\n{of_file(f'{n}.py')}" for n in range(3)]
    output = select("".join(commits), "What changed in 0.py?")
    assert "    Change 2\n" in output
    assert "2.py +2 -1" in output
