"""Programs in several languages, and Markdown about one."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from samples import Sample

_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll ledge".split()
_QUERY = "What does count_pelicans return?"


def _names(lines: int, seed: int, each: int) -> list[tuple[str, int]]:
    random = Random(seed)
    count = max(2, lines // each)
    names = [(f"{random.choice(_WORDS)}_{number}", random.randrange(99)) for number in range(count)]
    names[count // 2] = ("count_pelicans", 1777)
    return names


def make_python(lines: int, seed: int) -> str:
    return "from __future__ import annotations\n\n" + "\n\n".join(
        f"def {name}(value: int) -> int:\n    total = 0\n    for number in range(value):\n"
        f"        total += number * {factor}\n        if total > 900:\n            break\n"
        f"    return total + {factor}\n"
        for name, factor in _names(lines, seed, 9)
    )


def make_numbered(lines: int, seed: int) -> str:
    code = make_python(lines, seed).split("\n")
    return "\n".join(f"{number:6}\t{line}" for number, line in enumerate(code, 1))


def make_typescript(lines: int, seed: int) -> str:
    return 'import { sum } from "./sum";\n\n' + "\n".join(
        f"export function {name}(value: number): number {{\n  let total = 0;\n"
        f"  for (let i = 0; i < value; i++) {{\n    total += i * {factor};\n  }}\n"
        f"  const extra = sum([total, value]);\n  return extra + {factor};\n}}\n"
        for name, factor in _names(lines, seed, 9)
    )


def make_go(lines: int, seed: int) -> str:
    return "package main\n\n" + "\n".join(
        f"func {name}(value int) int {{\n\ttotal := 0\n\tfor i := 0; i < value; i++ {{\n"
        f"\t\ttotal += i * {factor}\n\t}}\n\tif total > 900 {{\n\t\ttotal = 900\n\t}}\n"
        f"\treturn total + {factor}\n}}\n"
        for name, factor in _names(lines, seed, 10)
    )


def make_markdown(lines: int, seed: int) -> str:
    random = Random(seed)
    return "# Manual\n\n" + "\n".join(
        f"## {name}\n\n"
        + "\n".join(f"- {' '.join(random.choices(_WORDS, k=8))}" for _ in range(6))
        + f"\n\nReturns the total plus {factor}.\n"
        for name, factor in _names(lines, seed, 11)
    )


def _sample(name: str, make: Callable[[int, int], str], path: str, answer: str) -> Sample:
    return Sample(
        name,
        "markdown" if name == "markdown" else "code",
        make,
        _QUERY,
        answer,
        tool="read_file",
        call=f'{{"path": "{path}"}}',
    )


SAMPLES = [
    _sample("python", make_python, "src/birds.py", "    return total + 1777"),
    _sample("numbered python", make_numbered, "src/birds.py", "    return total + 1777"),
    _sample("typescript", make_typescript, "src/birds.ts", "  return extra + 1777;"),
    _sample("go", make_go, "birds.go", "\treturn total + 1777"),
    _sample("markdown", make_markdown, "docs/birds.md", "Returns the total plus 1777."),
]
