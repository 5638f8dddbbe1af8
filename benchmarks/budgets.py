"""`python -m benchmarks.budgets`: which facts stay when real conversations of agents have to fit a budget.

The budget is a share of a conversation's tokens; where the system prompt is a large part of it (`SYSTEM_APART`), all
of that and a share of the rest. What is counted is what would be sent: markers count against the budget, and so does
what this library may never leave out (system prompts, users' last messages, the newest results), so that a small
conversation may stay over it. A plain tail cuts anywhere, in the middle of a message too, and is no valid request.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.__main__ import progress
from benchmarks.corpus import add_files, load_scoring_module, weight
from benchmarks.data import Message, exchange
from benchmarks.windows import OURS, Window, compressing, left_out, unpaired, windows
from headroom_core import Tokenizer
from headroom_core.config import IntelligentContextConfig, ScoringWeights
from headroom_core.stores import MemoryStore, Store

SETS = ("agent_code", "agent_tau", "agent_bfcl", "agent_react")
SYSTEM_APART = ("agent_tau",)
WEIGHED = ("agent_code", "agent_tau")
SHARES = (70, 50, 30)
"""Budgets, in percent."""

METHODS = (*OURS, "trim_messages, start_on human", "trim_messages", "ChatMemoryBuffer")
TAIL = "plain tail"

WEIGHTS = tuple(ScoringWeights.model_fields)
DECAYS = (0.02, 0.05, 0.1, 0.2)
SLOWEST, FASTEST = 0.01, 0.5
"""The rates of decay between which the search draws."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a method made of a case.

    Attributes:
        case: its id.
        set: the set that it belongs to.
        method: the method's name.
        share: the budget, in percent.
        budget: the budget, in tokens.
        tokens: the tokens of what would be sent.
        facts: the weight of its facts.
        missed: the facts that are not in what would be sent.
        unpaired: whether no provider would take it.
        seconds: how long it took.
    """

    case: str
    set: str
    method: str
    share: int
    budget: int
    tokens: int
    facts: float
    missed: tuple[Json, ...]
    unpaired: bool
    seconds: float

    @property
    def kept(self) -> float:
        """The weight of the facts that are in it."""
        return self.facts - weight(self.missed)

    @property
    def over(self) -> bool:
        """Whether it is larger than the budget."""
        return self.tokens > self.budget


def apart(case: Json) -> tuple[list[Message], list[Message]]:
    """Return the messages that a budget leaves alone, and those of which it is a share."""
    held = [m for m in case["messages"] if m["role"] == "system" and case["set"] in SYSTEM_APART]
    return held, [message for message in case["messages"] if message not in held]


def budget_of(case: Json, share: int, tokenizer: Tokenizer) -> int:
    """Return the tokens that a case may have."""
    held, rest = apart(case)
    return tokenizer.count_messages(held) + tokenizer.count_messages(rest) * share // 100


def tail(case: Json, share: int, score: Any) -> str:
    """Return the end of the rendered conversation, its tokens cut anywhere."""
    held, rest = apart(case)
    tokens = score.encode(score.render_messages(rest))
    kept: str = score.decode(tokens[len(tokens) - len(tokens) * share // 100 :])
    return f"{score.render_messages(held)}\n{kept}" if held else kept


def fit(
    case: Json, share: int, name: str, window: Window, score: Any, tokenizer: Tokenizer
) -> Fitted:
    """Return what a window makes of a case."""
    budget = budget_of(case, share, tokenizer)
    start = time.perf_counter()
    messages = window(case["messages"], budget)
    seconds = time.perf_counter() - start
    missed = missing(case, score.render_messages(messages), score)
    tokens, facts = tokenizer.count_messages(messages), weight(case["must_keep"])
    return Fitted(
        case["id"],
        case["set"],
        name,
        share,
        budget,
        tokens,
        facts,
        missed,
        unpaired(messages),
        seconds,
    )


def cut(case: Json, share: int, score: Any, tokenizer: Tokenizer) -> Fitted:
    """Return what a plain tail makes of a case; its tokens are those of the rendered text."""
    start = time.perf_counter()
    text = tail(case, share, score)
    seconds, budget = time.perf_counter() - start, budget_of(case, share, tokenizer)
    missed, facts = missing(case, text, score), weight(case["must_keep"])
    return Fitted(
        case["id"], case["set"], TAIL, share, budget, score.ntok(text), facts, missed, True, seconds
    )


def missing(case: Json, text: str, score: Any) -> tuple[Json, ...]:
    """Return the facts of a case that are not in a text."""
    found = score.Text(text)
    return tuple(fact for fact in case["must_keep"] if not score.fact_kept(fact, found))


def kept(found: Iterable[Fitted]) -> float:
    """Return the share of the facts that is kept, in percent, by their weights."""
    scores = list(found)
    return 100 * sum(one.kept for one in scores) / sum(one.facts for one in scores)


def compared(cases: Sequence[Json], shares: Sequence[int], score: Any) -> list[Fitted]:
    """Return what every method makes of every case; each case has stores of its own."""
    tokenizer, found = Tokenizer(), []
    made = windows(METHODS)
    for make in made.values():
        make(MemoryStore())(
            exchange("42"), 10**6
        )  # What is imported at the first call counts for nobody.
    for number, case in enumerate(cases, 1):
        if number % 10 == 0:
            progress(f"{number} of {len(cases)} conversations")
        for share in shares:
            for name, make in made.items():
                found.append(fit(case, share, name, make(MemoryStore()), score, tokenizer))
            found.append(cut(case, share, score, tokenizer))
    progress("")
    return found


def line(name: str, found: Sequence[Fitted], shares: Sequence[int]) -> str:
    """Return one line of a table."""
    by_share = [[one for one in found if one.share == share] for share in shares]
    facts = "".join(f"{kept(some):>7.1f}" for some in by_share)
    used = "".join(
        f"{sum(o.tokens for o in some) / sum(o.budget for o in some):>7.0%}" for some in by_share
    )
    over = "".join(
        f"{'-' if name == TAIL else sum(one.over for one in some):>5}" for some in by_share
    )
    broken = "".join(
        f"{'-' if name == TAIL else sum(one.unpaired for one in some):>5}" for some in by_share
    )
    return f"{name:<31}{facts}  {used}  {over}  {broken}{sum(one.seconds for one in found):>9.1f}"


def report(found: Sequence[Fitted], shares: Sequence[int]) -> str:
    """Return a table for each set."""
    wide, narrow = len(shares) * 7, len(shares) * 5
    head = f"{'':<31}{'facts kept, %':>{wide}}  {'of the budget':>{wide}}  {'over':>{narrow}}  {'invalid':>{narrow}}"
    budgets = "".join(f"{f'{share}%':>7}" for share in shares)
    cases = "".join(f"{f'{share}%':>5}" for share in shares)
    lines: list[str] = []
    for name in dict.fromkeys(one.set for one in found):
        mine = [one for one in found if one.set == name]
        lines += [
            f"\n{name} ({len({one.case for one in mine})} conversations)",
            f"{head}{'seconds':>9}",
        ]
        lines.append(f"{'budget':<31}{budgets}  {budgets}  {cases}  {cases}")
        for method in dict.fromkeys(one.method for one in mine):
            lines.append(line(method, [one for one in mine if one.method == method], shares))
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings of importance, and the facts that they keep.

    Attributes:
        settings: the settings.
        found: what became of the cases.
    """

    settings: IntelligentContextConfig
    found: list[Fitted]


