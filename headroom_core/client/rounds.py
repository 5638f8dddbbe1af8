"""The rounds of a request in which a model's calls of the retrieve tool are answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from headroom_core._internal.checks import is_int
from headroom_core.errors import ConfigurationError
from headroom_core.markers import RETRIEVE_TOOL
from headroom_core.retrieval.tool import handle_retrieve_call
from headroom_core.stores import Store

# Models read these texts: changing a byte of them changes what is sent.
_LAST_CALL = (
    "\nheadroom_retrieve: this was the last call before your answer; go on with what is here"
)
_NO_MORE = "headroom_retrieve: no more can be asked for before your answer"

# The caller reads this text instead of an answer, and the model reads it in later requests.
_NO_ANSWER = (
    "There is no answer: the model went on asking for more of what was left out than "
    "max_rounds = {} allows."
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's call of a tool, in no framework's or provider's format.

    Attributes:
        id: The call's id, which its answer has to name. None if the model gave none.
        name: The tool's name.
        arguments: The arguments, as a mapping or as JSON text.
    """

    id: str | None
    name: str | None
    arguments: str | Mapping[str, Any] = ""


@dataclass(frozen=True, slots=True)
class RetrieveAnswer:
    """The answer to a call of the retrieve tool.

    Attributes:
        call: The call that is answered.
        text: The text to send to the model.
    """

    call: ToolCall
    text: str


class RoundStep(Enum):
    """The next step after a model's response."""

    SHOW = "show"
    """Show the response to the caller as it is."""

    SHOW_OTHER_CALLS = "show other calls"
    """Show the response without its retrieve calls. These and their answers go into the next
    request of the caller, who first runs the other tools."""

    CONTINUE = "continue"
    """Send another request, with the response and the answers appended."""

    LAST_REQUEST = "last request"
    """Send one more request in which the model may call no tool."""

    GIVE_UP = "give up"
    """Show the decision's text instead of the response, which only asks for more."""


@dataclass(frozen=True, slots=True)
class RoundDecision:
    """The way to handle a model's response.

    Attributes:
        step: The next step.
        answers: The answers to the response's retrieve calls, in the order of the calls.
        text: The text to show instead of a response; empty unless the step is `GIVE_UP`.
    """

    step: RoundStep
    answers: tuple[RetrieveAnswer, ...] = ()
    text: str = ""

    @property
    def continues(self) -> bool:
        """Whether another request has to be sent."""
        return self.step in (RoundStep.CONTINUE, RoundStep.LAST_REQUEST)


class RetrieveRounds:
    """State machine that decides how each response to one request of a caller is handled.

    It sends nothing and knows no message class. The caller sends a request, passes the response's
    tool calls to `decide` and follows the decision, until that no longer continues. Synchronous
    and asynchronous callers use it alike; `decide` reads the store, so asynchronous callers should
    run it in a thread.

    Args:
        max_rounds: Maximum number of rounds in which retrieve calls are answered. One further
            round tells the model that no more can be retrieved.
        store: Store to read originals from. Defaults to the default store.
        is_offered: Whether the model was offered the retrieve tool. If not, every response is
            shown as it is.

    Attributes:
        answered: Number of rounds answered so far.
        allowed: Keys that the conversation was given so far. None for all of the store's namespace.

    Raises:
        ConfigurationError: `max_rounds` is not an integer of at least 1.

    Example:
        >>> rounds = RetrieveRounds(max_rounds=1)
        >>> call = ToolCall("call_1", "headroom_retrieve", {"id": 7})
        >>> [rounds.decide([call]).step.value for _ in range(3)]
        ['continue', 'last request', 'give up']
        >>> rounds.decide([]).step.value
        'show'
    """

    def __init__(
        self, max_rounds: int = 5, *, store: Store | None = None, is_offered: bool = True
    ) -> None:
        check_max_rounds(max_rounds)
        self.answered = 0
        self.allowed: Iterable[str] | None = None
        self._max_rounds = max_rounds
        self._store = store
        self._is_offered = is_offered

    def decide(self, calls: Sequence[ToolCall]) -> RoundDecision:
        """Answer a response's retrieve calls and decide what to do next.

        Args:
            calls: All tool calls of the response, including those whose arguments are invalid.
        """
        retrieve_calls = [call for call in calls if call.name == RETRIEVE_TOOL]
        if not self._is_offered or not retrieve_calls:
            return RoundDecision(RoundStep.SHOW)
        if len(retrieve_calls) < len(calls):
            # The caller has to run the other tools. Whether it comes back is open, so this is not
            # a round, and the texts carry no note about remaining rounds.
            answers = tuple(RetrieveAnswer(call, self._retrieve(call)) for call in retrieve_calls)
            return RoundDecision(RoundStep.SHOW_OTHER_CALLS, answers)
        return self._answer_round(retrieve_calls)

    def _answer_round(self, calls: Sequence[ToolCall]) -> RoundDecision:
        answers = tuple(RetrieveAnswer(call, self._answer_text(call)) for call in calls)
        self.answered += 1
        if self.answered <= self._max_rounds:
            return RoundDecision(RoundStep.CONTINUE, answers)
        if self.answered == self._max_rounds + 1:
            return RoundDecision(RoundStep.LAST_REQUEST, answers)
        return RoundDecision(RoundStep.GIVE_UP, answers, _NO_ANSWER.format(self._max_rounds))

    def _answer_text(self, call: ToolCall) -> str:
        if self.answered >= self._max_rounds:
            return _NO_MORE
        is_last = self.answered == self._max_rounds - 1
        return self._retrieve(call) + (_LAST_CALL if is_last else "")

    def _retrieve(self, call: ToolCall) -> str:
        return handle_retrieve_call(call.arguments or {}, allowed=self.allowed, store=self._store)


def check_max_rounds(max_rounds: int) -> None:
    """Check the maximum number of rounds.

    Raises:
        ConfigurationError: `max_rounds` is not an integer of at least 1.
    """
    if not is_int(max_rounds, minimum=1):
        raise ConfigurationError(
            f"max_rounds must be an integer of at least 1, got {max_rounds!r:.80}; "
            "use retrieve=False if the model should retrieve nothing",
            {"max_rounds": max_rounds},
        )
