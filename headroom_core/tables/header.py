"""The header of a table: the fields that its columns hold.

    id,name:str,site="x",owner{login,id},price:{amount,unit},stops[]{city,day},lines+

| form | meaning |
|---|---|
| `name` | a column |
| `name:str` | a column of strings: text that looks like a number is still text |
| `name:"Decimal('…')"` | a column of values of Python; the cell is what stands for the ellipsis |
| `name=value` | no column: the value is the same in all rows |
| `name{a,b}` | an object whose fields are columns of their own |
| `name:json{a,b}` | strings that hold an object as JSON, whose fields are columns of their own |
| `name:{a,b}` | a column of objects, each written as the list of its values |
| `name[]{a,b}` | a column of lists of objects, each object written as the list of its values |
| `name&` | a column whose values always come with those of others; the first holds references |
| `name+` | a list whose items are the rows of a table further below; the cell is their number |
| `name[a,b]` | a list whose items are columns; the names are ours or stand elsewhere |
| `name[a,b]{v}` | the same of a list of objects with the single key `v` |
| `[a,b]` | the row itself is such a list |
| `name==value` | no column: the value stands beside the columns of an object, once |
| `.` | the row is the value itself |

A name with a character that has a meaning in a header is written as a JSON string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from headroom_core.text.constructors import Constructor
from headroom_core.text.exact_json import Value, dumps, quote, scan
from headroom_core.text.python_literal import SOURCE_SIGN
from headroom_core.text.spelling import COMPACT, Spelling

# Characters without a meaning in a header or at the start of a cell. Must not match control
# characters, which would break the line, or surrogates, which cannot be encoded.
_NAME_CHARACTER = r"[^,{}\[\]\"=:+#^~*!;&\\\x00-\x1f\x7f\ud800-\udfff]"
# A name that needs no quotes. Must not match the lone signs `.` and `@`, and names that begin or
# end with whitespace.
_BARE_NAME = re.compile(rf"(?![.@]$|\s)(?:{_NAME_CHARACTER}*(?!\s){_NAME_CHARACTER})")
# The first character after an unquoted name.
_NAME_END = re.compile(r"[,{}\[\]=:+&]|$")

JSON_SIGN = ":json"
"""Sign behind the name of a field whose objects are strings in the original."""


class Missing:
    """Type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()
"""The value of a key that a row does not have."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Common structure of objects, by which each can be written as the list of its values.

    Attributes:
        keys: The keys that every object has, in order.
        inner: The shape of each value, or None if the value is written as plain JSON.
        is_list: Whether the values are lists of such objects.
    """

    keys: tuple[str, ...]
    inner: tuple[Shape | None, ...]
    is_list: bool

    def pack(self, value: Value) -> Value:
        """Replace the objects in a value by lists of their values; null stays null."""
        if value is None:
            return None
        if self.is_list:
            return [self._pack_object(item) for item in value]
        return self._pack_object(value)

    def unpack(self, packed: Value) -> Value:
        """Undo `pack`.

        Raises:
            ValueError: If a list has another number of values than the shape has keys.
        """
        if packed is None:
            return None
        if self.is_list:
            return [self._unpack_object(item) for item in packed]
        return self._unpack_object(packed)

    def _pack_object(self, item: dict[str, Value]) -> list[Value]:
        return [
            value if shape is None else shape.pack(value)
            for shape, value in zip(self.inner, item.values())
        ]

    def _unpack_object(self, values: list[Value]) -> dict[str, Value]:
        if len(values) != len(self.keys):
            raise ValueError(
                f"expected {len(self.keys)} values for the fields {', '.join(self.keys)}, "
                f"got {len(values)}"
            )
        return {
            key: value if shape is None else shape.unpack(value)
            for key, shape, value in zip(self.keys, self.inner, values)
        }


def find_common_shape(values: list[Value]) -> Shape | None:
    """Return the shape that all values share, or None if there is none; null fits every shape."""
    present = [value for value in values if value is not None]
    kinds = set(map(type, present))
    if kinds == {dict}:
        return _find_object_shape(present, is_list=False)
    if kinds == {list}:
        items = [item for value in present for item in value]
        if set(map(type, items)) == {dict}:
            return _find_object_shape(items, is_list=True)
    return None


def _find_object_shape(objects: list[dict[str, Value]], is_list: bool) -> Shape | None:
    key_orders = set(map(tuple, objects))
    if len(key_orders) != 1 or key_orders == {()}:
        return None
    columns = zip(*[item.values() for item in objects])
    inner = tuple(find_common_shape(list(column)) for column in columns)
    return Shape(key_orders.pop(), inner, is_list)


@dataclass(slots=True)
class Field:
    """Entry of a header.

    Attributes:
        name: The key, or None if the row is the value itself.
        children: The entries of an object or a list whose items are columns; empty for a column.
        is_text: Whether every unquoted cell is a string.
        shape: The shape of the objects in the cells, or None if they are plain JSON.
        is_grouped: Whether it belongs to the columns whose values always come together.
        is_nested: Whether the cells count rows of a table further below.
        constant: The value of all rows, or `MISSING` if the field is a column.
        is_list: Whether the original has a list where the rows have the object of the children.
        wrapper: The only key of the objects in such a list, or None if it holds the values.
        aside: The value that stands once beside the columns, or `MISSING`.
        constructor: The source of the values of Python around the cells, if they have one.
        spelling: How the objects are written as JSON if the original has strings that hold them.
    """

    name: str | None
    children: list[Field] = field(default_factory=list)
    is_text: bool = False
    shape: Shape | None = None
    is_grouped: bool = False
    is_nested: bool = False
    constant: Value = MISSING
    is_list: bool = False
    wrapper: str | None = None
    aside: Value = MISSING
    constructor: Constructor | None = None
    spelling: Spelling | None = None


