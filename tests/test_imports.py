"""The layout's rules, read from the imports.

A module imports from lower levels and from its own family. Members of a family never import each
other, but for the modules that the family shares; nothing imports in a circle, no own package is
imported inside a function, `_internal` stays inside the core, and the core never mentions the
integrations, which use its public names and `headroom_core.adapters` alone.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import headroom_core
from headroom_core import adapters

ROOT = Path(__file__).parent.parent
CORE, INTEGRATIONS = "headroom_core", "headroom_integrations"

LAYERS = (
    "errors messages environment text",
    "_internal results markers tables",
    "config kinds models stores dialects",
    "tokens relevance",
    "compressors providers",
    "transforms insight metrics",
    "conversation retrieval",
    "documents client",
    "adapters testing",
)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names.split()} | {
    "": len(LAYERS)
}
"""The level of each package of the core; "" is `headroom_core` itself."""

MAX_ROOT_MODULES = 12
MAX_LEVELS = 11
"""Levels of the whole repository: the core, its table of names, integrations, benchmarks."""

SHARED = {
    "_internal": {"fork", "lru"},
    "text": {
        "commands",
        "constructors",
        "exact_json",
        "json_runs",
        "line_style",
        "numbered",
        "python_literal",
        "sentences",
        "signs",
        "tool_names",
    },
    "kinds": {"builds", "calls", "evidence", "starts"},
    "models": {"load"},
    "dialects": {"access", "base", "counting", "joined", "media", "openai", "parts"},
    "stores": {"base", "memory", "sqlite_file", "sqlite_header", "sqlite_tables"},
    "tables": {
        *(
            "cells",
            "codec",
            "csv",
            "escapes",
            "frame",
            "groups",
            "header",
            "json_strings",
            "maps",
            "members",
            "named_rows",
        ),
        *("aligned", "names", "notation", "reader", "restore", "strings", "table_names"),
        *("values", "writer"),
    },
    "tokens": {"estimate", "vocabulary"},
    "relevance": {"base", "bm25", "embedding", "encoders", "words"},
    "compressors": {"base", "lines"},
    "providers": {"base"},
    "transforms": {
        "base",
        "break_even",
        "cache_aligner",
        "pipeline",
        "router",
        "tool_policy",
        "windows",
    },
    "conversation": {"prefix_cache", "replay", "run", "window"},
    "retrieval": {
        "comparisons",
        "condition_parser",
        "families",
        "fields",
        "lines",
        "originals",
        "pages",
        "where",
        "word_search",
    },
    "documents": {
        "budget",
        "diversity",
        "links",
        "ranking",
        "repeats",
        "rows",
        "selection",
        "splitting",
        "terms",
    },
    "metrics": {"ledger"},
}
"""The modules that other members of their family import. An `__init__` may import all members."""

PURE = {"compressors", "relevance", "transforms"}
IMPURE = {"stores", "providers", "insight", "metrics"}
PUBLIC_FACES = {
    ("transforms.cache_aligner.aligner", "stores"),
    ("transforms.pipeline", "stores"),
    ("transforms.smart_crusher", "stores"),
    ("transforms.windows.intelligent", "stores"),
    ("transforms.windows.rolling", "stores"),
}
"""Families that know no store, provider or metric, and the modules that save before they return."""

PUBLIC_NAMES = {
    CORE: {*headroom_core.__all__},
    f"{CORE}.adapters": {*adapters.__all__},
}
"""The names of the core that an integration may use, by module."""

HEAVY = ("pydantic", "numpy", "tiktoken", "rank_bm25", "sqlite3")


class Module:
    """A source file and its imports."""

    def __init__(self, path: Path, root: Path) -> None:
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)
        self.is_package = path.name == "__init__.py"
        parts = path.relative_to(root).with_suffix("").parts
        self.name = ".".join(parts[:-1] if self.is_package else parts)

    def imports(self, known: set[str]) -> Iterator[str]:
        return self._imported(ast.walk(self.tree), known)

    def hidden_imports(self, known: set[str]) -> Iterator[str]:
        functions = (
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        return self._imported(
            (node for function in functions for node in ast.walk(function)), known
        )

    def _imported(self, nodes: Iterator[ast.AST], known: set[str]) -> Iterator[str]:
        """Yield full names of own modules: for `from a import b`, `a.b` if it is a module."""
        for node in nodes:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                names = [
                    full if (full := f"{base}.{alias.name}") in known else base
                    for alias in node.names
                ]
            else:
                continue
            yield from (name for name in names if name.partition(".")[0] in (CORE, INTEGRATIONS))

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".")
        package = package[: len(package) - node.level + self.is_package]
        return ".".join([*package, *filter(None, [node.module])])


def modules_of(root: Path, *packages: str) -> list[Module]:
    return [
        Module(path, root)
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    ]


def violations(root: Path) -> list[str]:
    """Return what breaks the rules below `root`, one sentence each."""
    modules = modules_of(root, CORE, INTEGRATIONS)
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
    check = _core_problem if module.name.partition(".")[0] == CORE else _integration_problem
    if check is _core_problem and INTEGRATIONS in module.source:
        yield f"{module.name} mentions {INTEGRATIONS}"
    for name in sorted(set(module.imports(known))):
        if problem := check(module.name, name):
            yield f"{module.name} imports {name}: {problem}"


def _split(name: str) -> tuple[str, str]:
    """Return the family and the member: `headroom_core.a.b.c` gives `a` and `b`."""
    parts = [*name.split("."), "", ""]
    return parts[1], parts[2]


def _in_core(name: str) -> str:
    return name.removeprefix(f"{CORE}.")


def _core_problem(importer: str, imported: str) -> str | None:
    if not imported.startswith(CORE):
        return "the core knows no integration"
    (family, member), (other, piece) = _split(importer), _split(imported)
    if unplaced := {family, other} - LEVELS.keys():
        return f"{unplaced.pop()} has no level yet: give it one in LAYERS"
    if family in PURE and other in IMPURE and (_in_core(importer), other) not in PUBLIC_FACES:
        return f"{family} know no {other}"
    if family == other:
        inside = not member or piece in {member, *SHARED.get(family, set())}
        return None if inside else f"members of {family} do not import each other"
    if LEVELS[other] < LEVELS[family]:
        return None
    return f"level {LEVELS[other]} is not below level {LEVELS[family]}"


def _integration_problem(importer: str, imported: str) -> str | None:
    if imported.startswith(CORE):
        allowed = imported in (CORE, f"{CORE}.adapters")
        return None if allowed else f"only public names of {CORE} and {CORE}.adapters"
    siblings = _split(importer)[0] not in ("", _split(imported)[0])
    return "an integration uses no sibling" if siblings else None


def _private_names(module: Module) -> Iterator[str]:
    """Yield the names that an integration takes from the core apart from its public ones."""
    modules = _names_of_modules(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(CORE):
            public = PUBLIC_NAMES.get(node.module or "", set())
            yield from (alias.name for alias in node.names if alias.name not in public)
        elif isinstance(node, ast.Attribute) and (owner := modules.get(ast.unparse(node.value))):
            is_public = node.attr in PUBLIC_NAMES.get(owner, ())
            if not is_public and f"{owner}.{node.attr}" not in PUBLIC_NAMES:
                yield node.attr


def _names_of_modules(tree: ast.AST) -> dict[str, str]:
    """Return the modules of the core that a file imports, by the names that it gives them."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        for alias in node.names if isinstance(node, ast.Import) else ():
            if alias.name.partition(".")[0] == CORE:
                names[alias.asname or alias.name] = alias.name
                if alias.asname is None:
                    names[CORE] = CORE
    return names


