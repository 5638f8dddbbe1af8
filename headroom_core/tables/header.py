"""The header of a table: which fields its columns hold.

    id,name:str,site="x",owner{login,id},price:{amount,unit},stops[]{city,day},lines+

| form | meaning |
|---|---|
| `name` | a column |
| `name:str` | a column of strings: what looks like a number is text |
| `name=value` | no column: the value is the same in all rows |
| `name{a,b}` | an object; its fields are columns of their own |
| `name:{a,b}` | a column of objects, each written as the list of its values |
| `name[]{a,b}` | a column of lists of objects, each object written as the list of its values |
| `name&` | one of the columns that always come together; the first of them holds a reference to their values |
| `name+` | a list whose items are the rows of a further table below; the cell says how many |
| `.` | the row is the value itself |

A name with a character that means something here is a JSON string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from headroom_core.text.exact_json import Value, dumps, quote, scan

_INSIDE = r"[^,{}\[\]\"=:+#^~*!;&\\\x00-\x1f\x7f\ud800-\udfff]"
_BARE = re.compile(rf"(?![.@]$|\s)(?:{_INSIDE}*(?!\s){_INSIDE})")
_NAME_END = re.compile(r"[,{}\[=:+&]|$")


class Missing:
    """Stands for the value of a key that a row does not have."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Shape:
    """How an object, or a list of objects, is written as the list of its values.

    Attributes:
        keys: the keys that every object has, in order.
        inner: the shape of each value, None where it is written as it is.
        many: whether the value is a list of such objects.
    """

    keys: tuple[str, ...]
    inner: tuple[Shape | None, ...]
    many: bool

    def pack(self, value: Value) -> Value:
        """Return the value with the objects of this shape replaced by lists; null stays null."""
        if value is None:
            return None
        return [self._pack_one(item) for item in value] if self.many else self._pack_one(value)

    def unpack(self, packed: Value) -> Value:
        """Undo `pack`."""
        if packed is None:
            return None
        return (
            [self._unpack_one(item) for item in packed] if self.many else self._unpack_one(packed)
        )

    def _pack_one(self, item: dict[str, Value]) -> list[Value]:
        return [
            value if shape is None else shape.pack(value)
            for shape, value in zip(self.inner, item.values())
        ]

    def _unpack_one(self, item: list[Value]) -> dict[str, Value]:
        if len(item) != len(self.keys):
            raise ValueError(
                f"{len(item)} values for the {len(self.keys)} fields {', '.join(self.keys)}"
            )
        return {
            key: value if shape is None else shape.unpack(value)
            for key, shape, value in zip(self.keys, self.inner, item)
        }


def common_shape(values: list[Value]) -> Shape | None:
    """Return the shape that all the values have, or None when they have no common one.

    Null has every shape.
    """
    present = [value for value in values if value is not None]
    kinds = set(map(type, present))
    if kinds == {dict}:
        return _object_shape(present, many=False)
    if kinds == {list}:
        items = [item for value in present for item in value]
        return _object_shape(items, many=True) if set(map(type, items)) == {dict} else None
    return None


def _object_shape(objects: list[dict[str, Value]], many: bool) -> Shape | None:
    keys = set(map(tuple, objects))
    if len(keys) != 1 or keys == {()}:
        return None
    columns = zip(*[item.values() for item in objects])
    return Shape(keys.pop(), tuple(common_shape(list(column)) for column in columns), many)


@dataclass(slots=True)
class Field:
    """One entry of a header.

    Attributes:
        name: the key; None for a row that is the value itself.
        children: the entries of an object whose fields are columns; empty for a column.
        text: whether every bare cell is a string.
        shape: how the cells' objects are written, None when they are not.
        grouped: whether it is one of the columns that always come together.
        nested: whether the cells count rows of a further table.
        constant: the value of all rows, `MISSING` when it is a column.
    """

    name: str | None
    children: list[Field] = field(default_factory=list)
    text: bool = False
    shape: Shape | None = None
    grouped: bool = False
    nested: bool = False
    constant: Value = MISSING


def write_fields(fields: list[Field]) -> str:
    """Return the header's text for the fields."""
    return ",".join(_write_field(item) for item in fields)


def _write_field(item: Field) -> str:
    name = "." if item.name is None else _write_name(item.name)
    if item.children:
        return f"{name}{{{write_fields(item.children)}}}"
    if item.constant is not MISSING:
        return f"{name}={dumps(item.constant)}"
    kind = _write_shape(item.shape) if item.shape else ":str" if item.text else ""
    return name + kind + "&" * item.grouped + "+" * item.nested


def _write_name(name: str) -> str:
    return name if _BARE.fullmatch(name) else quote(name)


def _write_shape(shape: Shape) -> str:
    keys = ",".join(
        _write_name(key) + (_write_shape(inner) if inner else "")
        for key, inner in zip(shape.keys, shape.inner)
    )
    return f"[]{{{keys}}}" if shape.many else f":{{{keys}}}"


class HeaderReader:
    """Reads a header's fields from left to right."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at

    def fields(self) -> list[Field]:
        """Read fields up to a closing brace or the end."""
        found = [self._field()]
        while self._take(","):
            found.append(self._field())
        return found

    def _field(self) -> Field:
        name = None if self._take_itself() else self._name()
        if self._take("{"):
            children = self.fields()
            self._need("}")
            return Field(name, children)
        if self._take("="):
            return Field(name, constant=self._json())
        shape = self._shape()
        text = shape is None and self._take(":str")
        return Field(name, text=text, shape=shape, grouped=self._take("&"), nested=self._take("+"))

    def _shape(self) -> Shape | None:
        many = self._take("[]{")
        if not many and not self._take(":{"):
            return None
        keys, inner = [self._name()], [self._shape()]
        while self._take(","):
            keys.append(self._name())
            inner.append(self._shape())
        self._need("}")
        return Shape(tuple(keys), tuple(inner), many)

    def _name(self) -> str:
        if self.text.startswith('"', self.at):
            return str(self._json())
        end = _NAME_END.search(self.text, self.at)
        name = self.text[self.at : end.start()] if end else self.text[self.at :]
        self.at += len(name)
        return name

    def _take_itself(self) -> bool:
        """Take the lone dot that stands for the row's value."""
        end = _NAME_END.search(self.text, self.at)
        return self.text[self.at : end.start() if end else None] == "." and self._take(".")

    def _json(self) -> Value:
        value, self.at = scan(self.text, self.at)
        return value

    def _take(self, token: str) -> bool:
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(f"a table's header needs {token!r} at character {self.at}")
