"""SmartCrusher: shortening arrays and tables, as a transform and directly on data."""

from __future__ import annotations

from typing import Any

from headroom_core._internal.checks import check_text
from headroom_core.compressors.base import Hints, Request
from headroom_core.compressors.smart_crusher.compressor import TableCompressor
from headroom_core.compressors.smart_crusher.render import RowSelectionResult
from headroom_core.config import SmartCrusherConfig
from headroom_core.markers import content_key
from headroom_core.messages import Draft
from headroom_core.relevance import Scorer
from headroom_core.results import CrushResult
from headroom_core.stores import Store, store_or_default
from headroom_core.tables.codec import render_lossless
from headroom_core.tables.frame import Frame
from headroom_core.tables.kept_rows import render_kept_rows
from headroom_core.tables.table_names import name_tables
from headroom_core.tables.values import TextPart, parse_value
from headroom_core.text.exact_json import dumps, from_plain, parse, to_plain
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.router import ContentRouter


class SmartCrusher(TableCompressor):
    """Shortens JSON arrays and tables: a compressor, a transform, and `crush` for data.

    Args:
        config: The settings, of which a snapshot is taken.
        scorer: Ranks the items against the query. Defaults to that of the settings' tier.
        model: The model that counts tokens in a pipeline.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> rows = [{"id": n, "status": "failed" if n == 77 else "ok"} for n in range(200)]
        >>> crusher = SmartCrusher()
        >>> result = crusher.crush({"results": rows}, "which one failed?", store=MemoryStore())
        >>> kept = result.data["results"]
        >>> {"id": 77, "status": "failed"} in kept, len(kept) < 100
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
        self._router = ContentRouter([self], Tokenizer(model))

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft with its outputs and documents shortened."""
        return self._router(draft)

    def crush(
        self,
        data: Any,
        query: str = "",
        *,
        store: Store | None = None,
        model: str = "gpt-4o",
        hints: Hints | None = None,
    ) -> CrushResult:
        """Keep the items that matter, and store the original if any are left out.

        Args:
            data: Lists, dicts, strings, numbers, booleans and None, as `json.loads` returns them.
            query: Text that relevance is scored against.
            store: Store of the original. Defaults to the default store.
            model: The model that counts tokens.
            hints: Lessons from earlier retrievals of such data.

        Raises:
            TypeError: The data hold something that JSON cannot express.
            ConfigurationError: The query is no string.
            StorageError: The original cannot be stored.
        """
        check_text("query", query)
        tokenizer = Tokenizer(model)
        value = from_plain(data)
        original = dumps(value)
        tokens = tokenizer.count_text(original)
        request = Request(content_key(original), tokens, query, selecting=True, hints=hints)
        parts = [] if self.refusal(request) else parse_value(value)
        shortened = self._shorten(parts, request)
        if isinstance(shortened, RowSelectionResult):
            tokens_after = tokenizer.count_text(shortened.text)
            if tokens_after < tokens:
                store_or_default(store).put_many({request.key: original})
                return CrushResult(
                    text=shortened.text,
                    data=to_plain(parse(render_kept_rows(parts, shortened.kept))),
                    tokens_before=tokens,
                    tokens_after=tokens_after,
                    markers=tuple(shortened.markers),
                    estimated=tokenizer.estimated,
                )
        text = original
        if isinstance(shortened, str) and tokenizer.count_text(shortened) < tokens:
            text = shortened
        return CrushResult(
            text=text,
            data=data,
            tokens_before=tokens,
            tokens_after=tokenizer.count_text(text),
            estimated=tokenizer.estimated,
        )

    def _shorten(self, parts: list[TextPart], request: Request) -> RowSelectionResult | str | None:
        """Return the parts with rows left out, or their lossless form, or None if they stay."""
        if not parts:
            return None
        name_tables([part for part in parts if isinstance(part, Frame)])
        return self.select(parts, request) or render_lossless(parts)
