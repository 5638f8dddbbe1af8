"""Tries settings of importance: without each weight, and drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.__main__ import progress
from benchmarks.corpus import Case
from benchmarks.fitting import FittedCase, fit_with_window, percent_kept
from benchmarks.windows import make_compress
from headroom_core import Tokenizer
from headroom_core.config import IntelligentContextConfig, ScoringWeights
from headroom_core.stores import MemoryStore, Store

TUNING_SETS = ("agent_code", "agent_tau")
WEIGHTS = tuple(ScoringWeights.model_fields)
DECAYS = (0.02, 0.05, 0.1, 0.2)
DEFAULT_DECAY = 0.1

_MIN_DECAY = 0.01
_MAX_DECAY = 0.5
_NONZERO_PROBABILITY = 0.8
"""Probability that the search gives a weight a value other than zero."""

_MIN_RECENCY = 0.01
"""Minimum weight of recency in the search, so that the weights are never all zero."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings of importance, and the cases that were fitted with them.

    Attributes:
        settings: The settings.
        cases: The fitted cases.
    """

    settings: IntelligentContextConfig
    cases: list[FittedCase]


RunTrial = Callable[[IntelligentContextConfig], Trial]


def make_trial_runner(cases: Sequence[Case], shares: Sequence[int], scoring: Any) -> RunTrial:
    """Return a function that tries settings on cases.

    The compressed texts of a case are remembered from one trial to the next.
    """
    tokenizer = Tokenizer()
    stores: list[Store] = [MemoryStore() for _ in cases]

    def run(settings: IntelligentContextConfig) -> Trial:
        fitted = []
        for case, store in zip(cases, stores):
            for share in shares:
                window = make_compress(store, importance=True, settings=settings)
                fitted.append(
                    fit_with_window(
                        case, share, "", window=window, scoring=scoring, tokenizer=tokenizer
                    )
                )
        return Trial(settings, fitted)

    return run


def make_settings(
    weights: dict[str, float], decay: float = DEFAULT_DECAY
) -> IntelligentContextConfig:
    """Return settings with these weights."""
    return IntelligentContextConfig(
        scoring_weights=ScoringWeights(**weights), recency_decay_rate=decay
    )


def draw_settings(seed: int) -> IntelligentContextConfig:
    """Return random settings, in which some weights are zero."""
    random = Random(f"weights {seed}")
    weights: dict[str, float] = {}
    for name in WEIGHTS:
        weight = random.expovariate(1)
        weights[name] = weight if random.random() < _NONZERO_PROBABILITY else 0.0
    weights["recency"] = max(weights["recency"], _MIN_RECENCY)
    # Uniform on a logarithmic scale.
    decay = math.exp(random.uniform(math.log(_MIN_DECAY), math.log(_MAX_DECAY)))
    return make_settings(weights, round(decay, 3))


def mean_percent_kept(cases: Sequence[FittedCase]) -> float:
    """Return the share of the facts that is kept in percent, as the mean of sets and budgets."""
    groups: dict[tuple[str, int], list[FittedCase]] = {}
    for case in cases:
        groups.setdefault((case.set, case.share), []).append(case)
    return math.fsum(percent_kept(group) for group in groups.values()) / len(groups)


def format_header(shares: Sequence[int]) -> Iterator[str]:
    """Yield the header lines of a table of trials."""
    width = len(shares) * 7
    budgets = "".join(f"{f'{share}%':>7}" for share in shares)
    yield f"{'facts kept, %':<31}" + "  ".join(f"{name:>{width}}" for name in TUNING_SETS)
    yield f"{'budget':<31}" + "  ".join(budgets for _ in TUNING_SETS) + f"{'mean':>9}"


def format_trial(name: str, trial: Trial, shares: Sequence[int]) -> str:
    """Format a line of a table of trials."""
    columns = []
    for set_name in TUNING_SETS:
        cells = [
            percent_kept(
                case for case in trial.cases if case.set == set_name and case.share == share
            )
            for share in shares
        ]
        columns.append("".join(f"{cell:>7.1f}" for cell in cells))
    return f"{name:<31}{'  '.join(columns)}{mean_percent_kept(trial.cases):>9.2f}"


def ablate(run_trial: RunTrial, shares: Sequence[int]) -> Iterator[str]:
    """Yield the table of settings without each weight, with a single one, and with other decays."""
    yield from format_header(shares)
    defaults = IntelligentContextConfig().scoring_weights.model_dump()
    zeros = dict.fromkeys(WEIGHTS, 0.0)
    settings = {"defaults": make_settings(defaults)}
    for name in WEIGHTS:
        settings[f"without {name}"] = make_settings({**defaults, name: 0.0})
    for name in WEIGHTS:
        settings[f"only {name}"] = make_settings({**zeros, name: 1.0})
    for decay in DECAYS:
        settings[f"decay {decay:g}"] = make_settings(defaults, decay)
    settings["oldest first"] = IntelligentContextConfig(use_importance_scoring=False)
    for name, candidate in settings.items():
        progress(name)
        yield format_trial(name, run_trial(candidate), shares)


def search(run_trial: RunTrial, count: int, shares: Sequence[int]) -> Iterator[str]:
    """Yield the best of some random settings, and the same settings without each weight.

    The best settings are chosen on every other case. The remaining cases show their gain on
    cases that they were not chosen for.
    """
    trials = [run_trial(IntelligentContextConfig())]
    for number in range(count):
        progress(f"search: {number + 1} of {count}")
        trials.append(run_trial(draw_settings(number)))
    names = sorted({case.case for case in trials[0].cases})
    chosen_by = set(names[::2])
    scores = [_split_score(trial, chosen_by) for trial in trials]
    # Of equal settings, the first: the default settings.
    best = max(range(len(trials)), key=lambda number: (scores[number][0], -number))
    settings = trials[best].settings
    weights = settings.scoring_weights.model_dump()
    listed = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
    yield f"the best of {count} by every other case: {listed}"
    yield f"recency_decay_rate {settings.recency_decay_rate:g}"
    yield f"{'mean of facts kept, %':<31}{'chosen by':>11}{'others':>9}{'all':>9}"
    for name, number in (("defaults", 0), ("best", best)):
        chosen, others = scores[number]
        mean = mean_percent_kept(trials[number].cases)
        yield f"{name:<31}{chosen:>11.2f}{others:>9.2f}{mean:>9.2f}"
    yield from format_header(shares)
    yield format_trial("best", trials[best], shares)
    for name, weight in weights.items():
        if 0 < weight < 1:
            progress(name)
            without = make_settings({**weights, name: 0.0}, settings.recency_decay_rate)
            yield format_trial(f"best without {name}", run_trial(without), shares)


def _split_score(trial: Trial, chosen_by: set[str]) -> tuple[float, float]:
    """Return the mean of kept facts in the cases to choose by, and in the other cases."""
    chosen = [case for case in trial.cases if case.case in chosen_by]
    others = [case for case in trial.cases if case.case not in chosen_by]
    return mean_percent_kept(chosen), mean_percent_kept(others)
