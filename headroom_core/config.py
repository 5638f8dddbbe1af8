"""The settings: validated models, on construction and on assignment."""

from __future__ import annotations

from typing import Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from headroom_core.errors import ConfigurationError


class Settings(BaseModel):
    """Base of the configuration models.

    A wrong value or an unknown field is a `ConfigurationError` that names the field, the value and what
    is allowed. Whoever is given settings takes a snapshot: changing them later changes no later result
    of an object that was built with them.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, validate_default=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            raise self._explained(error) from None

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except pydantic.ValidationError as error:
            raise self._explained(error) from None

    def _explained(self, error: pydantic.ValidationError) -> ConfigurationError:
        """Return the error in this library's terms: the first problem in words, all of them in `details`."""
        model = type(self)
        problems = {".".join(map(str, item["loc"])): item for item in error.errors(include_url=False)}
        name, problem = next(iter(problems.items()))
        allowed = problem["msg"]
        if problem["type"] == "extra_forbidden":
            allowed = f"no such field; the fields are {', '.join(model.model_fields)}"
        return ConfigurationError(
            f"{model.__name__}.{name} = {problem['input']!r}: {allowed}",
            {field: {"value": item["input"], "allowed": item["msg"]} for field, item in problems.items()},
        )

    def snapshot(self) -> Any:
        """Return a deep copy, which later assignments do not reach."""
        return self.model_copy(deep=True)


class SmartCrusherConfig(Settings):
    """How arrays are shortened.

    Attributes:
        enabled: off leaves JSON and tables as they are.
        min_tokens_to_crush: texts with fewer tokens are left alone.
        min_items_to_analyze: arrays with fewer items, or fewer than 800 characters, are never selected from.
        max_items_after_crush: how many items to keep at most; errors, outliers and what the query names
            are kept beyond it.
        keep_first: items at the start that are kept; of items with more than about 150 tokens, only the first for sure.
        keep_last: items at the end that are kept; of items with more than about 150 tokens, only the last for sure.
        relevance_threshold: the share of the best score that an item must reach to count as an answer
            to the query.
        anomaly_std_threshold: how many standard deviations from the middle make a number an outlier
            (estimated from the median, so that the outliers themselves do not hide it).
        preserve_errors: keep items that tell of an error.
        preserve_change_points: keep the items at which a column's level shifts.
        dedup_identical_items: keep one of several identical items, with their number.
        preserve_fields: names of fields whose every distinct value is kept at least once.
        relevance_tier: `bm25` ranks items by their words, `none` takes exact matches alone.
        use_feedback_hints: follow hints from earlier retrievals, where `SmartCrusher.crush` is given some.
        toin_confidence_threshold: the confidence from which a hint is followed.
    """

    enabled: bool = True
    min_tokens_to_crush: int = Field(200, ge=0)
    min_items_to_analyze: int = Field(5, ge=2)
    max_items_after_crush: int = Field(50, ge=1)
    keep_first: int = Field(3, ge=0)
    keep_last: int = Field(2, ge=0)
    relevance_threshold: float = Field(0.3, ge=0.0, le=1.0)
    anomaly_std_threshold: float = Field(2.0, gt=0.0)
    preserve_errors: bool = True
    preserve_change_points: bool = True
    dedup_identical_items: bool = True
    preserve_fields: tuple[str, ...] = ()
    relevance_tier: Literal["bm25", "none"] = "bm25"
    use_feedback_hints: bool = True
    toin_confidence_threshold: float = Field(0.3, ge=0.0, le=1.0)


class CCRConfig(Settings):
    """Compress, cache, retrieve: what may be left out because it can be brought back.

    Attributes:
        enabled: off means that nothing is left out and nothing is stored.
        inject_marker: off means the same, since what is left out must leave a marker.
        store_max_entries: originals to keep at most; those replayed longest ago go first. None: no limit.
        store_ttl_seconds: seconds after its last replay at which an original goes. None: never.
    """

    enabled: bool = True
    inject_marker: bool = True
    store_max_entries: int | None = Field(None, ge=1)
    store_ttl_seconds: float | None = Field(None, gt=0)


class HeadroomConfig(Settings):
    """All settings in one place.

    Attributes:
        store_url: where originals and records are kept; None: `HEADROOM_STORE_URL`, else a file under
            the user's state folder.
        smart_crusher: how arrays are shortened.
        ccr: what may be left out.
        content_router_enabled: off leaves every text as it is.

    Example:
        >>> config = HeadroomConfig()
        >>> config.smart_crusher.min_tokens_to_crush = 100
        >>> config.smart_crusher.keep_first = -1
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: SmartCrusherConfig.keep_first = -1: Input should be greater...
    """

    store_url: str | None = None
    smart_crusher: SmartCrusherConfig = Field(default_factory=SmartCrusherConfig)
    ccr: CCRConfig = Field(default_factory=CCRConfig)
    content_router_enabled: bool = True
