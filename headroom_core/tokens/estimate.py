"""A token count without a vocabulary: what kind of byte follows what kind, weighed."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EstimateModel(NamedTuple):
    """The estimate's data: the class of each of the 256 bytes, and the tokens that a pair of classes is worth."""

    classes: NDArray[Any]
    weights: NDArray[Any]


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has.

    Every pair of neighbouring bytes has a weight by the classes of the two (vowels, digits, first bytes of a
    Chinese character …), fitted to exact counts of o200k. Half of the texts of some thousand characters come
    out within 2.5 % of the exact count and 95 in 100 within 11 %; at 200 characters within 4 and 15 %, in
    languages other than English within 8 and 24 %.

    Returns:
        The number of tokens; at least 1 for a text that is not empty.

    Example:
        >>> estimate_tokens("")
        0
        >>> 8 <= estimate_tokens("The quick brown fox jumps over the lazy dog.") <= 12
        True
    """
    if not text:
        return 0
    classes, weights = _model()
    return max(1, round(float(count_byte_pairs(text, classes) @ weights)))


def count_byte_pairs(text: str, classes: NDArray[Any]) -> NDArray[Any]:
    """Return how often each pair of classes stands in a text, counted as if it began a line.

    Args:
        text: any text, lone surrogates too.
        classes: the class of each of the 256 bytes, numbered from 0.

    Returns:
        For n classes n * n numbers; the pair (a, b) stands at a * n + b.
    """
    import numpy as np  # 0.1 s to load, and needed only where no vocabulary is at hand

    kinds = classes[np.frombuffer(b"\n" + text.encode("utf-8", "surrogatepass"), np.uint8)]
    n = int(classes.max()) + 1
    return np.bincount(kinds[:-1] * n + kinds[1:], minlength=n * n)


@lru_cache(maxsize=1)
def _model() -> EstimateModel:
    import numpy as np

    data = json.loads(
        resources.files("headroom_core.tokens").joinpath("token_weights.json").read_text("utf-8")
    )
    return EstimateModel(np.array(data["classes"]), np.array(data["weights"]).ravel())