def siblings() -> dict[str, set[str]]:
    """Return the modules of each family that other members import."""
    modules = modules_of(ROOT, CORE)
    known = {module.name for module in modules}
    shared: dict[str, set[str]] = {}
    for module in modules:
        family, member = _split(module.name)
        for other, piece in map(_split, module.imports(known)):
            if family and member and family == other and piece != member:
                shared.setdefault(family, set()).add(piece)
    return shared


def faces() -> set[tuple[str, str]]:
    """Return the modules of pure families that import an impure one, each with what it imports."""
    modules = modules_of(ROOT, *(f"{CORE}/{family}" for family in PURE))
    return {
        (_in_core(module.name), other)
        for module in modules
        for other, _ in map(_split, module.imports(set()))
        if other in IMPURE
    }


def levels(root: Path) -> int:
    """Return the number of levels of packages, with the integrations and benchmarks."""
    modules = modules_of(root, CORE, INTEGRATIONS, "benchmarks")
    known = {module.name for module in modules}
    below: dict[str, set[str]] = {}
    for module in modules:
        room = _room(module.name)
        rooms = {_room(name) for name in module.imports(known)}
        below.setdefault(room, set()).update(rooms - {room})
    height: dict[str, int] = {}
    for room in TopologicalSorter(below).static_order():
        height[room] = 1 + max((height[other] for other in below[room]), default=0)
    return max(height.values())


