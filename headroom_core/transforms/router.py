"""The content router: the transform that hands every text to the compressor of its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Protocol

from headroom_core.compressors.base import Compressed, Compressor, Hints, Request
from headroom_core.compressors.registry import Route
from headroom_core.config import CCRConfig
from headroom_core.errors import HeadroomError, TransformError
from headroom_core.kinds import TextKind
from headroom_core.markers import content_key, has_marker
from headroom_core.messages import OUTPUT_KINDS, Action, Block, Change, Draft, causal_queries
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.break_even import BreakEven
from headroom_core.transforms.tool_policy import ToolPolicy, Treatment

_UNKNOWN_KIND = "of no kind that a compressor knows"
_FILE = "the text of a file is not rewritten, and no compressor leaves out lines of it"
_NOT_SMALLER = "no form with fewer tokens"
_NOT_WORTH_IT = "leaving parts out would save too little: see min_tokens_saved"
_FAILED = "its compressor failed"
_TURNED_OFF = "content_router_enabled is off"

# Estimates of what leaving out saves are trusted from this multiple of what it has to save.
_CERTAIN_FACTOR = 3

_NEVER_CHANGED = {
    "system": "system prompts are never changed",
    "assistant": "texts of the model are never changed",
    "tool_call": "arguments of tool calls are never changed",
}


@dataclass(frozen=True, slots=True)
class PendingBlock:
    """A block whose result is not known yet.

    Attributes:
        block: The block.
        key: Key of its text.
        causal_query: The query of the messages before it.
        selecting: Whether units may be left out behind a marker.
        record: Key under which its result is recorded. Empty without a memory.
    """

    block: Block
    key: str
    causal_query: str
    selecting: bool
    record: str = ""


@dataclass(frozen=True, slots=True)
class RouteResult:
    """The part of a `Change` that does not depend on the place of its block, and the new text.

    Attributes:
        text: New text, None if the block stays as it is.
        action: Kind of the change.
        by: Name of the compressor that made it.
        reason: Why, or why not.
        tokens_before: Number of tokens of the block as it was received.
        tokens_after: Number of tokens of the block as it will be sent.
    """

    text: str | None
    action: Action
    by: str
    reason: str
    tokens_before: int
    tokens_after: int

    @property
    def failed(self) -> bool:
        """Whether the block stays as it is because a compressor failed."""
        return self.reason == _FAILED

    def dumps(self) -> str:
        """Return the result as a line of JSON, to be recorded."""
        # Two lone surrogates side by side would be read back as one character if escaped.
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def loads(cls, line: str) -> RouteResult:
        """Return the result that was recorded as a line of JSON."""
        return cls(**json.loads(line))

    def apply_to(
        self, block: Block, key: str = "", pending: PendingBlock | None = None
    ) -> RoutedBlock:
        """Return a block with the new text.

        Args:
            block: The block, as it was received.
            key: Key of the stored original. Empty if it is not stored.
            pending: The block as it was before its result was known, if it was routed.
        """
        change = Change(
            message=block.message,
            path=block.path,
            action=self.action,
            by=self.by,
            reason=self.reason,
            tokens_before=self.tokens_before,
            tokens_after=self.tokens_after,
            keys=(key,) if key and self.action == "selected" else (),
        )
        routed = block if self.text is None else block.with_text(self.text)
        return RoutedBlock(self, routed, change, pending)


@dataclass(frozen=True, slots=True)
class RoutedBlock:
    """A block after routing.

    Attributes:
        result: The result of routing its text.
        block: The block with its new text.
        change: What was done with it, and why.
        pending: The block before its result was known, None if no compressor was asked.
    """

    result: RouteResult
    block: Block
    change: Change
    pending: PendingBlock | None = None


@lru_cache(maxsize=4096)
def _kept(reason: str, tokens: int) -> RouteResult:
    # Results of blocks that are not routed are shared, because every request asks for them again.
    return RouteResult(None, "kept", "", reason, tokens_before=tokens, tokens_after=tokens)


@lru_cache(maxsize=256)
def _hash_parts(parts: tuple[str, ...]) -> str:
    return content_key(json.dumps(parts))


class RouterMemory(Protocol):
    """Remembers results, so that a block that was sent before is sent the same way again."""

    @property
    def routed(self) -> Sequence[RoutedBlock]:
        """The leading blocks of the draft that were routed before, in order."""
        ...

    def record_key(self, block: Block, key: str, causal_query: str, *, selecting: bool) -> str:
        """Return the key under which the result of a block is recorded."""
        ...

    def resolve(
        self, pending: Mapping[int, PendingBlock], router: ContentRouter
    ) -> Mapping[int, RouteResult]:
        """Return the result of every pending block, with originals already stored."""
        ...

    def remember(self, routed: Sequence[RoutedBlock]) -> None:
        """Remember all blocks of the draft."""
        ...


class ContentRouter:
    """Transform that hands each text to the first compressor that accepts and shortens it.

    A shorter form is used only if it has fewer tokens. One that leaves something out is used only
    where that is allowed, and if a marker in it names the original. Texts of tools and documents
    may lose units behind markers, texts of users are only rewritten, and all others stay.

    Args:
        routes: Compressors, or routes to them, in the order in which they are asked.
        tokenizer: Counts tokens.
        enabled: Whether texts are routed at all.
        selecting: Whether units of outputs may be left out behind markers.
        break_even: How much leaving out must save. Defaults to that of `CCRConfig()`.
        policy: What may be done with the results of tools. Defaults to `ToolPolicy()`.
        memory: Remembers results between requests. Defaults to working out every result.
    """

    name = "content_router"

    def __init__(
        self,
        routes: Sequence[Route | Compressor],
        tokenizer: Tokenizer,
        *,
        enabled: bool = True,
        selecting: bool = True,
        break_even: BreakEven | None = None,
        policy: ToolPolicy | None = None,
        memory: RouterMemory | None = None,
    ) -> None:
        self.routes = tuple(
            route if isinstance(route, Route) else Route.to(route) for route in routes
        )
        self.tokenizer = tokenizer
        self.enabled = enabled
        self.selecting = selecting
        self.break_even = break_even or BreakEven.from_config(CCRConfig())
        self.policy = policy or ToolPolicy()
        self._memory = memory

    def with_memory(self, memory: RouterMemory) -> ContentRouter:
        """Return a copy of this router that has a memory."""
        return ContentRouter(
            self.routes,
            self.tokenizer,
            enabled=self.enabled,
            selecting=self.selecting,
            break_even=self.break_even,
            policy=self.policy,
            memory=memory,
        )

    @property
    def fingerprint(self) -> str:
        """A string that is different whenever results may be."""
        parts = tuple(route.fingerprint for route in self.routes)
        settings = self.tokenizer.encoding, str(self.break_even), self.policy.fingerprint
        return _hash_parts((*parts, *settings))

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft with its texts shortened.

        Originals of texts that lost units are added to the draft, unless a memory stored them.
        """
        memory = self._memory
        known = memory.routed if memory else ()
        routed = self._route_blocks(draft.blocks, known)
        originals: dict[str, str] = {}
        if memory:
            memory.remember(routed)
        else:
            for before, after in zip(draft.blocks, routed):
                originals |= dict.fromkeys(after.change.keys, before.text)
        return replace(
            draft,
            blocks=tuple(item.block for item in routed),
            changes=(*draft.changes, *(item.change for item in routed)),
            originals={**draft.originals, **originals} if originals else draft.originals,
        )

    def _route_blocks(
        self, blocks: Sequence[Block], known: Sequence[RoutedBlock]
    ) -> list[RoutedBlock]:
        """Route blocks, of which the first were routed before."""
        routed: dict[int, RoutedBlock] = dict(enumerate(known))
        pending = {index: item.pending for index, item in routed.items() if item.pending}
        queries = causal_queries(blocks)
        editing = self.policy.editing_before(blocks)
        for index in range(len(known), len(blocks)):
            block = blocks[index]
            treatment = self.treat(block, editing=editing[index])
            if treatment.kept:
                routed[index] = self.keep(block, treatment.kept).apply_to(block)
            else:
                pending[index] = self._pend(block, queries[index], treatment.selecting)
        for index, result in self._resolve(pending).items():
            # A block that was routed before, with the same result, need not be built again.
            if index >= len(known) or known[index].result is not result:
                item = pending[index]
                routed[index] = result.apply_to(blocks[index], item.key, item)
        return [routed[index] for index in range(len(blocks))]

    def _pend(self, block: Block, causal_query: str, selecting: bool) -> PendingBlock:
        selecting = selecting and self.selecting and block.kind in OUTPUT_KINDS
        key = content_key(block.text)
        memory = self._memory
        record = memory.record_key(block, key, causal_query, selecting=selecting) if memory else ""
        return PendingBlock(block, key, causal_query, selecting=selecting, record=record)

    def _resolve(self, pending: Mapping[int, PendingBlock]) -> Mapping[int, RouteResult]:
        if self._memory:
            return self._memory.resolve(pending, self)
        return {
            index: self.route(item.block, item.key, item.causal_query, item.selecting)
            for index, item in pending.items()
        }

    def treat(self, block: Block, *, editing: bool) -> Treatment:
        """Return what may be done with a block, if files are edited in its conversation or not."""
        reason = block.pinned or _NEVER_CHANGED.get(block.kind)
        if reason is None and not self.enabled:
            reason = _TURNED_OFF
        if reason:
            return Treatment(reason)
        return self.policy.treat(
            block, editing=editing, tokens=lambda: self.tokenizer.count_text(block.text)
        )

    def keep(self, block: Block, reason: str) -> RouteResult:
        """Return the result of leaving a block as it is."""
        return _kept(reason, self.tokenizer.count_text(block.text))

    def fail(self, block: Block) -> RouteResult:
        """Return the result of a compressor's failure."""
        return self.keep(block, _FAILED)

    def route(
        self,
        block: Block,
        key: str,
        query: str,
        selecting: bool,
        hints: Hints | None = None,
        *,
        must_fit: bool = False,
    ) -> RouteResult:
        """Return the result of asking the compressors about a block.

        Args:
            block: The block.
            key: Key of its text, for markers. Empty if the text will not be stored.
            query: Text that relevance is scored against.
            selecting: Whether units may be left out behind a marker.
            hints: Lessons about the tool that produced the text.
            must_fit: Whether a limit has to be met, so that units are left out however little
                that saves.

        Raises:
            TransformError: A compressor failed.
        """
        tokens = self.tokenizer.count_text(block.text)
        verbatim = self.policy.must_stay_verbatim(block)
        request = Request(
            key,
            tokens,
            query,
            selecting,
            hints=hints,
            tool=block.tool,
            call=block.call,
            verbatim=verbatim,
        )
        kind = TextKind(block.text, tool=block.tool, call=block.call)
        kept: RouteResult | None = None
        available = self.policy.routes_for(block.tool) or self.routes
        allowed = [route for route in available if route.keeps_lines or not verbatim]
        routes = [route for route in allowed if route.accepts(kind)]
        for route in routes:
            result = self._ask(route.compressor, block.text, request, must_fit)
            if result and result.text is not None:
                if result.tokens_after < tokens - _joint_tokens(block):
                    return result
                result = replace(self.keep(block, _NOT_SMALLER), by=route.compressor.name)
            kept = kept or result
        declined = filter(None, (route.refusal(request) for route in routes))
        return kept or self.keep(block, next(declined, _FILE if verbatim else _UNKNOWN_KIND))

    def _ask(
        self, compressor: Compressor, text: str, request: Request, must_fit: bool
    ) -> RouteResult | None:
        """Return the result of asking one compressor, or None if it does not accept the text."""
        compressed = _compress(compressor, text, request)
        if compressed is None:
            return None
        name = compressor.name
        if not compressed.lossless and not (
            request.selecting and has_marker(compressed.text, request.key)
        ):
            return None
        tokens_after = self.tokenizer.count_text(compressed.text)
        result = RouteResult(
            text=compressed.text,
            action="rewritten" if compressed.lossless else "selected",
            by=name,
            reason=compressed.reason,
            tokens_before=request.tokens,
            tokens_after=tokens_after,
        )
        if not compressed.lossless and not must_fit:
            required = self.break_even.required(compressed.risk)
            if compressed.saved is None or compressed.saved < _CERTAIN_FACTOR * required:
                whole = self._ask(compressor, text, replace(request, selecting=False), must_fit)
                tokens_whole = whole.tokens_after if whole else request.tokens
                if tokens_whole - tokens_after < required:
                    return whole or replace(_kept(_NOT_WORTH_IT, request.tokens), by=name)
        if tokens_after >= request.tokens:
            return replace(_kept(_NOT_SMALLER, request.tokens), by=name)
        return result


def _joint_tokens(block: Block) -> int:
    """Return at most how many tokens the signs have that join the parts of a block."""
    return 2 * block.span if block.span > 1 else 0


def _compress(compressor: Compressor, text: str, request: Request) -> Compressed | None:
    name = compressor.name
    try:
        compressed = compressor.compress(text, request)
    except HeadroomError:
        raise
    except Exception as error:
        message = f"the compressor {name} failed: {type(error).__name__}"
        raise TransformError(message, {"compressor": name}) from error
    if compressed is None or (
        isinstance(compressed, Compressed)
        and isinstance(compressed.text, str)
        and isinstance(compressed.lossless, bool)
        and isinstance(compressed.reason, str)
    ):
        return compressed
    message = f"the compressor {name} must return None, or a Compressed with a text and a reason"
    raise TransformError(message, {"compressor": name})
