"""`python -m benchmarks.calibrate_tokens`: fit the token estimate to exact counts of o200k.

Prints the relative error of a five-fold cross-validation (median and 95th percentile, in percent)
for each set of texts and for short pieces of them, and writes
`headroom_core/tokens/token_weights.json`.
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

# Bytes from which UTF-8's continuation bytes and the first bytes of scripts divide into classes.
_BOUNDARIES = (
    *(0x80, 0xA0, 0xC0, 0xC4, 0xCE, 0xD4),
    *(0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xEA, 0xF0, 0x100),
)

CLASSES = [
    b"aeiou",
    b"bcdfghjklmnpqrstvwxyz",
    string.ascii_uppercase.encode(),
    string.digits.encode(),
    b" ",
    b"\n\r\t",
    b"\"'`",
    b",:;",
    b"()[]{}<>",
    *(bytes(range(first, last)) for first, last in pairwise(_BOUNDARIES)),
]
"""The bytes of each class. One more class, behind the last, has all other bytes."""

LENGTHS = (20_000, 1_500, 200, 60)
"""Characters of a piece: the weights must suit long texts and short ones."""

_MIN_CHARACTERS = 40
"""Shortest piece that is fitted: a token more or less weighs too much in shorter ones."""


class Sample(NamedTuple):
    """A text with its exact number of tokens.

    Attributes:
        group: The name of the set that the text comes from, and the length of the piece.
        text: The text.
        tokens: The number of tokens.
    """

    group: str
    text: str
    tokens: int


def corpus_texts(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yield the set and the texts of every case: its content, its documents, or each message."""
    for path in sorted(corpus.glob("*/dev.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for case in map(json.loads, lines):
                yield from ((path.parent.name, text) for text in _case_texts(case))


def _case_texts(case: dict[str, Any]) -> list[str]:
    if "messages" in case:
        return [
            message["content"]
            for message in case["messages"]
            if isinstance(message.get("content"), str)
        ]
    if "documents" in case:
        return ["\n\n".join(document["text"] for document in case["documents"])]
    return [case["content"]]


def generate_texts() -> Iterator[tuple[str, str]]:
    """Yield texts that are rare in the corpus: other languages, and texts from machines."""
    paragraphs = (HERE / "languages.txt").read_text("utf-8").split("\n\n")
    for paragraph in paragraphs:
        for _ in range(6):
            yield "languages", paragraph.strip() + "\n"
    draw = random.Random(0)
    for _ in range(12):
        lines = draw.choice(paragraphs).split() + [
            str(uuid.UUID(int=draw.getrandbits(128))) for _ in range(40)
        ]
        yield "generated", base64.b64encode(draw.randbytes(draw.randrange(100, 3000))).decode()
        yield "generated", draw.randbytes(draw.randrange(100, 2000)).hex()
        yield "generated", "\n".join(lines)
        yield (
            "generated",
            "".join(" " * draw.randrange(60) + draw.choice("abcxyz{}") + "\n" for _ in range(60)),
        )
        yield (
            "generated",
            "".join(
                "\n" * draw.randrange(1, 6) + "\t" * draw.randrange(5) + "end" for _ in range(60)
            ),
        )
        yield (
            "generated",
            ",".join(str(draw.randrange(10 ** draw.randrange(1, 18))) for _ in range(200)),
        )
        yield (
            "generated",
            "\n".join(draw.choice("=-*#~_") * draw.randrange(4, 90) for _ in range(40)),
        )
        yield "generated", json.dumps({"text": draw.choice(paragraphs)})
        yield "languages", json.dumps(draw.sample(paragraphs, 3), ensure_ascii=False)


def draw_samples(texts: Iterable[tuple[str, str]], max_pieces: int = 150) -> list[Sample]:
    """Return different pieces of the texts, with their exact counts.

    Args:
        texts: The set and the text of each case.
        max_pieces: Maximum number of pieces for each set and length.
    """
    vocabulary = load_vocabulary("o200k_base")
    if vocabulary is None:
        raise SystemExit(
            "the vocabulary o200k_base is not on this machine: install llama-index-core, "
            "which ships it"
        )
    groups: dict[tuple[str, int], dict[str, None]] = {}
    draw = random.Random(0)
    for group, text in texts:
        for length in LENGTHS:
            start = draw.randrange(max(1, len(text) - length)) if length < LENGTHS[0] else 0
            piece = text[start : start + length]
            if len(piece) >= _MIN_CHARACTERS:
                groups.setdefault((group, length), {})[piece] = None
    samples = []
    for (group, length), pieces in groups.items():
        for piece in draw.sample(list(pieces), min(max_pieces, len(pieces))):
            tokens = len(vocabulary.encode_ordinary(piece))
            samples.append(Sample(f"{group} {length}", piece, tokens))
    return samples


def byte_classes() -> NDArray[np.intp]:
    """Return the class of each byte."""
    classes = np.full(256, len(CLASSES), np.intp)
    for number, members in enumerate(CLASSES):
        classes[list(members)] = number
    return classes


def fit(counts: NDArray[Any], tokens: NDArray[Any], rounds: int = 150) -> NDArray[Any]:
    """Return the weights with the least sum of squared relative errors.

    Each lies between 0 and 1, as no byte begins more than one token. The method is coordinate
    descent on the normal equations.
    """
    scaled = counts / tokens[:, None]
    gram = scaled.T @ scaled
    # A ridge so small that it only stops pairs which no text tells apart from drifting.
    gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram) / len(gram)
    target = scaled.sum(axis=0)
    weights = np.zeros(len(target))
    for _ in range(rounds):
        for index in np.flatnonzero(target):
            step = (target[index] - gram[index] @ weights) / gram[index, index]
            weights[index] = min(1.0, max(0.0, weights[index] + step))
    return weights


def cross_validate(counts: NDArray[Any], tokens: NDArray[Any], folds: int = 5) -> NDArray[Any]:
    """Return the relative error of each sample, by weights that were fitted without its fold."""
    fold_of = np.random.default_rng(0).integers(0, folds, len(tokens))
    errors = np.empty(len(tokens))
    for fold in range(folds):
        held_out = fold_of == fold
        weights = fit(counts[~held_out], tokens[~held_out])
        errors[held_out] = np.abs(counts[held_out] @ weights / tokens[held_out] - 1)
    return errors


def print_report(groups: list[str], errors: NDArray[Any]) -> None:
    """Print median and 95th percentile of the errors for each group."""
    names = np.array(groups)
    for name in sorted(set(groups), key=lambda name: (-int(name.split()[1]), name)):
        _print_row(name, errors[names == name])
    for length in LENGTHS:
        has_length = [name.endswith(f" {length}") for name in groups]
        _print_row(f"ALL {length}", errors[has_length])


def _print_row(name: str, errors: NDArray[Any]) -> None:
    median, high = np.percentile(100 * errors, [50, 95])
    print(f"{name:<22}{len(errors):>6}{median:>8.1f}{high:>8.1f}")


def main() -> None:
    """Fit the weights, print their errors, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--corpus", type=Path, default=CORPUS, help="default: HEADROOM_CORPUS, if it exists"
    )
    parser.add_argument("--dry-run", action="store_true", help="report, and write nothing")
    arguments = parser.parse_args()
    samples = draw_samples([*corpus_texts(arguments.corpus), *generate_texts()])
    classes = byte_classes()
    counts = np.array([count_byte_pairs(sample.text, classes) for sample in samples], float)
    tokens = np.array([sample.tokens for sample in samples], float)
    print_report([sample.group for sample in samples], cross_validate(counts, tokens))
    if not arguments.dry_run:
        weights = fit(counts, tokens).reshape(len(CLASSES) + 1, -1).round(4)
        rows = ",\n    ".join(json.dumps(row) for row in weights.tolist())
        WEIGHTS.write_text(
            f'{{\n  "classes": {classes.tolist()},\n  "weights": [\n    {rows}\n  ]\n}}\n', "utf-8"
        )


if __name__ == "__main__":
    main()