Try = Callable[[IntelligentContextConfig], Trial]


def trying(cases: Sequence[Json], shares: Sequence[int], score: Any) -> Try:
    """Return what tries settings on cases; what became of a case's texts is remembered from one trial to the next."""
    tokenizer = Tokenizer()
    stores: list[Store] = [MemoryStore() for _ in cases]

    def run(settings: IntelligentContextConfig) -> Trial:
        found = [
            fit(
                case,
                share,
                "",
                compressing(store, importance=True, settings=settings),
                score,
                tokenizer,
            )
            for case, store in zip(cases, stores)
            for share in shares
        ]
        return Trial(settings, found)

    return run


def weighing(weights: dict[str, float], decay: float = DECAYS[2]) -> IntelligentContextConfig:
    """Return the settings of some weights."""
    return IntelligentContextConfig(
        scoring_weights=ScoringWeights(**weights), recency_decay_rate=decay
    )


def told(name: str, trial: Trial, shares: Sequence[int]) -> str:
    """Return a line of the ablation."""
    by_set = [[one for one in trial.found if one.set == name] for name in WEIGHED]
    cells = (
        "".join(f"{kept(one for one in some if one.share == share):>7.1f}" for share in shares)
        for some in by_set
    )
    return f"{name:<31}{'  '.join(cells)}{mean(trial.found):>9.2f}"


def mean(found: Sequence[Fitted]) -> float:
    """Return the facts kept, the mean of all sets and budgets."""
    groups = {(one.set, one.share) for one in found}
    return math.fsum(kept(o for o in found if (o.set, o.share) == group) for group in groups) / len(
        groups
    )


def heads(shares: Sequence[int]) -> Iterator[str]:
    """Yield the heads of the ablation's table."""
    wide = len(shares) * 7
    yield f"{'facts kept, %':<31}" + "  ".join(f"{name:>{wide}}" for name in WEIGHED)
    yield (
        f"{'budget':<31}"
        + "  ".join("".join(f"{f'{s}%':>7}" for s in shares) for _ in WEIGHED)
        + f"{'mean':>9}"
    )


