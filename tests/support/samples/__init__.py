"""Texts of every kind, as tools return them; one module a kind, found by being here."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts of a kind, of any length.

    Attributes:
        name: Name, for the titles of tests.
        kind: Name of the kind, as the detector gives it.
        make: Returns a text of about so many lines, from a seed.
        query: Question whose answer stands in each of the texts.
        answer: The answer.
        tool: Name of the tool that returned the text.
        call: Arguments of its call, as JSON.
        own_line: What the compressor's own lines look like, other than markers and gaps.
        least_saved: Share of the tokens that selecting saves at least in 300 lines.
    """

    name: str
    kind: str
    make: Callable[[int, int], str]
    query: str
    answer: str
    tool: str = "run"
    call: str = "{}"
    own_line: re.Pattern[str] | None = None
    least_saved: float = 0.4


def all_samples() -> list[Sample]:
    """Return the samples of all modules of this package."""
    modules = [
        import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    ]
    return [sample for module in modules for sample in module.SAMPLES]
