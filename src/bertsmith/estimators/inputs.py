"""What Python users hand over, as plain texts and labels: lists, arrays, columns of a table."""

from typing import Any

from bertsmith.errors import UserError
from bertsmith.recipes.bundle import LabelType

_TYPES: dict[type, LabelType] = {bool: "bool", int: "int", float: "float", str: "str"}


def plain(values: Any) -> list[Any]:
    """A list of Python values from a list, an array, a Series or a column."""
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    values = list(values.tolist() if hasattr(values, "tolist") else values)
    return [value.item() if hasattr(value, "item") else value for value in values]


def strings(inputs: Any) -> list[str]:
    """Texts, none of them blank.

    Raises:
        UserError: it is one text instead of many, or something in it is no text.
    """
    if isinstance(inputs, str):
        raise UserError("give a list of texts, not a single text: [text]", code="not_a_list")
    texts = plain(inputs)
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            message = f"inputs[{number}] must be a text with something in it, got {text!r:.60}"
            raise UserError(message, code="blank_text", where=f"inputs[{number}]")
    return texts


def label_type(labels: Any) -> LabelType:
    """The one type of all labels.

    Raises:
        UserError: a label is missing or of no simple type, or types are mixed.
    """
    found: dict[LabelType, Any] = {}
    for number, label in enumerate(plain(labels)):
        kind = next((name for kind, name in _TYPES.items() if isinstance(label, kind)), None)
        if kind is None or label != label:
            message = f"labels[{number}] is {label!r:.60}; a label is a text, a number or a truth value"
            raise UserError(message, code="bad_label", where=f"labels[{number}]")
        found.setdefault(kind, label)
    if len(found) > 1:
        shown = " and ".join(f"{label!r} ({kind})" for kind, label in found.items())
        raise UserError(f"labels must be of one type, found {shown}; make them alike", code="mixed_labels")
    return next(iter(found), "str")


def typed(label: str, kind: LabelType) -> Any:
    """The label as it was before it became text."""
    if kind == "bool":
        return label == "True"
    return {"str": str, "int": int, "float": float}[kind](label)
