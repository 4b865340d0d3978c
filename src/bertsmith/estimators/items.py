"""What Python users give a sentence encoder to learn from: texts, pairs, triplets or groups, as items."""

from collections.abc import Sequence
from typing import Any

from bertsmith.data import ItemFile, ItemKind, Label, TextItem
from bertsmith.errors import UserError
from bertsmith.estimators.inputs import finite_numbers, plain, strings
from bertsmith.recipes import METHODS


def usual_method(items: Sequence[Any], labels: Sequence[Any] | None) -> str:
    """The method for items of this kind: that which needs nothing else.

    Raises:
        UserError: there are no items.
    """
    if not items:
        raise UserError("there is nothing to learn from: give texts, pairs, triplets or groups", code="too_few_rows")
    if labels is not None:
        return "sbert" if isinstance(labels[0], str) else "cosent"
    if isinstance(items[0], str):
        return "simcse"
    return "ranking" if len(items[0]) == 2 else "simcse-supervised"


def items_of(given: Any, labels: Any, *, method: str | None, name: str) -> ItemFile:
    """Items of the kind that the method learns from; without a method, as they are given.

    Raises:
        UserError: something is no text, items are uneven, or there are not as many labels as items.
    """
    rows = plain(given)
    examples = METHODS[method].defaults["examples"] if method in METHODS else None
    if rows and isinstance(rows[0], str):
        texts = [(text,) for text in strings(rows)]
        return _file("texts", texts, None, name)
    items = [tuple(strings(list(row))) for row in rows]
    if examples in ("copies", "texts"):
        return _file("texts", [(text,) for item in items for text in item], None, name)
    if examples == "groups":
        return _file("groups", items, None, name)
    sizes = {len(item) for item in items}
    if len(sizes) > 1:
        raise UserError(
            f"{name}: items have {' or '.join(map(str, sorted(sizes)))} texts; give each as many, or method='simbert', "
            "which learns from groups of any size",
            code="uneven",
        )
    if labels is None:
        return _file("pairs" if sizes == {2} else "triplets", items, None, name)
    known = plain(labels)
    if len(known) != len(items):
        raise UserError(f"{name}: {len(items)} pairs but {len(known)} labels; give one a pair", code="uneven")
    if known and isinstance(known[0], str):
        return _file("labelled", items, known, name)
    return _file("scored", items, finite_numbers(known, f"{name} labels"), name)


def _file(kind: ItemKind, items: Sequence[tuple[str, ...]], labels: Sequence[Label] | None, name: str) -> ItemFile:
    given: Sequence[Label] = labels if labels is not None else [None] * len(items)
    made = tuple(
        TextItem(texts, label, f"{name}[{number}]")
        for number, (texts, label) in enumerate(zip(items, given, strict=True))
    )
    return ItemFile(kind, made, name)
