"""What the requests of one exchange cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

from headroom_core import CompressResult, Tokenizer
from headroom_core.adapters import Ledger
from headroom_integrations.langchain.dialect import LangChainDialect


@dataclass(slots=True)
class _Answer:
    """What is known of one answer's tokens.

    Attributes:
        usage: what the provider says.
        counted: the tokens of what was said, for where it says nothing.
    """

    usage: UsageMetadata | None = None
    counted: int = 0


class UsageRecorder:
    """What a request costs.

    Args:
        ledger: where it is booked.
        tokenizer: counts tokens.
        added: the tools that were added to every round.
    """

    def __init__(self, ledger: Ledger, tokenizer: Tokenizer, added: Sequence[Any]) -> None:
        self._began = perf_counter()
        self._ledger = ledger
        self._tokenizer = tokenizer
        self._schema = tokenizer.count_text(json.dumps(added)) if added else 0
        self._first: CompressResult | None = None
        self._before = self._after = 0
        self._answers: list[_Answer] = []
        self._came = False

    def sent(
        self, result: CompressResult, given: list[BaseMessage], restored: list[BaseMessage]
    ) -> None:
        """Add a round: what was sent, for messages that a caller gave, and those with what it never had to send."""
        self._answers.append(_Answer())
        self._after += result.tokens_after + self._schema
        if self._first is None:
            self._first = result
            count, dialect = self._tokenizer.count_messages, LangChainDialect()
            self._before = result.tokens_before + (
                count(given, dialect) - count(restored, dialect)
                if len(given) < len(restored)
                else 0
            )

    def came(self, message: Any) -> None:
        """Add a round's answer, or a piece of it."""
        self._came = True
        answer = self._answers[-1]
        if usage := getattr(message, "usage_metadata", None):
            answer.usage = add_usage(answer.usage, usage)
        elif isinstance(message, AIMessage):
            answer.counted += self._tokenizer.count_text(str(message.text))

    def record(self) -> None:
        """Book what was sent, if anything of an answer came."""
        if self._first is None or not self._came:
            return
        used: list[Any] = [answer.usage for answer in self._answers if answer.usage]
        counted = sum(answer.counted for answer in self._answers if not answer.usage)
        self._ledger.record(
            model=self._tokenizer.model,
            tokens_input_before=self._before,
            tokens_input_after=self._after,
            tokens_output=counted + sum(usage["output_tokens"] for usage in used),
            cached_tokens=sum(
                (usage.get("input_token_details") or {}).get("cache_read") or 0 for usage in used
            ),
            cached_of=sum(usage["input_tokens"] for usage in used) or None,
            transforms_applied=self._first.transforms_applied,
            latency_ms=(perf_counter() - self._began) * 1000,
        )
