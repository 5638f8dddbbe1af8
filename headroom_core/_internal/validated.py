"""Base of pydantic models that refuse in this library's terms what is not allowed."""

from __future__ import annotations

from inspect import get_annotations
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headroom_core.errors import ConfigurationError

PositiveInt = Annotated[int, Field(strict=True, gt=0)]
"""A whole number from 1 on."""

_UNKNOWN = ("extra_forbidden", "no_such_attribute")
"""The types of pydantic's errors that tell of a name which no field has."""


class ValidatedModel(BaseModel):
    """Base of settings, and of components of frameworks: fields are checked when they are constructed or assigned.

    Put it before a framework's class. What that class alone declares is refused in pydantic's way.

    Raises:
        ConfigurationError: a field has a value that is not allowed, or no field has that name.

    Example:
        >>> class Splitter(ValidatedModel):
        ...     lines: PositiveInt = 10
        >>> Splitter(lines=0)
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: Splitter.lines = 0: Input should be greater than 0
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", validate_assignment=True
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _explained(type(self), error) from None

    if not TYPE_CHECKING:  # Else a field of any name could be assigned, as type checkers see it.

        def __setattr__(self, name: str, value: Any) -> None:
            before, assigned = self.__dict__.get(name), name in self.__pydantic_fields_set__
            try:
                super().__setattr__(name, value)
            except (ValidationError, ConfigurationError) as error:
                # What concerns several fields is checked when the new value is in its place already.
                if name in type(self).model_fields:
                    self.__dict__[name] = before
                if not assigned:
                    self.__pydantic_fields_set__.discard(name)
                raise _explained(type(self), error, name, value) from None


def _explained(
    cls: type[BaseModel], error: Exception, assigned: str = "", value: Any = None
) -> Exception:
    """Return the error in this library's terms: the first problem in words, all of them in `details`."""
    problems = _problems(cls, error, assigned, value) if isinstance(error, ValidationError) else {}
    if not problems:
        return error
    name, problem = next(iter(problems.items()))
    field = f"{cls.__name__}.{name} = {problem['value']!r:.80}" if name else cls.__name__
    return ConfigurationError(f"{field}: {problem['allowed']}", problems)


def _problems(
    cls: type[BaseModel], error: ValidationError, assigned: str, value: Any
) -> dict[str, dict[str, Any]]:
    """Return what is wrong with fields of our own, with names that no field has, and with fields together."""
    own = {
        name
        for base in cls.__mro__
        if issubclass(base, ValidatedModel)
        for name in get_annotations(base)
    }
    problems: dict[str, dict[str, Any]] = {}
    for item in error.errors(include_url=False):
        name, allowed = ".".join(map(str, item["loc"])), item["msg"]
        if item["type"] in _UNKNOWN:
            allowed = f"no such field; the fields are {', '.join(cls.model_fields)}"
        elif name and item["loc"][0] not in own:
            continue
        given = item["input"] if name and item["type"] != "missing" else value
        problems.setdefault(name or assigned, {"value": given, "allowed": allowed})
    return problems
