"""The data of a stage: read, cleared of what must not be learned, a part set aside, numbered text by text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bertsmith.data import Columns, ItemColumns, ItemFile, ItemKind, Label, TextItem, read_items, stratified_split
from bertsmith.data.formats import bare_suffix
from bertsmith.data.grams import comparable
from bertsmith.data.splitting import tied
from bertsmith.errors import UserError
from bertsmith.recipes.contrast_schema import ContrastFiles, Stage
from bertsmith.recipes.sts_sets import pair_columns
from bertsmith.sentences.items import Items, Partners, Slots, drawn_pairs

_MEASURED = ("pairs", "scored", "triplets", "groups")


@dataclass(frozen=True, slots=True)
class ItemSplits:
    """The items of a stage: those to learn from, and what the model is measured by."""

    train: ItemFile
    dev: ItemFile | None
    test: ItemFile | None
    notes: tuple[str, ...] = ()

    def measured(self) -> dict[str, ItemFile]:
        """Dev and test, those that exist."""
        return {name: file for name in ("dev", "test") if (file := getattr(self, name)) is not None}

    @property
    def texts(self) -> list[str]:
        """All training texts."""
        return [text for item in self.train.items for text in item.texts]


def read_item_splits(stage: Stage, *, seed: int) -> ItemSplits:
    """Read the files a stage names.

    Raises:
        UserError: a file cannot be read, or holds something else.
    """
    data = stage.data
    if not data.train:
        raise UserError("no training data: give --train FILE", code="bad_usage")
    wanted: ItemKind = "texts" if stage.examples == "copies" else stage.examples
    train = _read(data.train, data, wanted)
    files = {name: _read(path, data, None) for name in ("dev", "test") if (path := getattr(data, name)) is not None}
    return make_item_splits(train, stage, dev=files.get("dev"), test=files.get("test"), seed=seed)


def _read(path: str, data: ContrastFiles, wanted: ItemKind | None) -> ItemFile:
    """A file, with the columns of common sets of pairs (sentence1, sentence2, score) where it has no others."""
    columns = data.columns
    notes: tuple[str, ...] = ()
    if columns == ItemColumns() and bare_suffix(Path(path)) != ".txt":
        known, notes = pair_columns(Path(path), Columns(), data.encoding)
        columns = columns.but(text=known.text, text_pair=known.text_pair, label=known.label)
    file = read_items(Path(path), columns, wanted=wanted, positive_from=data.positive_from, encoding=data.encoding)
    return replace(file, notes=(*notes, *file.notes))


def make_item_splits(
    train: ItemFile, stage: Stage, *, dev: ItemFile | None = None, test: ItemFile | None = None, seed: int
) -> ItemSplits:
    """Clear the training items, and set some aside where there is no dev part.

    Raises:
        UserError: nothing is left to learn from, or a part holds nothing to be measured by.
    """
    for name, file in (("dev", dev), ("test", test)):
        if file is not None and file.kind not in _MEASURED:
            raise UserError(
                f"{file.name} ({name}) holds {file.kind}, by which vectors cannot be measured; give pairs with a "
                "number, triplets, pairs or groups",
                code="wrong_items",
                where=file.name,
            )
    train, excluded = _without_excluded(train, stage.data)
    if "groups" in (stage.examples, train.kind):
        train, single = _groups_of_two(train)
        excluded += single
    notes = [*train.notes, *excluded, *(note for file in (dev, test) if file is not None for note in file.notes)]
    if dev is None:
        train, dev, told = _set_aside(train, stage, seed)
        notes.append(told)
    train, sampled = _sampled(train, stage.data, seed)
    notes += sampled
    notes += _seen_before(train, {"dev": dev, "test": test} if stage.data.dev is not None else {"test": test})
    return ItemSplits(train, dev, test, tuple(notes))


@dataclass(frozen=True, slots=True)
class Numbered:
    """Texts by number, each once, and the numbers of the texts of each item."""

    texts: tuple[str, ...]
    members: tuple[Int[np.ndarray, "_"], ...]

    @classmethod
    def of(cls, items: Sequence[TextItem]) -> "Numbered":
        """Number them in their order."""
        numbers: dict[str, int] = {}
        members = tuple(
            np.array([numbers.setdefault(text, len(numbers)) for text in item.texts], dtype=np.int64) for item in items
        )
        return cls(tuple(numbers), members)


def training_items(splits: ItemSplits, stage: Stage, *, seed: int, labels: Sequence[Label] = ()) -> Items:
    """The items the learner meets; `labels` are the classes in their order."""
    items = splits.train.items
    numbered = Numbered.of(items)
    keys = [comparable(text) for text in numbered.texts]
    _, classes = np.unique(np.array(keys, dtype=object), return_inverse=True)
    classes = classes.astype(np.int64)
    truth = None
    if stage.examples in ("copies", "texts"):
        slots = np.arange(len(numbered.texts))[:, None].repeat(2 if stage.examples == "copies" else 1, axis=1)
        return Items(numbered.texts, classes, _Always(slots), Partners.of(_none(), len(keys)))
    if "groups" in (stage.examples, splits.train.kind):
        joined = tied([[("group", number), *(keys[text] for text in each)] for number, each in _named(numbered)])
        owner = np.unique(np.array(joined, dtype=object), return_inverse=True)[1].astype(np.int64)
        for number, each in enumerate(numbered.members):
            classes[each] = owner[number]
        members = [np.unique(each) for each in numbered.members]
        return Items(numbered.texts, classes, drawn_pairs(members, seed=seed), Partners.of(_none(), len(keys)))
    slots = np.stack(numbered.members)
    if stage.examples == "labelled":
        places = {label: place for place, label in enumerate(labels)}
        truth = np.array([places[item.label] for item in items], dtype=np.int64)
    if stage.examples == "scored":
        truth = np.array([item.label for item in items], dtype=np.float64)
    positives = classes[slots[:, :2]] if truth is None else _none()
    return Items(numbered.texts, classes, _Always(slots), Partners.of(positives, int(classes.max()) + 1), truth)


def class_names(splits: ItemSplits) -> tuple[str, ...]:
    """The labels of labelled pairs, in order."""
    return tuple(sorted({str(item.label) for item in splits.train.items}))


def _named(numbered: Numbered) -> list[tuple[int, Int[np.ndarray, "_"]]]:
    return list(enumerate(numbered.members))


def _none() -> Int[np.ndarray, "pairs two"]:
    return np.zeros((0, 2), dtype=np.int64)


class _Always:
    """The same items every epoch."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def __call__(self, epoch: int) -> Slots:
        return self._slots


