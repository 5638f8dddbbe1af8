"""`python -m benchmarks.corpus`: savings and kept facts on real tool outputs with known facts."""

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
from benchmarks.measure import CORPUS, vocabulary_environment
from headroom_core import compress, compress_documents
from headroom_core.config import CCRConfig, HeadroomConfig
from headroom_core.stores import MemoryStore

Case = dict[str, Any]
Fact = dict[str, Any]

NEUTRAL_QUESTION = "Here is the tool's output."
"""Question for cases that have none."""

LARGEST_COUNT = 5
"""Number of cases listed for the number of their tokens."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a case.

    Attributes:
        case: Id of the case.
        set: Name of the set that it belongs to.
        before: Number of tokens before compression.
        after: Number of tokens after compression.
        facts: Total weight of its facts.
        missed: The facts that are not in the result.
        seconds: Time to compress.
        floor: Time to encode the input once.
    """

    case: str
    set: str
    before: int
    after: int
    facts: float
    missed: tuple[Fact, ...]
    seconds: float
    floor: float

    @property
    def kept(self) -> float:
        """Total weight of the facts that are in the result."""
        return self.facts - total_weight(self.missed)


def total_weight(facts: Iterable[Fact]) -> float:
    """Return the total weight of facts."""
    return float(sum(fact.get("weight", 1) for fact in facts))


def find_missed(case: Case, text: str, scoring: Any) -> tuple[Fact, ...]:
    """Return the facts of a case that a text does not contain."""
    searchable = scoring.Text(text)
    return tuple(fact for fact in case["must_keep"] if not scoring.fact_kept(fact, searchable))


def load_scoring_module(folder: Path) -> Any:
    """Import the corpus's own module of scoring functions."""
    os.environ.update(vocabulary_environment())
    path = folder / "score.py"
    if not path.exists():
        raise SystemExit(
            f"there is no corpus at {folder}: "
            "pass the folder that contains score.py with --corpus or HEADROOM_CORPUS"
        )
    spec = importlib.util.spec_from_file_location("corpus_score", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_cases(scoring: Any, sets: Iterable[str] | None, folder: Path) -> list[Case]:
    """Load the development cases of sets; None stands for all sets."""
    return [case for _, case in scoring.load(sets, ("dev",), str(folder))]


def compress_case(case: Case, config: HeadroomConfig, scoring: Any) -> str:
    """Compress a case, and return the text that a model would be sent."""
    store = MemoryStore()
    query = case.get("query")
    if case["kind"] == "messages":
        messages = compress(case["messages"], store=store, config=config).messages
        return str(scoring.render_messages(messages))
    if case["kind"] == "documents":
        documents = case["documents"]
        texts = [document["text"] for document in documents]
        titles = [(document.get("metadata") or {}).get("title") for document in documents]
        result = compress_documents(texts, query, store=store, config=config, titles=titles)
        compressed = [
            {**document, "text": text}
            for document, text in zip(documents, result.texts, strict=True)
            if text
        ]
        return str(scoring.render_documents(compressed))
    messages = exchange(case["content"], question=query or NEUTRAL_QUESTION)
    call = (case.get("meta") or {}).get("call")
    if call:
        function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
        messages[1]["tool_calls"][0]["function"] = function
    return str(compress(messages, store=store, config=config).messages[-1]["content"])


def score_case(case: Case, config: HeadroomConfig, scoring: Any) -> Score:
    """Compress a case and score the result."""
    start = time.perf_counter()
    before = scoring.ntok(scoring.case_text(case))
    encoded = time.perf_counter()
    text = compress_case(case, config, scoring)
    end = time.perf_counter()
    return Score(
        case=case["id"],
        set=case["set"],
        before=before,
        after=scoring.ntok(text),
        facts=total_weight(case["must_keep"]),
        missed=find_missed(case, text, scoring),
        seconds=end - encoded,
        floor=encoded - start,
    )


def format_row(name: str, scores: Sequence[Score]) -> str:
    """Format a row of the table."""
    before = sum(score.before for score in scores)
    after = sum(score.after for score in scores)
    saved = 1 - after / before
    kept = sum(score.kept for score in scores) / sum(score.facts for score in scores)
    complete = sum(1 for score in scores if not score.missed) / len(scores)
    cost = sum(score.seconds for score in scores) / sum(score.floor for score in scores)
    shares = f"{saved:>9.1%}{kept:>9.1%}{complete:>9.1%}"
    return f"{name:<14}{len(scores):>6}{before:>11,}{after:>11,}{shares}{cost:>8.1f} x"


def format_report(scores: Sequence[Score]) -> str:
    """Format the table of the sets, and the cases with the most tokens."""
    header = (
        f"{'set':<14}{'cases':>6}{'before':>11}{'after':>11}"
        f"{'saved':>9}{'facts':>9}{'whole':>9}{'floor':>10}"
    )
    names = sorted({score.set for score in scores})
    lines = [header]
    for name in names:
        lines.append(format_row(name, [score for score in scores if score.set == name]))
    if len(names) > 1:
        lines.append(format_row("all", scores))
    lines.append("most tokens left:")
    for score in sorted(scores, key=lambda score: -score.after)[:LARGEST_COUNT]:
        tokens = f"{score.before:>9,} -> {score.after:>8,}"
        lines.append(f"  {score.case:<32}{tokens}  {len(score.missed)} missed")
    return "\n".join(lines)


def list_misses(mode: str, scores: Sequence[Score]) -> list[Case]:
    """Return a record of each case that misses facts."""
    return [
        {"mode": mode, "id": score.case, "missed": score.missed} for score in scores if score.missed
    ]


def write_misses(path: Path, records: Iterable[Case]) -> None:
    """Write records as JSON, a line each."""
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the corpus and the file for missed facts."""
    parser.add_argument(
        "--corpus",
        type=Path,
        default=CORPUS,
        metavar="FOLDER",
        help="folder of the corpus; defaults to HEADROOM_CORPUS, else to ../shared/corpus",
    )
    parser.add_argument(
        "--misses", type=Path, metavar="FILE", help="write the missed facts to FILE, a case a line"
    )


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.corpus", description=__doc__)
    parser.add_argument(
        "--sets",
        default="json_api,tables_csv",
        help="names of sets, separated by commas, or `all`; defaults to %(default)s",
    )
    parser.add_argument("--lossless", action="store_true", help="run the lossless mode only")
    parser.add_argument("--selecting", action="store_true", help="run the mode with retrieval only")
    add_file_arguments(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the cases in each mode, and print a table for each."""
    options = parse_arguments(arguments)
    scoring = load_scoring_module(options.corpus)
    sets = None if options.sets == "all" else options.sets.split(",")
    cases = load_cases(scoring, sets, options.corpus)
    if not cases:
        raise SystemExit(f"there are no cases of {options.sets} in {options.corpus}")
    modes = [mode for mode in MODES if getattr(options, mode)] or list(MODES)
    misses: list[Case] = []
    for mode in modes:
        config = HeadroomConfig(ccr=CCRConfig(enabled=mode == "selecting"))
        scores = []
        for number, case in enumerate(cases, 1):
            if number % 50 == 0:
                progress(f"{mode}: {number} of {len(cases)}")
            scores.append(score_case(case, config, scoring))
        progress("")
        misses += list_misses(mode, scores)
        print(f"\n{MODES[mode]}\n{format_report(scores)}", flush=True)
    if options.misses:
        write_misses(options.misses, misses)


if __name__ == "__main__":
    main()
