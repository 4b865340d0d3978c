"""Files of single texts, pairs, triplets and groups: what sentence encoders learn from and are measured by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bertsmith.data.compression import read_chunks
from bertsmith.data.decoding import TextLines
from bertsmith.data.fields import Fields, read_label
from bertsmith.data.formats import bare_suffix, display_name, require_file
from bertsmith.data.reading import raw_rows
from bertsmith.data.record import Columns, Label, LabelKind, refusal

ItemKind = Literal["texts", "pairs", "scored", "labelled", "triplets", "groups"]
"""Single texts; two texts that mean the same; two with a number, or a label; an anchor with a positive and one or
more negatives; texts that all mean the same."""

_SCORED: dict[str, LabelKind] = {"scored": "number", "labelled": "single"}
_LISTS = ("texts", "synonyms")


class ItemColumns(Columns):
    """Which columns hold what; `negative` also stands for `negative_1`, `negative_2` ..."""

    anchor: str = "anchor"
    positive: str = "positive"
    negative: str = "negative"
    group: str = "group"


@dataclass(frozen=True, slots=True)
class TextItem:
    """Texts that stand together; `where` is their place, `label` what is said of them."""

    texts: tuple[str, ...]
    label: Label = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class ItemFile:
    """The items of a file, and what should be said of them."""

    kind: ItemKind
    items: tuple[TextItem, ...]
    name: str
    notes: tuple[str, ...] = field(default=())


def kind_of_rows(row: Mapping[str, Any], columns: ItemColumns) -> ItemKind | None:
    """What a file holds, by the columns of its first row; None where it cannot be told."""
    if columns.anchor in row and columns.positive in row:
        return "triplets" if _negatives(row, columns) else "pairs"
    if columns.text in row and columns.text_pair in row:
        return "scored" if columns.label in row else "pairs"
    if any(isinstance(row.get(name), list) for name in _LISTS):
        return "groups"
    if columns.text in row:
        return "groups" if columns.group in row else "texts"
    return None


def read_items(
    path: Path,
    columns: ItemColumns,
    *,
    wanted: ItemKind | None = None,
    positive_from: float | None = None,
    encoding: str = "utf-8",
) -> ItemFile:
    """Read a file as items of the kind that is wanted, or of its own.

    Any file gives texts. Where pairs are wanted, scored pairs give those from `positive_from` on, triplets
    and groups are given whole; where groups are wanted, pairs are groups of two. A `.txt` file has a text a line.

    Raises:
        UserError: the file cannot be read, or holds another kind.
    """
    require_file(path)
    name = display_name(path)
    if bare_suffix(path) == ".txt":
        lines = TextLines(read_chunks(path), name, encoding)
        items = [TextItem((line.strip(),), None, lines.place()) for line in lines if line.strip()]
        _require_kind("texts", wanted, name)
        return _file("texts", items, path)
    rows = list(raw_rows(path, encoding))
    if not rows:
        raise refusal(name, "the file holds no rows of data", "empty_file")
    found = kind_of_rows(rows[0][1], columns)
    if found is None:
        raise _unknown(rows[0][1], columns, f"{name}:{rows[0][0]}")
    placed = [(row, f"{name}:{number}") for number, row in rows]
    if wanted == "labelled" and found == "scored":
        found = "labelled"
    if wanted == "texts":
        return _file("texts", _single_texts(placed, found, columns), path)
    if wanted in ("pairs", "groups") and found == "scored":
        return _positives(placed, columns, positive_from, path.name)
    _require_kind(found, wanted, name)
    return _file(found, _READERS[found](placed, columns), path)


def _file(kind: ItemKind, items: Sequence[TextItem], path: Path) -> ItemFile:
    if not items:
        raise refusal(display_name(path), "the file holds no rows of data", "empty_file")
    return ItemFile(kind, tuple(items), path.name)


_FITS: dict[str, tuple[ItemKind, ...]] = {"pairs": ("triplets", "groups"), "groups": ("pairs",)}


def _require_kind(found: ItemKind, wanted: ItemKind | None, name: str) -> None:
    if wanted is None or found == wanted or found in _FITS.get(wanted, ()):
        return
    raise refusal(name, f"this holds {_NAMES[found]}, but the method learns from {_NAMES[wanted]}", "wrong_items")


_NAMES: dict[ItemKind, str] = {
    "texts": "single texts",
    "pairs": "pairs of texts (columns text and text_pair, or anchor and positive)",
    "scored": "pairs with a number (columns text, text_pair and label)",
    "labelled": "pairs with a label (columns text, text_pair and label)",
    "triplets": "triplets (columns anchor, positive and negative)",
    "groups": "groups of similar texts (columns text and group, or lists: texts)",
}

Placed = Sequence[tuple[Mapping[str, Any], str]]


def _single_texts(rows: Placed, found: ItemKind, columns: ItemColumns) -> list[TextItem]:
    """Every text of every row."""
    if found == "groups":
        return [TextItem((text,), None, item.where) for item in _groups(rows, columns) for text in item.texts]
    names = {
        "texts": [columns.text],
        "triplets": [columns.anchor, columns.positive, *_negatives(rows[0][0], columns)],
        "pairs": _pair_columns(rows[0][0], columns),
    }.get(found, [columns.text, columns.text_pair])
    return [TextItem((_text(row, name, where),), None, where) for row, where in rows for name in names]


def _texts(rows: Placed, columns: ItemColumns) -> list[TextItem]:
    return _single_texts(rows, "texts", columns)


def _pairs(rows: Placed, columns: ItemColumns) -> list[TextItem]:
    names = _pair_columns(rows[0][0], columns)
    return [TextItem(tuple(_text(row, name, where) for name in names), None, where) for row, where in rows]


def _scored(kind: LabelKind) -> Callable[[Placed, ItemColumns], list[TextItem]]:
    def read(rows: Placed, columns: ItemColumns) -> list[TextItem]:
        return [
            TextItem(
                (_text(row, columns.text, where), _text(row, columns.text_pair, where)),
                read_label(row.get(columns.label), kind, where),
                where,
            )
            for row, where in rows
        ]

    return read


def _positives(rows: Placed, columns: ItemColumns, positive_from: float | None, name: str) -> ItemFile:
    """The pairs whose number is high enough; of zeros and ones the ones."""
    scored = _scored("number")(rows, columns)
    numbers = {item.label for item in scored}
    if positive_from is None and not numbers <= {0.0, 1.0}:
        what = (
            "the pairs have numbers other than 0 and 1; say from which on they mean the same, as in --set "
            "data.positive_from=4"
        )
        raise refusal(name, what, "bad_setting")
    least = 1.0 if positive_from is None else positive_from
    kept = [item for item in scored if isinstance(item.label, float) and item.label >= least]
    if not kept:
        raise refusal(name, f"no pair has a number of {least:g} or more, so nothing is positive", "too_few_rows")
    note = f"{name}: of {len(scored):,} pairs, the {len(kept):,} with a number of {least:g} or more are positive"
    return ItemFile("pairs", tuple(kept), name, (note,))


def _triplets(rows: Placed, columns: ItemColumns) -> list[TextItem]:
    names = _negatives(rows[0][0], columns)
    items: list[TextItem] = []
    for row, where in rows:
        anchors = (_text(row, columns.anchor, where), _text(row, columns.positive, where))
        listed = row.get(columns.negative)
        if isinstance(listed, list):
            negatives = tuple(_text({"negative": text}, "negative", where) for text in listed)
        else:
            negatives = tuple(_text(row, name, where) for name in names)
        if items and len(negatives) != len(items[0].texts) - 2:
            what = f"{len(negatives)} negatives, but the rows before have {len(items[0].texts) - 2}; give each as many"
            raise refusal(where, what, "uneven")
        items.append(TextItem((*anchors, *negatives), None, where))
    return items


def _groups(rows: Placed, columns: ItemColumns) -> list[TextItem]:
    """One item a group, in the order of their first texts."""
    listed = next((name for name in _LISTS if isinstance(rows[0][0].get(name), list)), None)
    if listed is not None:
        return [_list(row, listed, columns, where) for row, where in rows]
    members: dict[str, list[tuple[str, str]]] = {}
    for row, where in rows:
        name = read_label(row.get(columns.group), "single", where)
        members.setdefault(str(name), []).append((_text(row, columns.text, where), where))
    return [TextItem(tuple(text for text, _ in group), name, group[0][1]) for name, group in members.items()]


def _list(row: Mapping[str, Any], name: str, columns: ItemColumns, where: str) -> TextItem:
    values = row.get(name)
    if not isinstance(values, list):
        raise refusal(where, f"field {name!r} must be a list of texts", "not_text")
    first = [_text(row, columns.text, where)] if name == "synonyms" else []
    return TextItem((*first, *(_text({name: text}, name, where) for text in values)), None, where)


_READERS: dict[ItemKind, Callable[[Placed, ItemColumns], list[TextItem]]] = {
    "texts": _texts,
    "pairs": _pairs,
    "scored": _scored("number"),
    "labelled": _scored("single"),
    "triplets": _triplets,
    "groups": _groups,
}


def _pair_columns(row: Mapping[str, Any], columns: ItemColumns) -> list[str]:
    anchored = columns.anchor in row and columns.positive in row
    return [columns.anchor, columns.positive] if anchored else [columns.text, columns.text_pair]


def _negatives(row: Mapping[str, Any], columns: ItemColumns) -> list[str]:
    """The columns of negatives, in the order of the file."""
    return [name for name in row if name == columns.negative or str(name).startswith(f"{columns.negative}_")]


def _text(row: Mapping[str, Any], column: str, where: str) -> str:
    fields = Fields(columns=Columns(text=column), labels="none", pairs="ignored")
    return fields.record(dict(row), where).text


def _unknown(row: Mapping[str, Any], columns: ItemColumns, where: str) -> Exception:
    found = ", ".join(map(repr, list(row)[:20]))
    wanted = "text; text and text_pair, perhaps with label; anchor, positive and negative; text and group"
    what = f"the columns are {found}, wanted are {wanted}; name them, as in --columns text=COLUMN,text_pair=COLUMN"
    return refusal(where, what, "missing_column")
