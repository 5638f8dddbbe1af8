"""`python -m benchmarks.corpus`: what is saved, and which facts are kept, on real tool outputs with known facts."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.__main__ import MODES, progress
from benchmarks.data import exchange
from benchmarks.measure import CORPUS, vocabulary
from headroom_core import compress, compress_documents
from headroom_core.config import CCRConfig, HeadroomConfig
from headroom_core.stores import MemoryStore

NEUTRAL = "Here is the tool's output."
WORST = 5


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one case.

    Attributes:
        case: its id.
        set: the set that it belongs to.
        before: tokens that came in.
        after: tokens that went out.
        facts: the weight of its facts.
        missed: the facts that are not in the result.
        seconds: time to compress.
        floor: time to encode the input once.
    """

    case: str
    set: str
    before: int
    after: int
    facts: float
    missed: tuple[dict[str, Any], ...]
    seconds: float
    floor: float

    @property
    def kept(self) -> float:
        """The weight of the facts that are in the result."""
        return self.facts - weight(self.missed)


def weight(facts: Iterable[dict[str, Any]]) -> float:
    """Return what the facts weigh together."""
    return float(sum(fact.get("weight", 1) for fact in facts))


def load_scoring_module(folder: Path) -> Any:
    """Return the corpus' own module of scoring functions."""
    os.environ.update(vocabulary())
    path = folder / "score.py"
    if not path.exists():
        raise SystemExit(
            f"there is no corpus at {folder}: name its folder, which holds score.py, with --corpus or HEADROOM_CORPUS"
        )
    spec = importlib.util.spec_from_file_location("corpus_score", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shortened(case: dict[str, Any], config: HeadroomConfig, score: Any) -> str:
    """Return the text that a model would be sent for a case."""
    store, query = MemoryStore(), case.get("query")
    if case["kind"] == "messages":
        return str(
            score.render_messages(compress(case["messages"], store=store, config=config).messages)
        )
    if case["kind"] == "documents":
        texts = [document["text"] for document in case["documents"]]
        titles = [(document.get("metadata") or {}).get("title") for document in case["documents"]]
        result = compress_documents(texts, query, store=store, config=config, titles=titles)
        documents = zip(case["documents"], result.texts, strict=True)
        return str(
            score.render_documents(
                [{**document, "text": text} for document, text in documents if text]
            )
        )
    messages = exchange(case["content"], question=query or NEUTRAL)
    return str(compress(messages, store=store, config=config).messages[-1]["content"])


def assess(case: dict[str, Any], config: HeadroomConfig, score: Any) -> Score:
    """Return the score of one case."""
    start = time.perf_counter()
    before = score.ntok(score.case_text(case))
    encoded = time.perf_counter()
    text = shortened(case, config, score)
    done = time.perf_counter()
    found, facts = score.Text(text), case["must_keep"]
    missed = tuple(fact for fact in facts if not score.fact_kept(fact, found))
    after = score.ntok(text)
    return Score(
        case["id"],
        case["set"],
        before,
        after,
        weight(facts),
        missed,
        done - encoded,
        encoded - start,
    )


def row(name: str, scores: Sequence[Score]) -> str:
    """Return one line of the table."""
    before, after = sum(score.before for score in scores), sum(score.after for score in scores)
    kept = sum(score.kept for score in scores) / sum(score.facts for score in scores)
    whole = sum(not score.missed for score in scores) / len(scores)
    cost = sum(score.seconds for score in scores) / sum(score.floor for score in scores)
    shares = "".join(f"{share:>9.1%}" for share in (1 - after / before, kept, whole))
    return f"{name:<14}{len(scores):>6}{before:>11,}{after:>11,}{shares}{cost:>8.1f} x"


def report(scores: Sequence[Score]) -> str:
    """Return the table of the sets, and the cases that cost most tokens."""
    head = f"{'set':<14}{'cases':>6}{'before':>11}{'after':>11}{'saved':>9}{'facts':>9}{'whole':>9}{'floor':>10}"
    names = sorted({score.set for score in scores})
    lines = [row(name, [score for score in scores if score.set == name]) for name in names]
    worst = sorted(scores, key=lambda score: -score.after)[:WORST]
    tail = [
        f"  {score.case:<32}{score.before:>9,} -> {score.after:>8,}  {len(score.missed)} missed"
        for score in worst
    ]
    return "\n".join(
        [
            head,
            *lines,
            *([row("all", scores)] if len(names) > 1 else []),
            "most tokens left:",
            *tail,
        ]
    )


def misses(mode: str, scores: Sequence[Score]) -> list[str]:
    """Return, as JSON, the facts that each case misses."""
    return [
        json.dumps({"mode": mode, "id": score.case, "missed": score.missed})
        for score in scores
        if score.missed
    ]


def add_files(parser: argparse.ArgumentParser) -> None:
    """Let the command line say where the corpus is, and where to write what is missed."""
    where = "the corpus; HEADROOM_CORPUS, else ../shared/corpus unless given"
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="FOLDER", help=where)
    parser.add_argument(
        "--misses", type=Path, metavar="FILE", help="write the facts missed there, a case a line"
    )


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser("python -m benchmarks.corpus", description=__doc__)
    parser.add_argument("--sets", default="json_api,tables_csv", help="names with commas, or `all`")
    parser.add_argument("--lossless", action="store_true", help="only the lossless mode")
    parser.add_argument("--selecting", action="store_true", help="only the mode with retrieval on")
    add_files(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the cases in each mode, and print a table for each."""
    asked = options(arguments)
    score = load_scoring_module(asked.corpus)
    sets = None if asked.sets == "all" else asked.sets.split(",")
    cases = [case for _, case in score.load(sets, ("dev",), str(asked.corpus))]
    if not cases:
        raise SystemExit(f"no cases of {asked.sets} in {asked.corpus}")
    chosen = [mode for mode in MODES if getattr(asked, mode)] or list(MODES)
    missed: list[str] = []
    for mode in chosen:
        config = HeadroomConfig(ccr=CCRConfig(enabled=mode == "selecting"))
        scores = []
        for number, case in enumerate(cases, 1):
            if number % 50 == 0:
                progress(f"{mode}: {number} of {len(cases)}")
            scores.append(assess(case, config, score))
        progress("")
        missed += misses(mode, scores)
        print(f"\n{MODES[mode]}\n{report(scores)}", flush=True)
    if asked.misses:
        asked.misses.write_text("".join(f"{line}\n" for line in missed), encoding="utf-8")


if __name__ == "__main__":
    main()
