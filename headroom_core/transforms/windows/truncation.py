"""Cutting single texts, where a limit cannot be met by leaving out messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from headroom_core.compressors.excerpt import MIN_EXCERPT_TOKENS
from headroom_core.messages import OUTPUT_KINDS, Block
from headroom_core.transforms.windows.policy import ShortenedBlock, Truncate

_MIN_OUTPUT = 2 * MIN_EXCERPT_TOKENS
_MIN_USER_TEXT = 2000
"""Texts of more tokens may be cut. What a user wrote as a question stays whole."""


class TextTruncation:
    """Cuts the largest texts of a conversation.

    Outputs come first; what users wrote is cut only where that does not suffice. No text is cut
    more than twice: the second time as far as possible.

    Args:
        blocks: Blocks of the conversation.
        truncate: Cuts a block to a number of tokens. None if texts stay whole.
        tokens_of: Returns the tokens of the block at a position, as it is sent so far.
        excess: Returns by how many tokens the conversation exceeds the limit.
        replace: Sends the block at a position in a shorter form.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        truncate: Truncate | None,
        *,
        tokens_of: Callable[[int], int],
        excess: Callable[[], int],
        replace: Callable[[int, ShortenedBlock], None],
    ) -> None:
        self._blocks, self._truncate = blocks, truncate
        self._tokens_of, self._excess, self._replace = tokens_of, excess, replace
        self._cut: set[int] = set()

    def cut(self, positions: Iterable[int], room: int) -> None:
        """Cut texts until the limit is met.

        Args:
            positions: Positions of the blocks that may be cut.
            room: Number of tokens to leave free, so that the next messages do not cut again.
        """
        given = list(positions)
        for kinds, least in ((OUTPUT_KINDS, _MIN_OUTPUT), (("user",), _MIN_USER_TEXT)):
            of_kind = [position for position in given if self._blocks[position].kind in kinds]
            for again in (False, True):
                sizes = {
                    position: size
                    for position in of_kind
                    if (position in self._cut) == again
                    and (size := self._tokens_of(position)) > least
                }
                self._cut_largest(sizes, room, again=again)

    def _cut_largest(self, sizes: dict[int, int], room: int, *, again: bool) -> None:
        excess = self._excess()
        if excess <= 0 or not sizes or self._truncate is None:
            return
        cap = MIN_EXCERPT_TOKENS if again else _common_cap(sizes.values(), excess + room)
        for position in sorted(sizes, key=lambda position: (-sizes[position], position)):
            if sizes[position] <= cap or self._excess() + room <= 0:
                break
            shortened = self._truncate(self._blocks[position], cap)
            if shortened is not None:
                self._cut.add(position)
                self._replace(position, shortened)


def _common_cap(sizes: Iterable[int], excess: int) -> int:
    """Return the number of tokens to which to cut all larger texts, to save a number of tokens."""
    largest_first = sorted(sizes, reverse=True)
    total = 0
    for count, size in enumerate(largest_first, 1):
        total += size
        following = largest_first[count] if count < len(largest_first) else 0
        cap = (total - excess) // count
        if cap >= following:
            return max(cap, MIN_EXCERPT_TOKENS)
    return MIN_EXCERPT_TOKENS
