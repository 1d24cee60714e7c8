"""Structs → JSON Schema 2020-12: msgspec's own schemas, with what is written beside the fields and for each kind."""

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, get_args

import msgspec

from aparte.wire.kinds import KINDS
from aparte.wire.messages import Entry

Schema = dict[str, Any]


def components(types: Iterable[Any], template: str) -> tuple[list[Schema], dict[str, Schema]]:
    """Give the schema of each type, and by name those of all structs they are made of.

    `template` says how one refers to another, as `#/components/schemas/{name}`. Structs of one name are an error:
    a document in which `Sent` may be two things helps nobody.
    """
    wanted = list(types)
    structs = {cls.__name__: cls for cls in _structs(wanted)}
    if Entry in structs.values():
        wanted += [row.body for row in KINDS.values()]
        structs |= {cls.__name__: cls for cls in _structs(wanted)}
    shapes, named = msgspec.json.schema_components(wanted, ref_template=template)
    if set(named) != set(structs):
        raise ValueError(f"two structs share a name: {sorted(set(named) ^ set(structs))}")
    for name, schema in named.items():
        _describe(structs[name], schema)
    if "Entry" in named:
        named["Entry"] |= _bodies(template)
    return [_typed(shape) for shape in shapes], {name: _typed(named[name]) for name in sorted(named)}


def struct_name(cls: type[Any]) -> str:
    """Name a struct as documents do."""
    return cls.__name__


def text_of(thing: Any) -> str:
    """Give a docstring without its indentation."""
    return inspect.cleandoc(thing.__doc__ or "")


def field_notes(cls: type[Any]) -> dict[str, str]:
    """Read the strings that stand below the fields of a class."""
    return _notes_in(cls.__module__).get(cls.__name__, {})


@cache
def _notes_in(module: str) -> dict[str, dict[str, str]]:
    """Read the notes of all classes of a module at once."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: _notes_of(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _notes_of(cls: ast.ClassDef) -> dict[str, str]:
    notes: dict[str, str] = {}
    field = ""
    for node in cls.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and field:
            notes[field] = inspect.cleandoc(str(node.value.value))
        field = ""
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            field = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            field = node.targets[0].id
    return notes


def _structs(types: Iterable[Any]) -> Iterator[type[Any]]:
    """Find every struct that a type is made of."""
    seen: set[Any] = set()
    waiting = list(types)
    while waiting:
        wanted = waiting.pop()
        if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
            if wanted not in seen:
                seen.add(wanted)
                yield wanted
                waiting += [field.type for field in msgspec.structs.fields(wanted)]
        else:
            waiting += [part for part in get_args(wanted) if part is not wanted]


def _describe(cls: type[Any], schema: Schema) -> None:
    """Add what msgspec does not see: notes beside fields, and that times are times."""
    schema.pop("title", None)
    schema["description"] = text_of(cls)
    notes = field_notes(cls)
    for field in msgspec.structs.fields(cls):
        shape = schema["properties"][field.encode_name]
        if field.name in notes:
            shape["description"] = notes[field.name]
        if field.type is datetime or datetime in get_args(field.type):
            for part in [shape, *shape.get("anyOf", [])]:
                if part.get("type") == "string":
                    part["format"] = "date-time"


def _bodies(template: str) -> Schema:
    """Say for each kind of entry which struct its body is; without one it is erased or withheld."""
    cases: list[Schema] = []
    for row in KINDS.values():
        body = {"anyOf": [{"$ref": template.format(name=struct_name(row.body))}, {"type": "null"}]}
        cases.append(
            {
                "if": {"properties": {"kind": {"const": row.number}}},
                "then": {"properties": {"body": body}},
                "title": row.name,
            }
        )
    return {"allOf": cases}


def _typed(schema: Schema) -> Schema:
    """Give enumerations of strings their type: generators of clients ask for it."""
    if isinstance(schema.get("enum"), list) and all(isinstance(value, str) for value in schema["enum"]):
        schema = {"type": "string", **schema}
    return {key: _typed_part(value) for key, value in schema.items()}


def _typed_part(value: Any) -> Any:
    if isinstance(value, dict):
        return _typed(value)
    if isinstance(value, list):
        return [_typed_part(item) for item in value]
    return value
