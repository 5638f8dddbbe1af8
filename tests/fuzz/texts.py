"""Compress random texts in both modes and check that nothing is lost, raised or made longer."""

from __future__ import annotations

import re
import traceback
from collections import Counter

from checks import has_same_values

from fuzz.inputs import Input, make_input
from fuzz.report import Part, Report, Reports, run_processes, seeds
from headroom_core import (
    CCRConfig,
    HeadroomConfig,
    MemoryStore,
    SmartCrusherConfig,
    Tokenizer,
    compress,
    decode_table,
)

PROCESSES = 2
BATCH = 200
_CRUSHER = SmartCrusherConfig(min_tokens_to_crush=0)
LOSSLESS = HeadroomConfig(ccr=CCRConfig(enabled=False), smart_crusher=_CRUSHER)
SELECTING = HeadroomConfig(ccr=CCRConfig(min_tokens_saved=0), smart_crusher=_CRUSHER)
_COUNT = Tokenizer()
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_SPACE = re.compile(r"[\s\b\\]+")
# Python joins strings that stand side by side.
_BREAK = re.compile(r"(['\"])b?\1")


def run(part: Part, seed: int) -> str:
    """Check inputs until the time is up."""
    run_processes(part, _work, [(seed + index, part.seconds) for index in range(PROCESSES)])
    return f"{part.counts['inputs'] / max(part.seconds, 1):.0f} a second"


def _work(reports: Reports, seed: int, seconds: float) -> None:
    part = Part("texts", seconds)
    counts: Counter[str] = Counter(inputs=0, shortened=0, selected=0)
    try:
        for number in seeds(seed, PROCESSES):
            violations = check(make_input(number), counts)
            if counts["inputs"] >= BATCH or violations or part.remaining() < 0:
                reports.put(Report(counts, violations))
                counts = Counter()
            if part.remaining() < 0:
                break
    finally:
        reports.put(None)


def check(made: Input, counts: Counter[str]) -> list[str]:
    """Return the violations of the promises by an input, in both modes."""
    found = []
    counts["inputs"] += 1
    for mode, config in (("lossless", LOSSLESS), ("selecting", SELECTING)):
        try:
            problem = _problem(made, config, counts)
        except Exception:  # noqa: BLE001 - any exception is a violation
            problem = traceback.format_exc()
        if problem:
            found.append(f"{made}, {mode}: {problem}")
    return found


def _problem(made: Input, config: HeadroomConfig, counts: Counter[str]) -> str:
    store = MemoryStore()
    message = {"role": "tool", "tool_call_id": "1", "content": made.text}
    result = compress([message], store=store, config=config)
    short = result.messages[0]["content"]
    if result.warnings:
        return str(result.warnings)
    if short == made.text:
        return ""
    counts["selected" if result.ccr_hashes else "shortened"] += 1
    if _COUNT.count_text(short) > _COUNT.count_text(made.text):
        return "more tokens than before"
    if result.ccr_hashes:
        kept = all(store.get(key) == made.text and key in short for key in result.ccr_hashes)
        return "" if kept else "the original is not in the store, or not named"
    decoded = decode_table(short)
    if decoded == made.text:
        return ""
    if made.document is not None:
        return "" if has_same_values(decoded, made.document) else "other values after decoding"
    return "" if _bare(decoded) == _bare(made.text) else "another text after decoding"


def _bare(text: str) -> str:
    """Return a text without whitespace and escapes, which decoding may change between tokens.

    Where quotes are not paired, no reader can tell strings from the tokens between them.
    """
    characters = _ESCAPE.sub(_unescape, text).encode("utf-16-le", "surrogatepass")
    return _BREAK.sub("", _SPACE.sub("", characters.decode("utf-16-le", "surrogatepass")))


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return "" if match[0] in (r"\n", r"\r", r"\t", r"\f", r"\b") else match[0][1:]