def ablation(attempt: Try, shares: Sequence[int]) -> Iterator[str]:
    """Yield the table of each weight without which importance is told, and of other rates of decay."""
    yield from heads(shares)
    defaults = IntelligentContextConfig().scoring_weights.model_dump()
    settings = {"defaults": weighing(defaults)}
    settings |= {f"without {name}": weighing({**defaults, name: 0.0}) for name in WEIGHTS}
    settings |= {
        f"only {name}": weighing({**dict.fromkeys(WEIGHTS, 0.0), name: 1.0}) for name in WEIGHTS
    }
    settings |= {f"decay {decay:g}": weighing(defaults, decay) for decay in DECAYS}
    settings["oldest first"] = IntelligentContextConfig(use_importance_scoring=False)
    for name, one in settings.items():
        progress(name)
        yield told(name, attempt(one), shares)


def drawn(seed: int) -> IntelligentContextConfig:
    """Return settings drawn at random; some weights are nothing."""
    random = Random(f"weights {seed}")
    weights = {name: random.expovariate(1) * (random.random() < 0.8) for name in WEIGHTS}
    weights["recency"] = max(weights["recency"], 0.01)
    return weighing(
        weights, round(math.exp(random.uniform(math.log(SLOWEST), math.log(FASTEST))), 3)
    )


def search(attempt: Try, count: int, shares: Sequence[int]) -> Iterator[str]:
    """Yield the best of so many settings drawn at random, and what each of its weights is worth.

    They are chosen by every other case; what the rest keep tells what the choice is worth where it was not made.
    """
    trials = [attempt(IntelligentContextConfig())]
    for number in range(count):
        progress(f"search: {number + 1} of {count}")
        trials.append(attempt(drawn(number)))
    names = sorted({one.case for one in trials[0].found})
    chosen_by = set(names[::2])
    halves = [
        tuple(
            mean([one for one in trial.found if (one.case in chosen_by) is half])
            for half in (True, False)
        )
        for trial in trials
    ]
    best = max(range(len(trials)), key=lambda at: (halves[at][0], -at))
    settings = trials[best].settings
    weights = settings.scoring_weights.model_dump()
    yield f"the best of {count} by every other case: " + ", ".join(
        f"{n} {w:.2f}" for n, w in weights.items()
    )
    yield f"recency_decay_rate {settings.recency_decay_rate:g}"
    yield f"{'mean of facts kept, %':<31}{'chosen by':>11}{'others':>9}{'all':>9}"
    for name, at in (("defaults", 0), ("best", best)):
        yield f"{name:<31}{halves[at][0]:>11.2f}{halves[at][1]:>9.2f}{mean(trials[at].found):>9.2f}"
    yield from heads(shares)
    yield told("best", trials[best], shares)
    for name, value in weights.items():
        if 0 < value < 1:
            progress(name)
            without = attempt(weighing({**weights, name: 0.0}, settings.recency_decay_rate))
            yield told(f"best without {name}", without, shares)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser("python -m benchmarks.budgets", description=__doc__)
    parser.add_argument("--sets", default=",".join(SETS), help="names with commas")
    parser.add_argument(
        "--shares", default=",".join(map(str, SHARES)), help="budgets in percent, with commas"
    )
    parser.add_argument(
        "--weights", action="store_true", help=f"importance without each weight, on {WEIGHED}"
    )
    parser.add_argument(
        "--search",
        type=int,
        metavar="N",
        help="try so many settings of importance, drawn at random",
    )
    add_files(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables that are asked for."""
    asked = options(arguments)
    score = load_scoring_module(asked.corpus)
    shares = [int(share) for share in asked.shares.split(",")]
    weighed = asked.weights or asked.search
    sets = WEIGHED if weighed else asked.sets.split(",")
    cases = [case for _, case in score.load(sets, ("dev",), str(asked.corpus))]
    if not cases:
        raise SystemExit(f"no cases of {', '.join(sets)} in {asked.corpus}")
    if not weighed:
        found = compared(cases, shares, score)
        print(report(found, shares))
        print("".join(f"{one}\n" for one in left_out(METHODS)), end="")
        if asked.misses:
            asked.misses.write_text(
                "".join(f"{json.dumps(row)}\n" for row in misses(found)), encoding="utf-8"
            )
        return
    attempt = trying(cases, shares, score)
    tables = [ablation(attempt, shares)] if asked.weights else []
    tables += [search(attempt, asked.search, shares)] if asked.search else []
    for table in tables:
        for one in table:
            progress("")
            print(one, flush=True)
        print()


def misses(found: Iterable[Fitted]) -> Iterator[Json]:
    """Yield the facts that each case misses, and how far each is over its budget."""
    for one in found:
        if one.missed or one.over:
            names = {"id": one.case, "method": one.method, "share": one.share}
            yield {**names, "budget": one.budget, "tokens": one.tokens, "missed": one.missed}


if __name__ == "__main__":
    main()
