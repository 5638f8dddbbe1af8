"""`python -m benchmarks.calibrate_tokens`: fit the token estimate's weights to exact o200k counts.

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
from collections.abc import Iterable, Iterator, Sequence
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

# Beyond ASCII, the classes are ranges of the bytes of UTF-8: continuation bytes, and first bytes of
# groups of scripts.
_CONTINUATION_BOUNDS = (0x80, 0xA0, 0xC0, 0xC4, 0xCE, 0xD4, 0xE0)
_FIRST_BYTE_BOUNDS = (0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xEA, 0xF0, 0x100)

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
    *(bytes(range(start, end)) for start, end in pairwise(_CONTINUATION_BOUNDS)),
    *(bytes(range(start, end)) for start, end in pairwise(_FIRST_BYTE_BOUNDS)),
]
"""The bytes of each class. A further class after the last contains all other bytes."""

LENGTHS = (20_000, 1_500, 200, 60)
"""Lengths of the pieces in characters: the weights must suit both long and short texts."""

_MIN_LENGTH = 40
_MAX_SAMPLES_PER_GROUP = 150
_FOLDS = 5
_ROUNDS = 150
_RIDGE = 1e-6
"""Weight of the ridge penalty, relative to the mean diagonal element."""


class Sample(NamedTuple):
    """A text, the group that it belongs to, and its exact number of tokens."""

    group: str
    text: str
    tokens: int


def corpus_texts(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yield the set and the text of each case: its content, all documents, or each message."""
    for path in sorted(corpus.glob("*/dev.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for case in map(json.loads, lines):
                for text in _case_texts(case):
                    yield path.parent.name, text


def _case_texts(case: dict[str, Any]) -> list[str]:
    if "kind" not in case:
        return []  # A set of another format.
    if case["kind"] == "messages":
        contents = [message.get("content") for message in case["messages"]]
        return [content for content in contents if isinstance(content, str)]
    if case["kind"] == "documents":
        return ["\n\n".join(document["text"] for document in case["documents"])]
    return [case["content"]]


def generated_texts() -> Iterator[tuple[str, str]]:
    """Yield texts of which the corpus has few: in other languages, and random texts."""
    paragraphs = (HERE / "languages.txt").read_text("utf-8").split("\n\n")
    for paragraph in paragraphs:
        for _ in range(6):
            yield "languages", paragraph.strip() + "\n"
    draw = random.Random(0)
    for _ in range(12):
        words_and_ids = draw.choice(paragraphs).split()
        words_and_ids += [str(uuid.UUID(int=draw.getrandbits(128))) for _ in range(40)]
        yield "made", base64.b64encode(draw.randbytes(draw.randrange(100, 3000))).decode()
        yield "made", draw.randbytes(draw.randrange(100, 2000)).hex()
        yield "made", "\n".join(words_and_ids)
        yield "made", "".join(_make_indented_line(draw) for _ in range(60))
        yield "made", "".join(_make_block_end(draw) for _ in range(60))
        yield "made", ",".join(str(draw.randrange(10 ** draw.randrange(1, 18))) for _ in range(200))
        yield "made", "\n".join(draw.choice("=-*#~_") * draw.randrange(4, 90) for _ in range(40))
        yield "made", json.dumps({"text": draw.choice(paragraphs)})
        yield "languages", json.dumps(draw.sample(paragraphs, 3), ensure_ascii=False)


def _make_indented_line(draw: random.Random) -> str:
    return " " * draw.randrange(60) + draw.choice("abcxyz{}") + "\n"


def _make_block_end(draw: random.Random) -> str:
    return "\n" * draw.randrange(1, 6) + "\t" * draw.randrange(5) + "end"


def make_samples(texts: Iterable[tuple[str, str]]) -> list[Sample]:
    """Return different pieces of the texts with exact counts, some for each set and length."""
    vocabulary = load_vocabulary("o200k_base")
    if vocabulary is None:
        raise SystemExit(
            "the vocabulary o200k_base is not installed: install llama-index-core, which ships it"
        )
    # A dict for each set and length: it removes duplicates, and keeps the order.
    pieces_by_group: dict[tuple[str, int], dict[str, None]] = {}
    draw = random.Random(0)
    for name, text in texts:
        for length in LENGTHS:
            start = 0
            if length < LENGTHS[0]:
                start = draw.randrange(max(1, len(text) - length))
            piece = text[start : start + length]
            if len(piece) >= _MIN_LENGTH:
                pieces_by_group.setdefault((name, length), {})[piece] = None
    samples = []
    for (name, length), pieces in pieces_by_group.items():
        for piece in draw.sample(list(pieces), min(_MAX_SAMPLES_PER_GROUP, len(pieces))):
            tokens = len(vocabulary.encode_ordinary(piece))
            samples.append(Sample(f"{name} {length}", piece, tokens))
    return samples


def class_of_bytes() -> NDArray[np.intp]:
    """Return the class of each byte."""
    classes = np.full(256, len(CLASSES), np.intp)
    for number, members in enumerate(CLASSES):
        classes[list(members)] = number
    return classes


def fit(counts: NDArray[Any], tokens: NDArray[Any]) -> NDArray[Any]:
    """Return the weights with the least sum of squared relative errors.

    Each weight is between 0 and 1, as no byte begins more than one token. This is coordinate
    descent on the normal equations, with a ridge that is just large enough to keep pairs from
    drifting that no text distinguishes.
    """
    scaled = counts / tokens[:, None]
    gram = scaled.T @ scaled
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
    target = scaled.sum(axis=0)
    weights = np.zeros(len(target))
    for _ in range(_ROUNDS):
        for index in np.flatnonzero(target):
            step = (target[index] - gram[index] @ weights) / gram[index, index]
            weights[index] = min(1.0, max(0.0, weights[index] + step))
    return weights


def cross_validate(counts: NDArray[Any], tokens: NDArray[Any]) -> NDArray[Any]:
    """Return the relative error of each sample by weights that were fitted without its fold."""
    fold = np.random.default_rng(0).integers(0, _FOLDS, len(tokens))
    errors = np.empty(len(tokens))
    for number in range(_FOLDS):
        test = fold == number
        weights = fit(counts[~test], tokens[~test])
        errors[test] = np.abs(counts[test] @ weights / tokens[test] - 1)
    return errors


def print_report(groups: Sequence[str], errors: NDArray[Any]) -> None:
    """Print the median and the 95th percentile of the errors of each group and length."""
    names = np.array(groups)
    for name in sorted(set(groups), key=lambda name: (-int(name.split()[1]), name)):
        _print_errors(name, errors[names == name])
    for length in LENGTHS:
        has_length = [name.endswith(f" {length}") for name in groups]
        _print_errors(f"ALL {length}", errors[has_length])


def _print_errors(name: str, errors: NDArray[Any]) -> None:
    median, high = np.percentile(100 * errors, [50, 95])
    print(f"{name:<22}{len(errors):>6}{median:>8.1f}{high:>8.1f}")


def write_weights(classes: NDArray[np.intp], weights: NDArray[Any]) -> None:
    """Write the classes of bytes and the weights of their pairs."""
    matrix = weights.reshape(len(CLASSES) + 1, -1).round(4)
    rows = ",\n    ".join(json.dumps(row) for row in matrix.tolist())
    WEIGHTS.write_text(
        f'{{\n  "classes": {classes.tolist()},\n  "weights": [\n    {rows}\n  ]\n}}\n', "utf-8"
    )


def main() -> None:
    """Fit the weights, print their errors, and write them."""
    parser = argparse.ArgumentParser("python -m benchmarks.calibrate_tokens", description=__doc__)
    parser.add_argument(
        "--corpus",
        type=Path,
        default=CORPUS,
        help="folder of the corpus; defaults to HEADROOM_CORPUS, and is skipped if it is missing",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the errors, write nothing")
    options = parser.parse_args()
    samples = make_samples([*corpus_texts(options.corpus), *generated_texts()])
    classes = class_of_bytes()
    counts = np.array([count_byte_pairs(sample.text, classes) for sample in samples], float)
    tokens = np.array([sample.tokens for sample in samples], float)
    print_report([sample.group for sample in samples], cross_validate(counts, tokens))
    if not options.dry_run:
        write_weights(classes, fit(counts, tokens))


if __name__ == "__main__":
    main()
