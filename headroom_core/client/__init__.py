"""Building blocks of clients: retrieve rounds, offering the retrieve tool, and token usage."""

from __future__ import annotations

from headroom_core.client.rounds import (
    RetrieveAnswer,
    RetrieveRounds,
    RoundDecision,
    RoundStep,
    ToolCall,
    check_max_rounds,
)
from headroom_core.client.tools import (
    RetrieveChoice,
    allows_tool_choice,
    check_retrieve,
    forbid_tool_calls,
    has_strict_tools,
    retrieve_rule,
)
from headroom_core.client.usage import Usage, UsageRecorder, read_usage

__all__ = [
    "RetrieveAnswer",
    "RetrieveChoice",
    "RetrieveRounds",
    "RoundDecision",
    "RoundStep",
    "ToolCall",
    "Usage",
    "UsageRecorder",
    "allows_tool_choice",
    "check_max_rounds",
    "check_retrieve",
    "forbid_tool_calls",
    "has_strict_tools",
    "read_usage",
    "retrieve_rule",
]
