"""What may be done with a block: by its tool's settings, its source, and whether files are edited.

The text of a file stays as it is, because an edit has to quote it. Where files are edited, all that
is read from them is complete, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from headroom_core.compressors import REGISTRY
from headroom_core.compressors.registry import Route
from headroom_core.config import HeadroomConfig, SmartCrusherConfig
from headroom_core.messages import Block
from headroom_core.text.numbered import has_line_numbers
from headroom_core.text.sources import can_edit, source_of

_MAX_ERROR_CHARACTERS = 8000
"""Errors up to this length stay as they are."""

_MAX_COMPLETE_RUN_TOKENS = 4000
"""What programs print stays complete up to this length, where files are edited."""

_MIN_AGENT_CALLS = 3
"""Calls that read files or run commands, from which on an agent is at work."""

FindRoutes = Callable[[HeadroomConfig], tuple[Route, ...]]


@dataclass(frozen=True, slots=True)
class Treatment:
    """What may be done with a text.

    Attributes:
        kept: Reason why it stays as it is. Empty if it may be shortened.
        selecting: Whether units may be left out of it.
    """

    kept: str = ""
    selecting: bool = True


_FREE = Treatment()
_COMPLETE = Treatment(selecting=False)


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """The settings of tools, and the rules for what they read from files.

    Names of tools match exactly, or by a pattern with `*` and `?`. An exact name comes before a
    pattern, and patterns are tried in their order.

    Attributes:
        exclude: Names of tools whose results stay as they are.
        only: Names of the only tools whose results may be shortened. None for all.
        profiles: Routes to the compressors of single tools. None for a tool to skip.
        offers_editing: Whether the request offers a tool that edits files.
        knows_tools: Whether it is known which tools the request offers. If not, several calls that
            read files or run commands are taken for the work of an agent, which may edit next.
    """

    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    profiles: Mapping[str, tuple[Route, ...] | None] = field(default_factory=dict)
    offers_editing: bool = False
    knows_tools: bool = True

    @classmethod
    def from_config(
        cls,
        config: HeadroomConfig,
        find_routes: FindRoutes = REGISTRY.routes,
        *,
        offers_editing: bool = False,
        knows_tools: bool = True,
    ) -> ToolPolicy:
        """Return the policy of the settings.

        Args:
            config: The settings.
            find_routes: Returns the routes to the compressors of some settings.
            offers_editing: Whether the request offers a tool that edits files.
            knows_tools: Whether it is known which tools the request offers.
        """
        profiles: dict[str, tuple[Route, ...] | None] = {}
        for name in config.tool_profiles:
            own = _settings_of_tool(config, name)
            profiles[name] = None if own is None else find_routes(own)
        return cls(
            config.exclude_tools,
            config.only_tools,
            profiles,
            offers_editing=offers_editing,
            knows_tools=knows_tools,
        )

    @property
    def fingerprint(self) -> str:
        """A string that is different whenever results may be, apart from editing."""
        if not (self.exclude or self.profiles or self.only is not None):
            return ""
        profiles = {
            name: None if routes is None else [route.fingerprint for route in routes]
            for name, routes in self.profiles.items()
        }
        return f"{self.exclude} {self.only} {profiles}"

    def routes_for(self, tool: str | None) -> tuple[Route, ...] | None:
        """Return the routes to the compressors of a tool's results, or None for the usual ones."""
        name = _find_match(tool, tuple(self.profiles)) if self.profiles else None
        return None if name is None else self.profiles[name]

    def editing_before(self, blocks: Sequence[Block]) -> list[bool]:
        """Return for each block whether files are edited: before it, or with an offered tool."""
        flags: list[bool] = []
        is_editing = self.offers_editing
        calls = 0
        for block in blocks:
            flags.append(is_editing or (not self.knows_tools and calls >= _MIN_AGENT_CALLS))
            if not is_editing and block.kind == "tool_call":
                is_editing = can_edit(block.tool, block.text)
                calls += source_of(block.tool, block.text, "").kind != "answer"
        return flags

    def treat(self, block: Block, *, editing: bool, tokens: Callable[[], int]) -> Treatment:
        """Return what may be done with a block.

        Args:
            block: The block.
            editing: Whether files are edited in the conversation.
            tokens: Returns the number of tokens of the block.
        """
        reason = self.why_kept(block)
        if reason:
            return Treatment(reason)
        if block.is_error and len(block.text) <= _MAX_ERROR_CHARACTERS:
            return Treatment(f"an error of up to {_MAX_ERROR_CHARACTERS:,} characters stays whole")
        source = source_of(block.tool, block.call, block.text)
        if source.kind == "file":
            if not editing:
                return _FREE
            return Treatment(
                f"the text of a file that may be edited stays as it is: {source.reason}"
            )
        if not editing or source.kind == "answer":
            return _FREE
        if source.kind == "run" and tokens() > _MAX_COMPLETE_RUN_TOKENS:
            return _FREE
        return _COMPLETE

    def must_stay_verbatim(self, block: Block) -> bool:
        """Return whether every line of a block that stays must be as it was."""
        source = source_of(block.tool, block.call, block.text)
        is_file = source.kind == "file"
        return is_file and (not source.rows or has_line_numbers(block.text))

    def why_kept(self, block: Block) -> str:
        """Return why the settings keep the result of a block's tool. Empty if they do not."""
        tool = block.tool
        if self.exclude and _find_match(tool, self.exclude):
            return "excluded by exclude_tools"
        is_result = block.kind == "tool_result"
        if is_result and self.only is not None and not _find_match(tool, self.only):
            return "not among only_tools"
        name = _find_match(tool, tuple(self.profiles)) if self.profiles else None
        if name is not None and self.profiles[name] is None:
            return "skip_compression in tool_profiles"
        return ""


def with_tool_settings(
    config: HeadroomConfig | None,
    exclude_tools: Iterable[str] | None = None,
    only_tools: Iterable[str] | None = None,
    tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
) -> HeadroomConfig | None:
    """Return settings in which the given values replace those of tools; None replaces nothing.

    Args:
        config: The settings, which are not altered. None stands for the defaults.
        exclude_tools: See `HeadroomConfig.exclude_tools`.
        only_tools: See `HeadroomConfig.only_tools`.
        tool_profiles: See `HeadroomConfig.tool_profiles`.

    Raises:
        ConfigurationError: A value is not allowed.

    Example:
        >>> with_tool_settings(None, exclude_tools=["read_*"]).exclude_tools
        ('read_*',)
    """
    values = {
        "exclude_tools": exclude_tools,
        "only_tools": only_tools,
        "tool_profiles": tool_profiles,
    }
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        return config
    changed = HeadroomConfig.snapshot_of(config) or HeadroomConfig()
    for name, value in given.items():
        setattr(changed, name, value)
    return changed


def _settings_of_tool(config: HeadroomConfig, name: str) -> HeadroomConfig | None:
    """Return the settings of a tool with a profile, or None if its results are to be skipped."""
    profile = dict(config.tool_profiles[name])
    if profile.pop("skip_compression", False):
        return None
    values = config.smart_crusher.model_dump(exclude_unset=True) | profile
    return config.model_copy(update={"smart_crusher": SmartCrusherConfig(**values)})


def _find_match(tool: str | None, names: tuple[str, ...]) -> str | None:
    """Return the name or pattern that a tool matches, or None."""
    if tool is None:
        return None
    if tool in names:
        return tool
    return next((name for name in names if fnmatchcase(tool, name)), None)
