"""Test the style of the packages and tests beyond the linter's rules."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("headroom_core", "headroom_integrations")

MAX_WHAT_PER_THOUSAND = 2
MAX_POSITIONAL_ARGUMENTS = 4
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60
MAX_TITLE_WORDS = 12
MIN_COMMENT_SHARE = 0.02

# Unclear phrases; each has a plain word.
BANNED = re.compile(
    r"\b(?:(?<!there )(?:is|are) none|is no text|at hand|in the place of|[Ww]hat becomes of)\b"
    r"|\bNone: (?:the defaults|none|no limit|told)"
)

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def docstrings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield text


def test_docstrings_rarely_use_the_word_what() -> None:
    words: Counter[str] = Counter()
    for _, source in sources(*PACKAGES):
        for text in docstrings(ast.parse(source)):
            words.update(re.findall(r"[a-z']+", text.lower()))
    assert 1000 * words["what"] / words.total() <= MAX_WHAT_PER_THOUSAND


def test_docstrings_and_comments_are_plain_english() -> None:
    found = [
        f"{path}:{number}: {match[0]}"
        for path, source in sources(*PACKAGES)
        for number, line in enumerate(source.splitlines(), start=1)
        if (match := BANNED.search(line))
    ]
    assert found == []


def test_constructors_take_arguments_by_name_from_the_fifth_on() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, source in sources(*PACKAGES)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id[:1].isupper()
        and len(node.args) > MAX_POSITIONAL_ARGUMENTS
    ]
    assert found == []


def test_no_two_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for _, source in sources(*PACKAGES)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_files_and_functions_are_small() -> None:
    found = []
    for path, source in sources(*PACKAGES):
        if len(source.splitlines()) > MAX_FILE_LINES:
            found.append(f"{path}: {len(source.splitlines())} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = body_lines(node)
                if length > MAX_FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno}: {node.name} has {length} lines")
    assert found == []


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function without its docstring."""
    first = node.body[0]
    has_docstring = ast.get_docstring(node, clean=False) is not None
    documented = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (node.end_lineno or 0) - node.lineno + 1 - documented


def test_there_are_enough_comments() -> None:
    lines = comments = 0
    for _, source in sources(*PACKAGES):
        lines += len(source.splitlines())
        comments += sum(line.lstrip().startswith("#") for line in source.splitlines())
    assert comments / lines >= MIN_COMMENT_SHARE


def test_titles_of_tests_have_at_most_a_dozen_words() -> None:
    found = [
        node.name
        for _, source in sources("tests")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and len(node.name.split("_")) - 1 > MAX_TITLE_WORDS
    ]
    assert found == []