def _room(name: str) -> str:
    """Return the room of a module: the integrations and the benchmarks are one each."""
    package = name.partition(".")[0]
    return f"{CORE}.{_split(name)[0]}" if package == CORE else package


def test_every_module_follows_the_layout() -> None:
    assert violations(ROOT) == []


def test_every_permission_to_import_is_used() -> None:
    assert siblings() == SHARED
    assert faces() == PUBLIC_FACES


def test_integrations_use_public_names_of_the_core_alone() -> None:
    modules = modules_of(ROOT, INTEGRATIONS)
    assert {module.name: names for module in modules if (names := [*_private_names(module)])} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from headroom_core import compress, _lazy", ["_lazy"]),
        ("from headroom_core.adapters import CallTracker, x", ["x"]),
        ("import headroom_core as core; core.compress(core._lazy)", ["_lazy"]),
        ("import headroom_core.adapters as a; a._x(a.CallTracker)", ["_x"]),
        ("import headroom_core.adapters; headroom_core.adapters._x.y", ["_x"]),
    ],
)
def test_a_private_name_in_an_integration_is_found(
    tmp_path: Path, source: str, names: list[str]
) -> None:
    path = tmp_path / "a.py"
    path.write_text(source)
    assert [*_private_names(Module(path, tmp_path))] == names


def test_the_core_has_few_root_modules_and_levels() -> None:
    modules = [path for path in (ROOT / CORE).glob("*.py") if not path.name.startswith("__")]
    assert len(modules) <= MAX_ROOT_MODULES
    assert levels(ROOT) <= MAX_LEVELS


@pytest.mark.parametrize(
    ("path", "source", "problem"),
    [
        (
            "tokens/tokenizer.py",
            "from headroom_core.transforms import base",
            "5 is not below level 3",
        ),
        (
            "tokens/tokenizer.py",
            "from ..transforms.base import Transform",
            "5 is not below level 3",
        ),
        ("errors.py", "import headroom_core.relevance.bm25", "3 is not below level 0"),
        ("results.py", "import headroom_core.markers", "1 is not below level 1"),
        ("compressors/log.py", "from headroom_core.compressors.html import x", "import each other"),
        ("models/load.py", "from ..stores import base", "2 is not below level 2"),
        ("transforms/router.py", "from headroom_core.stores import memory", "know no stores"),
        ("transforms/windows/gap.py", "import headroom_core.stores", "transforms know no stores"),
        ("relevance/bm25.py", "import headroom_core.providers", "relevance know no providers"),
        ("odd.py", "import headroom_core.errors", "odd has no level yet"),
        ("config.py", "def f():\n    from headroom_core import errors", "inside a function"),
        ("errors.py", "# see headroom_integrations", "mentions headroom_integrations"),
        ("tables/cells.py", "import headroom_core.tables.groups", "import cycle"),
    ],
)
def test_a_broken_rule_of_the_core_is_found(
    tmp_path: Path, path: str, source: str, problem: str
) -> None:
    write_files(tmp_path, {"headroom_core/tables/groups.py": "import headroom_core.tables.cells"})
    write_files(tmp_path, {f"headroom_core/{path}": source})
    assert problem in "\n".join(violations(tmp_path))


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import headroom_integrations.llamaindex", "no sibling"),
        ("from headroom_core._internal.lru import x", "only public names"),
        ("from headroom_core.tokens import Tokenizer", "only public names"),
    ],
)
def test_a_broken_rule_of_an_integration_is_found(
    tmp_path: Path, source: str, problem: str
) -> None:
    write_files(tmp_path, {"headroom_integrations/langchain/a.py": source})
    assert problem in "\n".join(violations(tmp_path))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("headroom_core/transforms/smart_crusher.py", "from headroom_core.stores import base"),
        ("headroom_core/documents/compress.py", "from headroom_core.retrieval import retrieve"),
        (
            "headroom_core/compressors/log.py",
            "from headroom_core.compressors.base import Compressor",
        ),
        ("headroom_core/compressors/smart_crusher/select.py", "from .hits import QueryHits"),
        ("headroom_core/dialects/__init__.py", "from headroom_core.dialects.openai import x"),
        ("headroom_integrations/langchain/a.py", "from headroom_core import compress"),
        ("headroom_integrations/langchain/a.py", "from headroom_core.adapters import CallTracker"),
    ],
)
def test_an_allowed_import_is_not_reported(tmp_path: Path, path: str, source: str) -> None:
    write_files(tmp_path, {path: source})
    assert violations(tmp_path) == []


def write_files(root: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source)


def test_importing_the_core_loads_nothing_heavy() -> None:
    code = f"import sys, headroom_core; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
