"""Test passages in Thai, Lao, Khmer and Burmese, whose words are not separated by spaces."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from headroom_core import compress_documents

# A language, a question, its answer and the passage with the answer in each line.
LINES = (Path(__file__).parent / "unspaced.tsv").read_text(encoding="utf-8").splitlines()
CASES = [line.split("\t") for line in LINES]


@pytest.mark.parametrize("language", ["th", "lo", "km", "my"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_answer_is_kept_and_most_of_the_rest_is_dropped(language: str, seed: int) -> None:
    cases = [case[1:] for case in CASES if case[0] == language]
    before = after = 0
    for question, answer, passage in cases:
        others = [other for *_, other in cases if other != passage]
        Random(seed).shuffle(others)
        # Longer texts than one sentence have more syllables in common with the question.
        texts = [f"{first} {second}" for first, second in zip([passage, *others], others)]
        Random(seed).shuffle(texts)
        result = compress_documents(texts, question)
        assert any(answer in text for text in result.texts)
        before, after = before + result.tokens_before, after + result.tokens_after
    assert after < 0.4 * before
