"""Objects of a framework as of two classes: its own, and one that compresses first."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

_Seen = TypeVar("_Seen", bound=BaseModel)


def view_as(cls: type[_Seen], model: BaseModel) -> _Seen:
    """Return a pydantic model as an object of another class: what the one keeps, such as a client, the other has too.

    So a framework's own class gets methods that compress first, and nothing that its object made is made again.

    Example:
        >>> class Plain(BaseModel):
        ...     sent: list[str] = []
        >>> class Loud(Plain):
        ...     def send(self, text: str) -> None:
        ...         self.sent.append(text.upper())
        >>> plain = Plain()
        >>> view_as(Loud, plain).send("hi")
        >>> plain.sent
        ['HI']
    """
    seen = cls.__new__(cls)
    for slot in BaseModel.__slots__:
        object.__setattr__(seen, slot, getattr(model, slot))
    return seen
