"""Fits cases into token budgets, and finds the facts that are kept.

A budget is a share of a conversation's tokens. In sets whose system prompt is large
(`SETS_WITH_LARGE_PROMPT`), it is the whole system prompt and a share of the rest.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.corpus import Case, Fact, find_missed, total_weight
from benchmarks.data import Message
from benchmarks.windows import Window, is_unpaired
from headroom_core import Tokenizer

SETS_WITH_LARGE_PROMPT = ("agent_tau",)
TAIL = "plain tail"


@dataclass(frozen=True, slots=True)
class FittedCase:
    """A case that a method fitted into a budget.

    Attributes:
        case: Id of the case.
        set: Name of the set that it belongs to.
        method: Name of the method.
        share: The budget in percent.
        budget: The budget in tokens.
        tokens: Number of tokens that would be sent.
        facts: Total weight of its facts.
        missed: The facts that would not be sent.
        is_unpaired: Whether no provider would accept the result.
        seconds: Time that the method took.
    """

    case: str
    set: str
    method: str
    share: int
    budget: int
    tokens: int
    facts: float
    missed: tuple[Fact, ...]
    is_unpaired: bool
    seconds: float

    @property
    def kept(self) -> float:
        """Total weight of the facts that would be sent."""
        return self.facts - total_weight(self.missed)

    @property
    def is_over(self) -> bool:
        """Whether the result exceeds the budget."""
        return self.tokens > self.budget


def split_exempt(case: Case) -> tuple[list[Message], list[Message]]:
    """Split messages into those that are exempt from the budget and the rest."""
    has_large_prompt = case["set"] in SETS_WITH_LARGE_PROMPT
    exempt: list[Message] = []
    rest: list[Message] = []
    for message in case["messages"]:
        is_exempt = has_large_prompt and message["role"] == "system"
        (exempt if is_exempt else rest).append(message)
    return exempt, rest


def budget_of(case: Case, share: int, tokenizer: Tokenizer) -> int:
    """Return the budget of a case in tokens."""
    exempt, rest = split_exempt(case)
    return tokenizer.count_messages(exempt) + tokenizer.count_messages(rest) * share // 100


def fit_with_window(
    case: Case, share: int, method: str, *, window: Window, scoring: Any, tokenizer: Tokenizer
) -> FittedCase:
    """Fit a case into a budget with a window."""
    budget = budget_of(case, share, tokenizer)
    start = time.perf_counter()
    messages = window(case["messages"], budget)
    seconds = time.perf_counter() - start
    return FittedCase(
        case=case["id"],
        set=case["set"],
        method=method,
        share=share,
        budget=budget,
        tokens=tokenizer.count_messages(messages),
        facts=total_weight(case["must_keep"]),
        missed=find_missed(case, scoring.render_messages(messages), scoring),
        is_unpaired=is_unpaired(messages),
        seconds=seconds,
    )


def fit_with_tail(case: Case, share: int, scoring: Any, tokenizer: Tokenizer) -> FittedCase:
    """Fit a case into a budget by keeping the end of its rendered text, cut anywhere."""
    start = time.perf_counter()
    text = _render_tail(case, share, scoring)
    seconds = time.perf_counter() - start
    return FittedCase(
        case=case["id"],
        set=case["set"],
        method=TAIL,
        share=share,
        budget=budget_of(case, share, tokenizer),
        tokens=scoring.ntok(text),
        facts=total_weight(case["must_keep"]),
        missed=find_missed(case, text, scoring),
        is_unpaired=True,
        seconds=seconds,
    )


def _render_tail(case: Case, share: int, scoring: Any) -> str:
    exempt, rest = split_exempt(case)
    tokens = scoring.encode(scoring.render_messages(rest))
    kept: str = scoring.decode(tokens[len(tokens) - len(tokens) * share // 100 :])
    return f"{scoring.render_messages(exempt)}\n{kept}" if exempt else kept


def percent_kept(cases: Iterable[FittedCase]) -> float:
    """Return the share of the facts that is kept, in percent, by their weights."""
    fitted = list(cases)
    return 100 * sum(case.kept for case in fitted) / sum(case.facts for case in fitted)
