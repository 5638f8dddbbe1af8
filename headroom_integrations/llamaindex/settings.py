"""Settings of LlamaIndex's components: impossible ones are refused in this library's way."""

from __future__ import annotations

from inspect import get_annotations
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from typing_extensions import Self

from headroom_core.errors import ConfigurationError

Positive = Annotated[int, Field(strict=True, gt=0)]
"""A whole number from 1 on."""

_UNKNOWN = ("extra_forbidden", "no_such_attribute")
"""The types of pydantic's errors that tell of a name which no field has."""


class Settings(BaseModel):
    """Base of components whose settings are checked when they are constructed, and when they are assigned.

    Raises:
        ConfigurationError: a setting has a value that is not allowed, or no setting has that name. What LlamaIndex's
            classes alone declare is refused in their way.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", validate_assignment=True)

    @model_validator(mode="wrap")
    @classmethod
    def _refused(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            problems = _problems(cls, error)
            if not problems:
                raise
            name, problem = next(iter(problems.items()))
            message = f"{cls.__name__}.{name} = {problem['value']!r:.80}: {problem['allowed']}"
            raise ConfigurationError(message, problems) from None


def _problems(cls: type[BaseModel], error: ValidationError) -> dict[str, dict[str, Any]]:
    """Return what is wrong with settings of our own, and with what is no setting, by name."""
    own = {name for base in cls.__mro__ if issubclass(base, Settings) for name in get_annotations(base)}
    problems: dict[str, dict[str, Any]] = {}
    for item in error.errors(include_url=False):
        name, allowed = "".join(map(str, item["loc"][:1])), item["msg"]
        if item["type"] in _UNKNOWN:
            allowed = f"no such setting; the settings are {', '.join(cls.model_fields)}"
        elif name not in own:
            continue
        problems.setdefault(name, {"value": item["input"], "allowed": allowed})
    return problems