def _without_excluded(train: ItemFile, data: ContrastFiles) -> tuple[ItemFile, tuple[str, ...]]:
    """Leave out every item with a text of the excluded files; of groups and single texts, those texts."""
    if not data.exclude:
        return train, ()
    files = [_read(path, data, "texts") for path in data.exclude]
    known = {comparable(text) for file in files for item in file.items for text in item.texts}
    before = sum(len(item.texts) for item in train.items)
    if train.kind == "groups":
        kept = [replace(item, texts=tuple(t for t in item.texts if comparable(t) not in known)) for item in train.items]
        kept = [item for item in kept if item.texts]
    else:
        kept = [item for item in train.items if not any(comparable(text) in known for text in item.texts)]
    if not kept:
        raise UserError(
            f"every text of {train.name} also stands in the excluded files, so nothing is left to learn from; "
            "exclude the evaluation files only",
            code="too_few_rows",
            where=train.name,
        )
    names = ", ".join(file.name for file in files)
    lost = before - sum(len(item.texts) for item in kept)
    note = (
        f"left out of {train.name}, since they also stand in {names}, or stand beside such a text: {lost:,} texts; "
        f"{len(kept):,} of {len(train.items):,} items are left"
    )
    return replace(train, items=tuple(kept)), (note,)


def _groups_of_two(train: ItemFile) -> tuple[ItemFile, tuple[str, ...]]:
    """Groups with at least two different texts; the others have no partner to learn from."""
    kept = tuple(item for item in train.items if len({comparable(text) for text in item.texts}) > 1)
    if not kept:
        raise UserError(
            f"{train.name}: no group has two different texts, so there is nothing to pair", code="too_few_rows"
        )
    lost = len(train.items) - len(kept)
    note = f"{train.name}: {lost:,} of {len(train.items):,} groups have one text only and are left out"
    return replace(train, items=kept), (note,) if lost else ()


def _set_aside(train: ItemFile, stage: Stage, seed: int) -> tuple[ItemFile, ItemFile | None, str]:
    """A development part of the training items; single texts and labels without an order cannot be measured by."""
    why = {
        "texts": "single texts have nothing to be measured by",
        "labelled": "labels without an order cannot be compared with cosines",
    }.get(train.kind)
    if why is not None:
        return train, None, f"no --dev: {why}, so the weights of the last update are kept"
    items, share = train.items, stage.data.dev_share
    keys = [repr(tuple(comparable(text) for text in item.texts)) for item in items]
    labels = [item.label if train.kind == "scored" else None for item in items]
    rows, aside = stratified_split(labels, share=share, seed=seed, groups=keys)
    if len(aside) < 2 or len(rows) < 2:
        told = (
            f"no --dev: {len(items):,} items of {train.name} are too few to set some aside; the last weights are kept"
        )
        return train, None, told
    told = (
        f"no --dev: {len(aside):,} of {len(items):,} items of {train.name} were set aside for development (seed {seed})"
    )
    dev = ItemFile(train.kind, tuple(items[row] for row in aside), f"{share:.0%} of {train.name}")
    return replace(train, items=tuple(items[row] for row in rows)), dev, told


def _sampled(train: ItemFile, data: ContrastFiles, seed: int) -> tuple[ItemFile, list[str]]:
    """The texts that are learned from: each once where they stand alone, and no more than are asked for."""
    items, notes = train.items, []
    if train.kind == "texts":
        items = tuple({comparable(item.texts[0]): item for item in reversed(items)}.values())[::-1]
        if len(items) < len(train.items):
            notes.append(f"{train.name}: {len(train.items) - len(items):,} texts stand there again and are read once")
    if data.sample is not None and data.sample < len(items):
        random = np.random.Generator(np.random.PCG64([seed, 3]))
        rows = np.sort(random.permutation(len(items))[: data.sample])
        notes.append(f"{train.name}: {data.sample:,} of {len(items):,} items are drawn to learn from (data.sample)")
        items = tuple(items[row] for row in rows)
    return replace(train, items=items), notes


def _seen_before(train: ItemFile, files: dict[str, ItemFile | None]) -> list[str]:
    """How many texts the model is measured by are learned from too: a transductive set-up."""
    known = {comparable(text) for item in train.items for text in item.texts}
    notes = []
    for name, file in files.items():
        if file is None:
            continue
        texts = {comparable(text) for item in file.items for text in item.texts}
        if seen := len(texts & known):
            notes.append(
                f"{name}: {seen:,} of {len(texts):,} texts of {file.name} also stand in the training data, so its "
                "figures are transductive; --exclude leaves them out"
            )
    return notes
