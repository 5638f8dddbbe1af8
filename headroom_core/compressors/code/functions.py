"""Find the functions and long comments of a program with tree-sitter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

MIN_FOLDED_LINES = 4
"""Shorter bodies stay: their mark would be as long."""

_FUNCTIONS = frozenset(
    """arrow_function constructor_declaration function_declaration function_definition
    function_expression function_item generator_function generator_function_declaration
    method method_declaration method_definition singleton_method""".split()
)
_COMMENTS = frozenset("block_comment comment line_comment".split())
_STRING = "expression_statement"


class _Language(NamedTuple):
    """A grammar: its module, the function that returns it, and signs of programs in it."""

    module: str
    function: str
    sign: re.Pattern[str]


def _sign(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)


_LANGUAGES = {
    "python": _Language(
        "tree_sitter_python",
        "language",
        _sign(r"^\s{0,40}(?:async )?def \w|^from [\w.]+ import |^\s{0,40}(?:elif|except)\b.*:$"),
    ),
    "java": _Language(
        "tree_sitter_java",
        "language",
        _sign(r"^package [\w.]+;|^import (?:static )?[\w.*]+;|^\s{0,8}(?:public|private) [\w<>]+ "),
    ),
    "go": _Language(
        "tree_sitter_go",
        "language",
        _sign(r"^package \w+$|^func [(\w]|^\s{0,40}\w+(?:, \w+)? := "),
    ),
    "rust": _Language(
        "tree_sitter_rust",
        "language",
        _sign(r"^\s{0,20}(?:pub(?:\(\w+\))? )?(?:fn|impl|struct|enum|mod|use) |\blet mut "),
    ),
    "cpp": _Language(
        "tree_sitter_cpp",
        "language",
        _sign(r"^#\s?(?:include|define|ifn?def)\b|\bstd::|^namespace "),
    ),
    "c": _Language("tree_sitter_c", "language", _sign(r"^#\s?(?:include|define|ifn?def)\b")),
    "ruby": _Language(
        "tree_sitter_ruby",
        "language",
        _sign(r"^\s{0,20}end$|^\s{0,20}def [\w.?!]+[^:\n]*$|^require "),
    ),
    "typescript": _Language(
        "tree_sitter_typescript",
        "language_typescript",
        _sign(
            r"^import .* from [\"']|^export |^\s{0,40}(?:const|let) \w+|\) => |^\s{0,20}interface "
        ),
    ),
    "tsx": _Language(
        "tree_sitter_typescript",
        "language_tsx",
        _sign(r"^import .* from [\"']|return \(?\s?<\w|/>$"),
    ),
    "javascript": _Language(
        "tree_sitter_javascript",
        "language",
        _sign(
            r"^(?:var|const) \w+ = require\(|^\s{0,40}(?:var|function) \w|module\.exports|\) => "
        ),
    ),
}
_EXTENSIONS = {
    "py": "python", "pyi": "python", "java": "java", "go": "go", "rs": "rust", "cc": "cpp",
    "cpp": "cpp", "cxx": "cpp", "hpp": "cpp", "h": "cpp", "c": "c", "rb": "ruby",
    "ts": "typescript", "tsx": "tsx", "jsx": "tsx", "js": "javascript", "mjs": "javascript",
}  # fmt: skip
_EXTENSION = re.compile(r"\.([a-z]{1,4})\b")
_MAX_TRIED = 3
_WORD = re.compile(r"[A-Za-z_]\w*")
_SAMPLE = 20_000
_LINE_NUMBER = re.compile(r"^[ ]{0,8}\d{1,7}(?:\t|→|[ ]?[│|]|:)[ ]?")


@dataclass(frozen=True, slots=True)
class Foldable:
    """Lines that may be folded.

    Attributes:
        name: Name of the function, or what else it is.
        head: Index of the first line of the function, with its signature.
        first: Index of the first line to fold.
        end: Index of the line after the last to fold.
    """

    name: str
    head: int
    first: int
    end: int


def has_grammars() -> bool:
    """Return whether the extra is installed that reads programs."""
    return bool(find_spec("tree_sitter") and find_spec("tree_sitter_python"))


def find_foldable(
    lines: Sequence[str], call: str | None, *, numbered: bool
) -> list[Foldable] | None:
    """Return the bodies and comments of a program that may be folded, the outer ones first.

    Args:
        lines: Lines of the program.
        call: Arguments of the call that returned it, which may name the file.
        numbered: Whether the lines begin with their numbers.

    Returns:
        The foldable lines, or None if the program cannot be parsed without errors.
    """
    if numbered:
        lines = [_LINE_NUMBER.sub("", line, count=1) for line in lines]
    source = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    for language in _guess_languages(source, call):
        parser = _load_parser(language)
        if parser is None:
            continue
        root = parser.parse(source.encode("utf-8", "replace")).root_node
        if not root.has_error:
            return [*_comments(root), *_functions(root)]
    return None


def _guess_languages(source: str, call: str | None) -> list[str]:
    named = [_EXTENSIONS[found] for found in _EXTENSION.findall(call or "") if found in _EXTENSIONS]
    sample = source[:_SAMPLE]
    counts = {name: len(item.sign.findall(sample)) for name, item in _LANGUAGES.items()}
    likely = sorted((name for name, count in counts.items() if count), key=lambda n: -counts[n])
    return list(dict.fromkeys([*named[-1:], *likely]))[:_MAX_TRIED]


@cache
def _load_parser(language: str) -> Parser | None:
    """Return the parser of a language, None if its grammar is not installed."""
    entry = _LANGUAGES[language]
    try:
        from tree_sitter import Language, Parser

        grammar = import_module(entry.module)
    except ImportError:
        return None
    return Parser(Language(getattr(grammar, entry.function)()))


def _functions(root: Node) -> Iterator[Foldable]:
    """Yield the functions of a program that have long bodies, and the comments of its classes."""
    waiting = [root]
    while waiting:
        for child in waiting.pop().named_children:
            if child.end_point[0] - child.start_point[0] < MIN_FOLDED_LINES:
                continue
            waiting.append(child)
            body = child.child_by_field_name("body")
            if body is None:
                continue
            if child.type not in _FUNCTIONS:
                yield from _comments(body)
            elif foldable := _fold_body(child, body):
                yield foldable


def _fold_body(function: Node, body: Node) -> Foldable | None:
    first, last = body.start_point[0], body.end_point[0]
    text = body.text or b""
    if text[:1] == b"{":
        # The braces stay with the signature and at the end.
        first, last = first + 1, last - 1
    elif first == function.start_point[0]:
        return None
    else:
        # A comment at the start of a body stands before it in the tree.
        comments = [child.start_point[0] for child in function.children if _is_comment(child)]
        first = min([first, *(row for row in comments if row > function.start_point[0])])
    if last - first + 1 < MIN_FOLDED_LINES:
        return None
    return Foldable(_name(function), function.start_point[0], first, last + 1)


def _name(function: Node) -> str:
    node: Node | None = function.child_by_field_name("name")
    declarator = function.child_by_field_name("declarator")
    if node is None and declarator is not None:
        node = declarator.child_by_field_name("declarator") or declarator
    parent = function.parent
    if node is None and parent is not None:
        node = parent.child_by_field_name("name") or parent.child_by_field_name("key")
    text = (node.text or b"").decode("utf-8", "replace") if node else ""
    # Of `Foo::bar(int)` and `save!`, the word that a query names.
    words = _WORD.findall(text.partition("(")[0])
    return words[-1][:60] if words else ""


def _comments(block: Node) -> Iterator[Foldable]:
    """Yield long comments in a program or a class, and long strings that stand alone in it."""
    run: list[Node] = []
    for child in [*block.named_children, None]:
        if child is not None and _is_comment(child):
            run.append(child)
            continue
        if run:
            first, last = run[0].start_point[0], run[-1].end_point[0]
            if last - first + 1 > MIN_FOLDED_LINES:
                yield Foldable("comment", first, first + 1, last)
        run = []


def _is_comment(node: Node) -> bool:
    if node.type == _STRING:
        return len(node.named_children) == 1 and node.named_children[0].type == "string"
    return node.type in _COMMENTS
