"""Writes the tables of docs/recipe.md from the schema of recipes, so that no field is forgotten.

python tools/recipe_reference.py            writes
python tools/recipe_reference.py --print    prints
"""

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from markers import update
from pydantic.fields import FieldInfo

from bertsmith.config import Config
from bertsmith.recipes import FinalStage, FinetuneRecipe, MultiTaskRecipe, TaskRecipe
from bertsmith.recipes.schema import FOR_NARROW_ENCODERS, FROM_RANDOM_WEIGHTS, NARROW

PAGE = Path(__file__).resolve().parent.parent / "docs" / "recipe.md"
MARK = "recipe reference"
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}


def reference() -> str:
    """All sections: the recipe itself, every config inside it, what the start changes, and several tasks."""
    sections = dict.fromkeys(_sections(FinetuneRecipe, ()))
    return "\n" + "\n".join([*sections, *_starts(), *_several_tasks()]) + "\n"


def _several_tasks() -> Iterator[str]:
    """What a recipe of several tasks has of its own; the parts it shares with one task stand above."""
    yield _section(MultiTaskRecipe, (), title="A recipe of several tasks")
    yield _section(TaskRecipe, ("tasks", "NAME"))
    for kind in _configs(MultiTaskRecipe.model_fields["sampling"]):
        yield _section(kind, ("sampling",))
    yield _section(FinalStage, ("final",))


def _starts() -> Iterator[str]:
    """The defaults that depend on what a run starts from."""
    narrow = f"With a checkpoint whose `hidden_size` is below {NARROW}, `tiny-zh` among them,"
    for title, when, defaults in (
        ("From random weights", "With `start.encoder`", FROM_RANDOM_WEIGHTS),
        ("From a narrow encoder", narrow, FOR_NARROW_ENCODERS),
    ):
        rows = [
            f"| `{part}.{name}` | `{json.dumps(value)}` |"
            for part, values in defaults.items()
            for name, value in values.items()
        ]
        told = f"{when} these defaults take the place of those above."
        beside = "| `ngrams` (tasks `classification` and `pair`) | `{}` |"
        yield "\n".join([f"## {title}\n", f"{told}\n", "| field | default |\n|---|---|", *rows, beside, ""])


def _sections(kind: type[Config], path: tuple[str, ...]) -> Iterator[str]:
    yield _section(kind, path)
    for name, field in kind.model_fields.items():
        for inner in _configs(field):
            yield from _sections(inner, (*path, name))


def _section(kind: type[Config], path: tuple[str, ...], title: str = "The recipe") -> str:
    properties = kind.model_json_schema()["properties"]
    rows = [
        f"| `{'.'.join((*path, name))}` | {_value(field, properties[name])} | {_default(field)} |"
        for name, field in kind.model_fields.items()
    ]
    heading = f"## {'`' + '.'.join(path) + '`' if path else title}{_kind(kind)}\n"
    return "\n".join([heading, f"{_told(kind)}\n", "| field | value | default |\n|---|---|---|", *rows, ""])


def _told(kind: type[Config]) -> str:
    """Its docstring, then what it has from a class above."""
    lineage = kind.__mro__[: kind.__mro__.index(Config)]
    return "\n\n".join(inspect.cleandoc(one.__doc__) for one in lineage if one.__doc__)


def _value(field: FieldInfo, schema: dict[str, Any]) -> str:
    if _configs(field):
        return "see below" + (" or null" if type(None) in _members(field.annotation) else "")
    return allowed(schema)


def _configs(field: FieldInfo) -> list[type[Config]]:
    """The configs a field may hold: one, or the members of a union."""
    return [kind for kind in _members(field.annotation) if isinstance(kind, type) and issubclass(kind, Config)]


def _members(annotation: Any) -> Iterator[Any]:
    """The types a union is of, also of unions inside it."""
    if not isinstance(annotation, type) and get_args(annotation):
        for part in get_args(annotation):
            yield from _members(part)
    else:
        yield annotation


def _kind(kind: type[Config]) -> str:
    if "kind" not in kind.model_fields or kind in (FinetuneRecipe, MultiTaskRecipe):
        return ""
    return f" of kind `{kind.model_fields['kind'].default}`"


def allowed(schema: dict[str, Any]) -> str:
    """Which values a JSON schema allows, in words."""
    if "anyOf" in schema:
        return " or ".join(allowed(choice) for choice in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        parts = [allowed(part) for part in schema.get("prefixItems", ())]
        return f"[{'; '.join(parts)}]" if parts else f"a list of: {allowed(schema['items'])}"
    if schema["type"] == "object":
        return f"names, each with: {allowed(schema['additionalProperties'])}"
    bounds = [f"{sign} {schema[name]:g}" for name, sign in _BOUNDS.items() if name in schema]
    return ", ".join([_TYPES[schema["type"]], *bounds])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: must be given"
    if isinstance(field.default, Config):
        return f"kind `{field.default.kind}`" if "kind" in type(field.default).model_fields else ""
    return f"`{json.dumps(field.default)}`"


if __name__ == "__main__":
    if "--print" in sys.argv:
        print(reference())
    else:
        update(PAGE, MARK, reference())
