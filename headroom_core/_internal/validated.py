"""Base class of pydantic models that raise `ConfigurationError` for invalid values."""

from __future__ import annotations

from inspect import get_annotations
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headroom_core.errors import ConfigurationError

PositiveInt = Annotated[int, Field(strict=True, gt=0)]
"""An integer of at least 1. Unlike pydantic's own type, it refuses "1", 1.0 and True."""

_RULES = {
    "bool_parsing": "must be True or False",
    "bool_type": "must be True or False",
    "dict_type": "must be a dict",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "int_type": "must be an integer",
    "missing": "must be given",
    "string_type": "must be a string",
}
"""What is allowed instead of a value, by the type of pydantic's error."""

_UNKNOWN_FIELD_TYPES = ("extra_forbidden", "no_such_attribute")
"""The types of pydantic's errors for a name that no field has."""


class ValidatedModel(BaseModel):
    """Base class of settings and of framework components, validated when built or assigned to.

    In a class definition it comes before the framework's class. Fields that only the framework
    declares keep raising pydantic's own errors.

    Raises:
        ConfigurationError: A field has a value that is not allowed, or does not exist.

    Example:
        >>> class Splitter(ValidatedModel):
        ...     lines: PositiveInt = 10
        >>> Splitter(lines=0)
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: Splitter.lines = 0: must be greater than 0
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", validate_assignment=True
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _explain(type(self), error) from None

    # Hidden from type checkers, which would accept an assignment to any name otherwise.
    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            previous = self.__dict__.get(name)
            was_set = name in self.__pydantic_fields_set__
            try:
                super().__setattr__(name, value)
            except (ValidationError, ConfigurationError) as error:
                # Validators of the whole model run after the new value is assigned.
                if name in type(self).model_fields:
                    self.__dict__[name] = previous
                if not was_set:
                    self.__pydantic_fields_set__.discard(name)
                raise _explain(type(self), error, name, value) from None


def _explain(
    cls: type[BaseModel], error: Exception, assigned: str = "", value: Any = None
) -> Exception:
    """Return the error in this library's terms, with all problems in its details.

    Args:
        cls: Class of the model.
        error: Error that the model raised.
        assigned: Name that was assigned to. Empty during construction.
        value: Value that was assigned.
    """
    if not isinstance(error, ValidationError):
        return error
    problems = _problems(cls, error, assigned, value)
    if not problems:
        return error
    name, problem = next(iter(problems.items()))
    field = f"{cls.__name__}.{name} = {problem['value']!r:.80}" if name else cls.__name__
    return ConfigurationError(f"{field}: {problem['allowed']}", problems)


def _rule(item: Any) -> str:
    """Return what one of pydantic's errors allows, in this library's words."""
    kind, value = item["type"], item["input"]
    if kind in ("tuple_type", "list_type"):
        return f"must be a list, such as [{value!r:.40}]" if value else "must be a list"
    if kind == "model_type":
        return f"must be a {item['ctx']['class_name']} or a dict of its fields"
    if kind in _RULES:
        return _RULES[kind]
    message: str = item["msg"]
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _problems(
    cls: type[BaseModel], error: ValidationError, assigned: str, value: Any
) -> dict[str, dict[str, Any]]:
    """Return the problems by field: those of this library's fields and of unknown names.

    Problems that belong to no field are listed under the assigned name.
    """
    own_fields: set[str] = set()
    for base in cls.__mro__:
        if issubclass(base, ValidatedModel):
            own_fields.update(get_annotations(base))
    problems: dict[str, dict[str, Any]] = {}
    for item in error.errors(include_url=False):
        name = ".".join(map(str, item["loc"]))
        allowed = _rule(item)
        if item["type"] in _UNKNOWN_FIELD_TYPES:
            allowed = f"no such field; the fields are {', '.join(cls.model_fields)}"
        elif name and item["loc"][0] not in own_fields:
            continue
        # The input of a missing field, or of a problem with several fields, is the whole model.
        has_input = bool(name) and item["type"] != "missing"
        problems.setdefault(
            name or assigned, {"value": item["input"] if has_input else value, "allowed": allowed}
        )
    return problems