def write_fields(fields: list[Field]) -> str:
    """Return the text of a header for the fields."""
    return ",".join(_write_field(item) for item in fields)


def _write_field(item: Field) -> str:
    if item.is_list:
        return _write_list(item)
    name = "." if item.name is None else _write_name(item.name)
    if item.spelling is not None:
        description = item.spelling.describe()
        name += f"{JSON_SIGN}{quote(description) if description else ''}"
    if item.aside is not MISSING:
        return f"{name}=={dumps(item.aside)}"
    if item.children:
        return f"{name}{{{write_fields(item.children)}}}"
    if item.constant is not MISSING:
        return f"{name}{_write_constant(item)}"
    if item.shape:
        name += _write_shape(item.shape)
    elif item.constructor:
        name += f":{quote(item.constructor.describe())}"
    elif item.is_text:
        name += ":str"
    if item.is_grouped:
        name += "&"
    if item.is_nested:
        name += "+"
    return name


def _write_list(item: Field) -> str:
    name = "" if item.name is None else _write_name(item.name)
    wrapper = "" if item.wrapper is None else f"{{{_write_name(item.wrapper)}}}"
    return f"{name}[{write_fields(item.children)}]{wrapper}"


def _write_constant(item: Field) -> str:
    constructor, constant = item.constructor, item.constant
    if constructor is None or not isinstance(constant, str):
        return f"={dumps(constant)}"
    held = constructor.unwrap(constant.removeprefix(SOURCE_SIGN))
    return f":{quote(constructor.describe())}={quote(held)}"


def _write_name(name: str) -> str:
    return name if _BARE_NAME.fullmatch(name) else quote(name)


def _write_shape(shape: Shape) -> str:
    keys = ",".join(
        _write_name(key) + (_write_shape(inner) if inner else "")
        for key, inner in zip(shape.keys, shape.inner)
    )
    return f"[]{{{keys}}}" if shape.is_list else f":{{{keys}}}"


class HeaderReader:
    """Recursive-descent parser of a header.

    Attributes:
        text: The text of the header.
        position: Index of the next character to read.
    """

    def __init__(self, text: str, position: int = 0) -> None:
        self.text = text
        self.position = position

    def read_fields(self) -> list[Field]:
        """Read fields up to a closing brace or bracket, or the end.

        Raises:
            ValueError: If the header is malformed.
        """
        fields = [self._read_field()]
        while self._accept(","):
            fields.append(self._read_field())
        return fields

    def _read_field(self) -> Field:
        if self._accept("["):
            return self._read_list(None)
        name = None if self._accept_lone_dot() else self._read_name()
        spelling = None
        if self._accept(JSON_SIGN):
            is_described = self.text.startswith('"', self.position)
            spelling = Spelling.from_description(self._read_json()) if is_described else COMPACT
        return replace(self._read_value(name), spelling=spelling)

    def _read_value(self, name: str | None) -> Field:
        """Read the part of a field behind its name."""
        if self._accept("=="):
            return Field(name, aside=self._read_json())
        if not self.text.startswith("[]", self.position) and self._accept("["):
            return self._read_list(name)
        if self._accept("{"):
            children = self.read_fields()
            self._expect("}")
            return Field(name, children)
        if self._accept("="):
            return Field(name, constant=self._read_json())
        shape = self._read_shape()
        constructor = self._read_constructor()
        if constructor and self._accept("="):
            return Field(name, constant=f"{SOURCE_SIGN}{constructor.wrap(self._read_json())}")
        is_text = shape is None and (constructor is not None or self._accept(":str"))
        is_grouped = self._accept("&")
        is_nested = self._accept("+")
        return Field(
            name,
            is_text=is_text,
            shape=shape,
            is_grouped=is_grouped,
            is_nested=is_nested,
            constructor=constructor,
        )

    def _read_constructor(self) -> Constructor | None:
        if not self.text.startswith(':"', self.position):
            return None
        self.position += 1
        return Constructor.from_description(str(self._read_json()))

    def _read_list(self, name: str | None) -> Field:
        children = self.read_fields()
        self._expect("]")
        wrapper = None
        if self._accept("{"):
            wrapper = self._read_name()
            self._expect("}")
        return Field(name, children, is_list=True, wrapper=wrapper)

    def _read_shape(self) -> Shape | None:
        is_list = self._accept("[]{")
        if not is_list and not self._accept(":{"):
            return None
        keys, inner = [self._read_name()], [self._read_shape()]
        while self._accept(","):
            keys.append(self._read_name())
            inner.append(self._read_shape())
        self._expect("}")
        return Shape(tuple(keys), tuple(inner), is_list)

    def _read_name(self) -> str:
        if self.text.startswith('"', self.position):
            return str(self._read_json())
        name = self.text[self.position : self._find_name_end()]
        self.position += len(name)
        return name

    def _find_name_end(self) -> int:
        match = _NAME_END.search(self.text, self.position)
        return match.start() if match else len(self.text)

    def _accept_lone_dot(self) -> bool:
        """Consume the dot that stands for the value itself, unless a longer name begins with it."""
        return self.text[self.position : self._find_name_end()] == "." and self._accept(".")

    def _read_json(self) -> Value:
        value, self.position = scan(self.text, self.position)
        return value

    def _accept(self, token: str) -> bool:
        """Consume a token if it is next."""
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise ValueError(f"expected {token!r} at character {self.position} of the header")
