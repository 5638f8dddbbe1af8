"""Plans a cut: which of the candidates to drop to make a conversation fit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.windows.gap import (
    MAX_FURTHER_KEY_TOKENS,
    MAX_MARKER_TOKENS,
    DroppedMessages,
)
from headroom_core.transforms.windows.knapsack import take_in_order, take_least_loss
from headroom_core.transforms.windows.policy import Candidate


class CutPlanner:
    """Selects candidates for dropping. Candidates are referred to by their positions.

    Args:
        candidates: The candidates, in the order in which to drop them.
        kept_tokens: Number of tokens that are sent before the cut, without a marker.
        archive: The messages that were dropped by earlier cuts.
        tokenizer: Counts the marker's tokens.
        limit: Maximum size of the result, if it can be reached.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        kept_tokens: int,
        archive: DroppedMessages,
        tokenizer: Tokenizer,
        limit: int,
    ) -> None:
        self._candidates = candidates
        self._weights = [sum(unit.tokens for unit in candidate.units) for candidate in candidates]
        self._kept_tokens = kept_tokens
        self._archive = archive
        self._tokenizer = tokenizer
        self._limit = limit
        self._tokens_before = kept_tokens + archive.count_marker_tokens(tokenizer)
        # The marker's text is only known after the selection, so its maximum is assumed.
        marker_growth = MAX_FURTHER_KEY_TOKENS if archive.parts else MAX_MARKER_TOKENS
        self._tokens_with_new_key = self._tokens_before + marker_growth

    @property
    def protected_tokens(self) -> int:
        """Maximum number of tokens that are sent if all candidates are dropped."""
        return self._tokens_with_new_key - sum(self._weights)

    @property
    def fewest_tokens(self) -> int:
        """Maximum number of tokens that are sent without all candidates, for the marker's text."""
        everything = range(len(self._candidates))
        return self._tokens_without(self._messages_of(everything), sum(self._weights))

    def plan(self, target: int) -> dict[int, str]:
        """Return the messages to drop to reach a target, with the reason for each.

        The result is empty if the marker would cost more than the dropped messages.

        Args:
            target: Maximum number of tokens to send.
        """
        selected = self._select(self._tokens_with_new_key - target)
        if any(candidate.loss_per_token is not None for candidate in self._candidates):
            selected = self._put_back_what_fits(selected, target)
        weight = sum(self._weights_of(selected))
        if self._tokens_without(self._messages_of(selected), weight) >= self._tokens_before:
            return {}
        return {
            message: self._candidates[position].reason
            for position in selected
            for unit in self._candidates[position].units
            for message in unit.messages
        }

    def _select(self, excess: int) -> list[int]:
        """Return candidates with at least the excess tokens, or all candidates.

        Those with a known loss come first, at a small total loss, then the others in order.
        """
        weighted: list[int] = []
        losses: list[float] = []
        ordered: list[int] = []
        for position, candidate in enumerate(self._candidates):
            if candidate.loss_per_token is None:
                ordered.append(position)
            else:
                weighted.append(position)
                losses.append(self._weights[position] * candidate.loss_per_token)
        taken = take_least_loss(self._weights_of(weighted), losses, excess)
        selected = [weighted[index] for index in taken]
        excess -= sum(self._weights_of(selected))
        taken = take_in_order(self._weights_of(ordered), excess)
        return selected + [ordered[index] for index in taken]

    def _put_back_what_fits(self, selected: Sequence[int], target: int) -> list[int]:
        """Return the selection without the candidates that fit after all, tried from the last.

        A heavy candidate that was selected late may make room for those before it.
        """
        left_in: set[int] = set()
        messages = self._messages_of(selected)
        weight = sum(self._weights_of(selected))
        tokens = self._tokens_without(messages, weight)
        for position in reversed(selected):
            # A lower bound first: to count the marker again takes much longer.
            if tokens + self._weights[position] > target:
                continue
            candidate_messages = self._messages_of([position])
            _remove(candidate_messages, messages)
            fewer_tokens = self._tokens_without(messages, weight - self._weights[position])
            if fewer_tokens <= target:
                left_in.add(position)
                weight -= self._weights[position]
                tokens = fewer_tokens
            else:
                messages = sorted([*messages, *candidate_messages])
        return [position for position in selected if position not in left_in]

    def _tokens_without(self, messages: Sequence[int], weight: int) -> int:
        """Return the maximum number of tokens that are sent without messages, given in order."""
        if not messages:
            return self._tokens_before
        kept_tokens = self._kept_tokens - weight
        room = self._limit - kept_tokens
        return kept_tokens + self._archive.marker_tokens_with(
            messages, weight, room, self._tokenizer
        )

    def _messages_of(self, positions: Iterable[int]) -> list[int]:
        units = (unit for position in positions for unit in self._candidates[position].units)
        return sorted(message for unit in units for message in unit.messages)

    def _weights_of(self, positions: Sequence[int]) -> list[int]:
        return [self._weights[position] for position in positions]


def _remove(some: Sequence[int], messages: list[int]) -> None:
    """Remove some of the messages, which are in order."""
    for message in some:
        del messages[bisect_left(messages, message)]
