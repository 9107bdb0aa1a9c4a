"""Describe the JSON messages from their types, for the page on the protocol."""

import inspect
import re
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.inspect import (
    CustomType,
    DecimalType,
    Field,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    Metadata,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    type_info,
)

_ATTRIBUTE = re.compile(r"^    (\w+): ", re.MULTILINE)


def with_nested_messages(forms: Iterable[type[Struct]]) -> list[type[Struct]]:
    """Return the messages and those nested in them, each once, in the order of their first use."""
    found: dict[type[Struct], None] = {}
    for form in forms:
        if form not in found:
            found[form] = None
            found |= dict.fromkeys(with_nested_messages(_nested_messages(form)))
    return list(found)


def describe_message(form: type[Struct], *, is_request: bool) -> str:
    """Return the docstring of a message and the table of its fields; a response has all of them.

    Raises:
        ValueError: the docstring describes an attribute that does not exist.
    """
    prose, meanings = _docstring(form)
    names = ["field", "type", *(["required"] if is_request else []), "meaning"]
    rows = [names, ["---"] * len(names)]
    for field in _fields(form):
        need = [_required_text(field)] if is_request else []
        meaning = meanings.pop(field.name, "")
        rows.append([f"`{field.encode_name}`", _describe_type(field.type), *need, meaning])
    if meanings:
        raise ValueError(f"{form.__name__} has no {', '.join(meanings)}")
    return f"{prose}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _docstring(form: type[Struct]) -> tuple[str, dict[str, str]]:
    prose, _, attributes = inspect.cleandoc(form.__doc__ or "").partition("\n\nAttributes:\n")
    parts = _ATTRIBUTE.split(attributes)[1:]
    meanings = {
        name: " ".join(text.split()) for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
    return prose, meanings


def _fields(form: type[Struct]) -> tuple[Field, ...]:
    info = type_info(form)
    return info.fields if isinstance(info, StructType) else ()


def _nested_messages(form: type[Struct]) -> Iterator[type[Struct]]:
    for field in _fields(form):
        kinds = field.type.types if isinstance(field.type, UnionType) else (field.type,)
        for kind in kinds:
            item = kind.item_type if isinstance(kind, ListType) else kind
            if isinstance(item, StructType):
                yield item.cls


def _required_text(field: Field) -> str:
    return "yes" if field.required else "no"


def _describe_type(form: Type | CustomType) -> str:
    """Describe a type and its bounds.

    Raises:
        TypeError: the contract has a type without a description.
    """
    if isinstance(form, Metadata):  # a mark for our own code, such as a secret
        form = form.type
    if isinstance(form, UnionType):
        return " or ".join(map(_describe_type, form.types))
    if isinstance(form, NoneType):
        return "null"
    if isinstance(form, FloatType):
        return "number" + (f", {form.ge:g} to {form.le:g}" if form.le is not None else "")
    return _describe_plain_type(form)


def _describe_plain_type(form: Type | CustomType) -> str:
    match form:
        case StructType():
            return f"[{form.cls.__name__}](#{form.cls.__name__.lower()})"
        case ListType():
            return f"list of {_describe_type(form.item_type)}"
        case LiteralType():
            return " or ".join(
                f'"{value}"' if value == "" else f"`{value}`" for value in form.values
            )
        case StrType():
            return "string" + (f", at most {form.max_length}" if form.max_length else "")
        case IntType():
            return "integer" + (f", {form.ge} to {form.le}" if form.le is not None else "")
        case DecimalType():
            return "number, at most two decimals"
    raise TypeError(form)
