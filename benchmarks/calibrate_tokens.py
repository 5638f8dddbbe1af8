"""`python -m benchmarks.calibrate_tokens`: fit the weights of the token estimate to exact o200k counts.

Prints the relative error of a five-fold cross-validation (median and 95th percentile, in percent) for each
set of texts and for short pieces of them, and writes `headroom_core/tokens/token_weights.json`.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import random
import string
import uuid
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import CORPUS
from headroom_core.tokens.estimate import count_byte_pairs
from headroom_core.tokens.vocabulary import load_vocabulary

HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "headroom_core" / "tokens" / "token_weights.json"

CLASSES = [
    *(b"aeiou", b"bcdfghjklmnpqrstvwxyz", string.ascii_uppercase.encode(), string.digits.encode()),
    *(b" ", b"\n\r\t", b"\"'`", b",:;", b"()[]{}<>"),
    *(
        bytes(range(first, last))
        for first, last in pairwise((0x80, 0xA0, 0xC0, 0xC4, 0xCE, 0xD4, 0xE0))
    ),
    *(
        bytes(range(first, last))
        for first, last in pairwise((0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xEA, 0xF0, 0x100))
    ),
]
"""The bytes of each class; the class that follows the last holds all others."""

LENGTHS = (20_000, 1_500, 200, 60)
"""The characters of a piece: weights must hold for long texts and for short ones."""


class Sample(NamedTuple):
    """A text, the set that it comes from, and its exact number of tokens."""

    group: str
    text: str
    tokens: int


def corpus_texts(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yield set and text of every case: the whole content, all documents, or each message."""
    for path in sorted(corpus.glob("*/dev.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for case in map(json.loads, lines):
                yield from ((path.parent.name, text) for text in _case_texts(case))


def _case_texts(case: dict[str, Any]) -> list[str]:
    if case["kind"] == "messages":
        return [
            message["content"]
            for message in case["messages"]
            if isinstance(message.get("content"), str)
        ]
    if case["kind"] == "documents":
        return ["\n\n".join(document["text"] for document in case["documents"])]
    return [case["content"]]


def made_texts() -> Iterator[tuple[str, str]]:
    """Yield what the corpus has little of: other languages, and texts that no person wrote."""
    paragraphs = (HERE / "languages.txt").read_text("utf-8").split("\n\n")
    yield from (
        ("languages", paragraph.strip() + "\n") for paragraph in paragraphs for _ in range(6)
    )
    draw = random.Random(0)
    for _ in range(12):
        lines = draw.choice(paragraphs).split() + [
            str(uuid.UUID(int=draw.getrandbits(128))) for _ in range(40)
        ]
        yield "made", base64.b64encode(draw.randbytes(draw.randrange(100, 3000))).decode()
        yield "made", draw.randbytes(draw.randrange(100, 2000)).hex()
        yield "made", "\n".join(lines)
        yield (
            "made",
            "".join(" " * draw.randrange(60) + draw.choice("abcxyz{}") + "\n" for _ in range(60)),
        )
        yield (
            "made",
            "".join(
                "\n" * draw.randrange(1, 6) + "\t" * draw.randrange(5) + "end" for _ in range(60)
            ),
        )
        yield "made", ",".join(str(draw.randrange(10 ** draw.randrange(1, 18))) for _ in range(200))
        yield "made", "\n".join(draw.choice("=-*#~_") * draw.randrange(4, 90) for _ in range(40))
        yield "made", json.dumps({"text": draw.choice(paragraphs)})
        yield "languages", json.dumps(draw.sample(paragraphs, 3), ensure_ascii=False)


def samples(texts: Iterable[tuple[str, str]], most: int = 150) -> list[Sample]:
    """Return different pieces of the texts with their exact counts, at most so many a set and length."""
    vocabulary = load_vocabulary("o200k_base")
    if vocabulary is None:
        raise SystemExit(
            "the vocabulary o200k_base is not on this machine: install llama-index-core, which ships it"
        )
    chosen: dict[tuple[str, int], dict[str, None]] = {}
    draw = random.Random(0)
    for group, text in texts:
        for length in LENGTHS:
            start = draw.randrange(max(1, len(text) - length)) if length < LENGTHS[0] else 0
            if len(piece := text[start : start + length]) >= 40:
                chosen.setdefault((group, length), {})[piece] = None
    return [
        Sample(f"{group} {length}", piece, len(vocabulary.encode_ordinary(piece)))
        for (group, length), pieces in chosen.items()
        for piece in draw.sample(list(pieces), min(most, len(pieces)))
    ]


def byte_classes() -> NDArray[np.intp]:
    """Return the class of each byte."""
    classes = np.full(256, len(CLASSES), np.intp)
    for number, members in enumerate(CLASSES):
        classes[list(members)] = number
    return classes


def fit(counts: NDArray[Any], tokens: NDArray[Any], rounds: int = 150) -> NDArray[Any]:
    """Return the weights with the least sum of squared relative errors.

    Each lies between 0 and 1, as no byte begins more than one token. Coordinate descent on the normal
    equations, with a ridge so small that it only keeps pairs which no text tells apart from drifting.
    """
    scaled = counts / tokens[:, None]
    gram = scaled.T @ scaled
    gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram) / len(gram)
    aim = scaled.sum(axis=0)
    weights = np.zeros(len(aim))
    for _ in range(rounds):
        for at in np.flatnonzero(aim):
            weights[at] = min(
                1.0, max(0.0, weights[at] + (aim[at] - gram[at] @ weights) / gram[at, at])
            )
    return weights


def errors(counts: NDArray[Any], tokens: NDArray[Any], folds: int = 5) -> NDArray[Any]:
    """Return the relative error of each sample by weights that were fitted without its fold."""
    fold = np.random.default_rng(0).integers(0, folds, len(tokens))
    found = np.empty(len(tokens))
    for number in range(folds):
        out = fold == number
        found[out] = np.abs(counts[out] @ fit(counts[~out], tokens[~out]) / tokens[out] - 1)
    return found


def report(groups: list[str], found: NDArray[Any]) -> None:
    """Print median and 95th percentile of the errors for each group."""
    names = np.array(groups)
    for name in sorted(set(groups), key=lambda name: (-int(name.split()[1]), name)):
        median, high = np.percentile(100 * found[names == name], [50, 95])
        print(f"{name:<22}{np.sum(names == name):>6}{median:>8.1f}{high:>8.1f}")
    for length in LENGTHS:
        chosen = found[[name.endswith(f" {length}") for name in groups]]
        median, high = np.percentile(100 * chosen, [50, 95])
        print(f"{f'ALL {length}':<22}{len(chosen):>6}{median:>8.1f}{high:>8.1f}")


def main() -> None:
    """Fit, report and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--corpus", type=Path, default=CORPUS, help="default: HEADROOM_CORPUS; left out when absent"
    )
    parser.add_argument("--dry-run", action="store_true", help="report, and write nothing")
    arguments = parser.parse_args()
    found = samples([*corpus_texts(arguments.corpus), *made_texts()])
    classes = byte_classes()
    counts = np.array([count_byte_pairs(sample.text, classes) for sample in found], float)
    tokens = np.array([sample.tokens for sample in found], float)
    report([sample.group for sample in found], errors(counts, tokens))
    if not arguments.dry_run:
        weights = fit(counts, tokens).reshape(len(CLASSES) + 1, -1).round(4)
        rows = ",\n    ".join(json.dumps(row) for row in weights.tolist())
        WEIGHTS.write_text(
            f'{{\n  "classes": {classes.tolist()},\n  "weights": [\n    {rows}\n  ]\n}}\n', "utf-8"
        )


if __name__ == "__main__":
    main()
