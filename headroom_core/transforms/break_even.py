"""When leaving out pays: what it saves, against the risk that it is fetched back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headroom_core.config import CCRConfig

# Prices of input tokens, in multiples of the list price: a text is written to the prompt cache
# once, and read from it by each later request.
_WRITE_PRICE = 1.25
_READ_PRICE = 0.1

# A retrieval is one more request, which reads the context again and writes a call, whose tokens
# cost five times as much as those of the input.
_CONTEXT_TOKENS = 40_000
_CALL_TOKENS = 100
_OUTPUT_PRICE = 5
_RETRIEVAL_COST = _READ_PRICE * _CONTEXT_TOKENS + _OUTPUT_PRICE * _CALL_TOKENS


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The number of tokens that leaving out must save.

    A text that is S tokens shorter saves S (w + (n - 1) r) over n requests: w = 1.25 is the price
    of writing to the prompt cache, r = 0.1 that of reading. With probability p, what was left out
    is fetched: then it is carried after all, and one more request reads the context of C = 40,000
    tokens and writes a call of o = 100 tokens. So leaving out pays if

        S (1 - p) (w + (n - 1) r) > p (r C + 5 o)

    Attributes:
        min_tokens: Minimum number of tokens to save, whatever the risk. With 0, all savings pay.
        requests: Number of requests that will carry the text.

    Example:
        >>> BreakEven(400, 10).required(risk=0.1), BreakEven(400, 10).required(risk=0.2)
        (400, 524)
        >>> BreakEven(400, 1).required(risk=0.2), BreakEven(400, 50).required(risk=0.2)
        (900, 400)
    """

    min_tokens: int
    requests: int

    @classmethod
    def from_config(cls, config: CCRConfig) -> BreakEven:
        """Return the break-even of the settings."""
        return cls(config.min_tokens_saved, config.expected_requests)

    def required(self, risk: float) -> int:
        """Return how many tokens must be saved, given the probability of a retrieval."""
        if not self.min_tokens:
            return 0
        carried = _WRITE_PRICE + (self.requests - 1) * _READ_PRICE
        kept_away = 1 - min(risk, 0.99)
        return max(self.min_tokens, math.ceil(risk * _RETRIEVAL_COST / (kept_away * carried)))
