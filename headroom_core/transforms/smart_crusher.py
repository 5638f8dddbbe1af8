"""SmartCrusher, used directly on data."""

from __future__ import annotations

from typing import Any

from headroom_core.compressors.base import Hints, Request
from headroom_core.compressors.smart_crusher.compressor import RowSelectionResult, TableCompressor
from headroom_core.config import SmartCrusherConfig
from headroom_core.markers import content_key
from headroom_core.messages import Draft
from headroom_core.relevance import Scorer
from headroom_core.results import CrushResult
from headroom_core.stores import Store, default_store
from headroom_core.tables.codec import parse_value, render_lossless
from headroom_core.text.exact_json import Value, dumps, from_plain, to_plain
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.router import ContentRouter
from headroom_core.transforms.shortening import shortened


class SmartCrusher(TableCompressor):
    """Shortens JSON arrays and tables: as a compressor of texts, and directly on data with `crush`.

    Args:
        config: how to shorten; a snapshot is taken.
        scorer: ranks the items against the query. None: the tier's own.
        model: the model whose tokens are counted when it is one of a pipeline's transforms.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> data = {"results": [{"id": n, "status": "failed" if n == 77 else "ok"} for n in range(200)]}
        >>> result = SmartCrusher().crush(data=data, query="which one failed?", store=MemoryStore())
        >>> {"id": 77, "status": "failed"} in result.data["results"], len(result.data["results"]) < 100
        (True, True)
    """

    def __init__(
        self,
        config: SmartCrusherConfig | None = None,
        scorer: Scorer | None = None,
        *,
        model: str = "gpt-4o",
    ) -> None:
        super().__init__(config, scorer)
        self._router = ContentRouter((self,), Tokenizer(model))

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft with its outputs and documents shortened."""
        return shortened(draft, self._router)

    def crush(
        self,
        data: Any,
        query: str = "",
        *,
        store: Store | None = None,
        model: str = "gpt-4o",
        hints: Hints | None = None,
    ) -> CrushResult:
        """Return the data with the items that matter, and store the original of what was left out.

        Args:
            data: lists, dicts, strings, numbers, booleans and None, as `json.loads` returns them.
            query: what relevance is scored against.
            store: where the original is kept. None: the default store.
            model: the model whose tokens are counted.
            hints: what earlier retrievals taught about such data.

        Raises:
            TypeError: the data hold something that JSON cannot say.
            StorageError: the original cannot be stored.
        """
        tokenizer = Tokenizer(model)
        value = from_plain(data)
        original = dumps(value)
        before = tokenizer.count_text(original)
        request = Request(content_key(original), before, query, selecting=True, hints=hints)
        made = self._shortened(value, request)
        if isinstance(made, RowSelectionResult):
            after = tokenizer.count_text(made.text)
            if after < before:
                (default_store() if store is None else store).put_many({request.key: original})
                kept = to_plain(_pruned(value, made))
                markers = tuple(made.markers)
                return CrushResult(made.text, kept, before, after, markers, tokenizer.estimated)
        text = made if isinstance(made, str) and tokenizer.count_text(made) < before else original
        return CrushResult(
            text, data, before, tokenizer.count_text(text), estimated=tokenizer.estimated
        )

    def _shortened(self, value: Value, request: Request) -> RowSelectionResult | str | None:
        """Return the value with rows left out, else its lossless form, else None."""
        if not self.config.enabled or request.tokens < self.config.min_tokens_to_crush:
            return None
        parts = parse_value(value)
        return self.select(parts, request) or render_lossless(parts)


def _pruned(value: Value, shortened: RowSelectionResult) -> Value:
    """Return the value without the rows that were left out."""
    lists: dict[int, set[int]] = {}
    rows: set[int] = set()
    for frame, kept in shortened.kept:
        # The rows of other frames are objects, each one of its own; null and short strings are the same everywhere.
        if frame.form == "array" and frame.parents is None:
            lists[id(frame.source)] = set(kept)
        else:
            stays = set(kept)
            rows |= {id(row) for index, row in enumerate(frame.source) if index not in stays}
    return _without(value, rows, lists)


def _without(value: Value, rows: set[int], lists: dict[int, set[int]]) -> Value:
    if isinstance(value, dict):
        return {
            key: _without(item, rows, lists) for key, item in value.items() if id(item) not in rows
        }
    if isinstance(value, list):
        kept = lists.get(id(value))
        return [
            _without(item, rows, lists)
            for index, item in enumerate(value)
            if id(item) not in rows and (kept is None or index in kept)
        ]
    return value
