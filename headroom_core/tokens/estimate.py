"""Token estimates without a vocabulary, from the kinds of neighbouring bytes."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray


_BYTES_PER_TOKEN = 4
"""What a token of any text takes on average, if nothing better is known."""


class EstimateModel(NamedTuple):
    """Weights of the estimate.

    Attributes:
        classes: The class of each of the 256 bytes.
        weights: The tokens that each pair of classes adds.
    """

    classes: NDArray[Any]
    weights: NDArray[Any]


def estimate_tokens(text: str) -> int:
    """Estimate the number of tokens of a text.

    Every pair of neighbouring bytes has a weight by their classes (vowels, digits, first bytes of
    a Chinese character …), fitted to exact counts of o200k. Half of the texts of some thousand
    characters are within 2.5 % of the exact count and 95 in 100 within 11 %; at 200 characters
    within 4 and 15 %, in languages other than English within 8 and 24 %.

    Returns:
        The number of tokens, at least 1 for a text that is not empty.

    Example:
        >>> estimate_tokens("")
        0
        >>> 8 <= estimate_tokens("The quick brown fox jumps over the lazy dog.") <= 12
        True
    """
    if not text:
        return 0
    try:
        classes, weights = _load_model()
    except (OSError, ImportError):
        # A process without a free file descriptor can open neither the weights nor numpy.
        return max(1, len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)
    return max(1, round(float(count_byte_pairs(text, classes) @ weights)))


def count_byte_pairs(text: str, classes: NDArray[Any]) -> NDArray[Any]:
    """Count the pairs of byte classes in a text, as if the text began a line.

    Args:
        text: Any text, even with lone surrogates.
        classes: The class of each of the 256 bytes, numbered from 0.

    Returns:
        For n classes, n * n counts, with that of the pair (a, b) at index a * n + b.
    """
    # Loading numpy takes 0.1 s, and only texts without a vocabulary need it.
    import numpy as np

    text_bytes = np.frombuffer(b"\n" + text.encode("utf-8", "surrogatepass"), np.uint8)
    byte_classes = classes[text_bytes]
    n = int(classes.max()) + 1
    return np.bincount(byte_classes[:-1] * n + byte_classes[1:], minlength=n * n)


@lru_cache(maxsize=1)
def _load_model() -> EstimateModel:
    import numpy as np

    path = resources.files("headroom_core.tokens").joinpath("token_weights.json")
    data = json.loads(path.read_text("utf-8"))
    return EstimateModel(np.array(data["classes"]), np.array(data["weights"]).ravel())
