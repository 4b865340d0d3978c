"""The base of every config: hyper-parameters with a meaning, frozen and checked, without weights."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from bertsmith.errors import UserError

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """A choice as a value: immutable, strict about unknown fields, printable as YAML.

    A recipe is a tree of configs. Members of a union carry a `kind` field that tells them apart;
    a part that names no kind is of the kind that stands there by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _usual_kinds(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        kinds = {name: getattr(field.default, "kind", None) for name, field in cls.model_fields.items()}
        return {
            name: {"kind": kinds[name], **part} if kinds.get(name) and isinstance(part, Mapping) else part
            for name, part in values.items()
        }

    def but(self: C, **changes: Any) -> C:
        """Return a copy with some fields changed, validated as if written by hand."""
        return type(self).model_validate({**dict(self), **changes})


def in_brief(config: Config) -> dict[str, Any]:
    """What is not as it is by default, as JSON has it; every part says its kind, so that it can be read back."""
    told: dict[str, Any] = _with_kinds(
        config.model_dump(mode="json", exclude_defaults=True), config.model_dump(mode="json")
    )
    return told


def _with_kinds(brief: Any, whole: Any) -> Any:
    if isinstance(brief, list):
        return [_with_kinds(one, other) for one, other in zip(brief, whole, strict=True)]
    if not isinstance(brief, dict):
        return brief
    kind = {"kind": whole["kind"]} if "kind" in whole else {}
    return kind | {name: _with_kinds(value, whole[name]) for name, value in brief.items()}


def parse_config(kind: type[C], values: Mapping[str, Any], *, where: str | None = None) -> C:
    """Validate `values` as a config of this kind.

    Raises:
        UserError: lists every wrong field with its path, the value found and the rule.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(error, values, where), code="bad_setting", where=where) from None


def with_settings(values: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Apply `path.to.field=value` settings, values read as YAML, to a nested mapping.

    Raises:
        UserError: a setting has no `=`, or its path runs through something that is not a mapping.
    """
    result: dict[str, Any] = _copied(values)
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path.strip():
            raise UserError(f"a setting is written path.to.field=value, got {setting!r}", code="bad_setting")
        _assign(result, path.strip().split("."), _yaml_value(text, setting), setting)
    return result


def with_values(values: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The same with values as they are: `{"path.to.field": value}`.

    Raises:
        UserError: a path runs through something that is not a mapping.
    """
    result: dict[str, Any] = _copied(values)
    for path, value in chosen.items():
        _assign(result, path.split("."), value, f"{path}={value}")
    return result


def _yaml_value(text: str, setting: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"the value of setting {setting!r} is not valid YAML: {error}", code="bad_setting") from None


def _assign(target: dict[str, Any], path: Sequence[str], value: Any, setting: str) -> None:
    *parents, last = path
    for name in parents:
        if target.get(name) is None:
            target[name] = {}
        target = target[name]
        if not isinstance(target, dict):
            raise UserError(f"setting {setting!r}: {name!r} is a single value, it has no fields", code="bad_setting")
    target[last] = value


def _copied(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {name: _copied(value) for name, value in values.items()}
    return values


def _explain(error: ValidationError, values: Mapping[str, Any], where: str | None) -> str:
    lines = [f"{where}: the settings do not fit:" if where else "the settings do not fit:"]
    for problem in error.errors():
        path = ".".join(_path(problem["loc"], values, missing=problem["type"] == "missing")) or "(top)"
        lines.append(f"  {path}: {problem['msg']} (got {problem['input']!r:.80})")
    return "\n".join(lines)


def _path(location: Sequence[int | str], values: Any, *, missing: bool) -> Iterator[str]:
    """Where a wrong value stands in `values`: the location without the kinds that pydantic puts between."""
    for part in location[:-1] if missing else location:
        if (isinstance(values, Mapping) and part in values) or (
            isinstance(values, list | tuple) and isinstance(part, int)
        ):
            values = values[part]  # type: ignore[index]
            yield str(part)
    if missing:
        yield str(location[-1])
