"""The layout's rules, read from the imports.

A module imports from lower levels and from what its own family shares, a file also from files of its own
level. Members of a family never import each other, nothing imports in a circle, no own package is imported
inside a function, and the core never mentions the integrations.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE, ADAPTERS = "headroom_core", "headroom_integrations"

LAYERS = (
    "errors validated edge forks recent messages paths plugins settings config results vocabulary estimate fields where"
    " sentences units views",
    "tokens relevance models",
    "compressors dialects providers stores",
    "transforms insight excerpts passages portions metrics",
    "replay growth fitting run journey compression selection filling documents retrieval",
    "client",
    "server remote cli",
)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names.split()} | {"": len(LAYERS)}
"""The level of each module and family of the core; "" is the package itself, the table of contents."""

FAMILIES = {"relevance", "compressors", "dialects", "providers", "stores", "transforms", "insight"}
"""The folders. The other names are files, which may import files of their own level."""

SHARED = {
    "compressors": {"base", "detect", "exact_json", "python_literal"},
    "relevance": {"base", "words", "encoders", "bm25", "embedding"},
    "stores": {"base", "sqlite_file"},
    "transforms": {
        "base",
        "changing",
        "choosing",
        "cuts",
        "direct",
        "gaps",
        "importance",
        "limits",
        "prose",
        "router",
        "shortening",
        "turns",
    },
}
"""The modules that the members of a family may import; `base` alone where nothing is said."""

PURE = {"compressors", "relevance", "transforms"}
IMPURE = {"stores", "providers", "insight"}
PUBLIC_FACES = {
    ("transforms.cache_aligner", "stores"),
    ("transforms.direct", "stores"),
    ("transforms.intelligent_context", "stores"),
    ("transforms.pipeline", "stores"),
    ("transforms.rolling_window", "stores"),
    ("transforms.smart_crusher", "stores"),
}
"""Families that know no store, provider or metric, and the faces that save before they return."""

HEAVY = ("pydantic", "numpy", "tiktoken", "rank_bm25", "sqlite3")


class Module:
    """One file, and what it imports."""

    def __init__(self, path: Path, root: Path) -> None:
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)
        self.is_package = path.name == "__init__.py"
        parts = path.relative_to(root).with_suffix("").parts
        self.name = ".".join(parts[:-1] if self.is_package else parts)

    def imports(self, known: set[str]) -> Iterator[str]:
        return self._imported(ast.walk(self.tree), known)

    def hidden_imports(self, known: set[str]) -> Iterator[str]:
        functions = (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        return self._imported((node for function in functions for node in ast.walk(function)), known)

    def _imported(self, nodes: Iterator[ast.AST], known: set[str]) -> Iterator[str]:
        """Yield the full names of own modules: of `from a import b` it is `a.b` where that is a module, else `a`."""
        for node in nodes:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                names = [full if (full := f"{base}.{alias.name}") in known else base for alias in node.names]
            else:
                continue
            yield from (name for name in names if name.partition(".")[0] in (CORE, ADAPTERS))

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".")
        package = package[: len(package) - node.level + self.is_package]
        return ".".join([*package, *filter(None, [node.module])])


def violations(root: Path) -> list[str]:
    """Return what breaks the rules below `root`, one sentence each."""
    paths = [path for package in (CORE, ADAPTERS) for path in sorted((root / package).rglob("*.py"))]
    modules = [Module(path, root) for path in paths]
    known = {module.name for module in modules}
    found = [problem for module in modules for problem in _problems(module, known)]
    try:
        TopologicalSorter({module.name: set(module.imports(known)) for module in modules}).prepare()
    except CycleError as error:
        found.append(f"import cycle: {' -> '.join(error.args[1])}")
    return found


def _problems(module: Module, known: set[str]) -> Iterator[str]:
    for name in module.hidden_imports(known):
        yield f"{module.name} imports {name} inside a function"
    check = _core_problem if module.name.partition(".")[0] == CORE else _adapter_problem
    if check is _core_problem and ADAPTERS in module.source:
        yield f"{module.name} mentions {ADAPTERS}"
    for name in sorted(set(module.imports(known))):
        if problem := check(module.name, name):
            yield f"{module.name} imports {name}: {problem}"


def _split(name: str) -> tuple[str, str]:
    """Return the family (or the single module) and the member: `headroom_core.a.b.c` gives `a` and `b`."""
    parts = [*name.split("."), "", ""]
    return parts[1], parts[2]


def _core_problem(importer: str, imported: str) -> str | None:
    if not imported.startswith(CORE):
        return "the core knows no integration"
    (family, member), (other, piece) = _split(importer), _split(imported)
    if unplaced := {family, other} - LEVELS.keys():
        return f"{unplaced.pop()} has no level yet: give it one in LAYERS"
    if family in PURE and other in IMPURE and (f"{family}.{member}", other) not in PUBLIC_FACES:
        return f"{family} know no {other}"
    if family == other:
        inside = not member or piece in {member, *SHARED.get(family, {"base"})}
        return None if inside else f"members of {family} do not import each other"
    if LEVELS[other] < LEVELS[family] or (LEVELS[other] == LEVELS[family] and FAMILIES.isdisjoint({family, other})):
        return None
    return f"level {LEVELS[other]} is not below level {LEVELS[family]}"


def _adapter_problem(importer: str, imported: str) -> str | None:
    if any(part.startswith("_") for part in imported.split(".")):
        return "only public names of the core"
    if imported.startswith(CORE):
        return None
    siblings = _split(importer)[0] not in ("", _split(imported)[0])
    return "an integration uses no sibling" if siblings else None


def test_every_module_keeps_to_the_layout() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("path", "source", "problem"),
    [
        ("headroom_core/tokens.py", "from headroom_core import journey", "level 4 is not below level 1"),
        ("headroom_core/tokens.py", "from .journey import compress", "level 4 is not below level 1"),
        ("headroom_core/errors.py", "import headroom_core.relevance.bm25", "level 1 is not below level 0"),
        ("headroom_core/compressors/log.py", "from headroom_core.compressors.html import x", "import each other"),
        ("headroom_core/compressors/log.py", "from ..dialects import base", "level 2 is not below level 2"),
        ("headroom_core/transforms/router.py", "from headroom_core.stores import memory", "transforms know no stores"),
        ("headroom_core/relevance/bm25.py", "import headroom_core.providers", "relevance know no providers"),
        ("headroom_core/odd.py", "import headroom_core.errors", "odd has no level yet"),
        ("headroom_core/journey.py", "def f():\n    from headroom_core import errors", "inside a function"),
        ("headroom_core/errors.py", "# see headroom_integrations", "mentions headroom_integrations"),
        ("headroom_core/config.py", "import headroom_core.results", "import cycle"),
        ("headroom_integrations/langchain/a.py", "import headroom_integrations.llamaindex", "no sibling"),
        ("headroom_integrations/langchain/a.py", "from headroom_core._private import x", "only public names"),
    ],
)
def test_a_broken_rule_is_found(tmp_path: Path, path: str, source: str, problem: str) -> None:
    planted = {"headroom_core/journey.py": "", "headroom_core/results.py": "import headroom_core.config", path: source}
    for name, text in planted.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert problem in "\n".join(violations(tmp_path))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("headroom_core/transforms/smart_crusher.py", "from headroom_core.stores import base"),
        ("headroom_core/journey.py", "from headroom_core.retrieval import retrieve"),
        ("headroom_core/compressors/log.py", "from headroom_core.compressors.base import Compressor"),
        ("headroom_core/compressors/smart_crusher/table.py", "from .frame import Frame"),
        ("headroom_core/dialects/__init__.py", "from headroom_core.dialects.openai import OpenAIDialect"),
        ("headroom_integrations/langchain/a.py", "from headroom_core import compress"),
    ],
)
def test_what_the_layout_allows_is_not_found(tmp_path: Path, path: str, source: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(source)
    assert violations(tmp_path) == []


def test_importing_the_core_loads_nothing_heavy() -> None:
    code = f"import sys, headroom_core; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
