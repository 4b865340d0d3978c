"""What the labels say about the data: too few, unknown, rare, uneven, spelt in two ways."""

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from bertsmith.data.checking.finding import Finding, Splits, count, quoted, shown
from bertsmith.data.record import LabelKind, Record

FEW = 8  # texts of a label, below which a model hardly learns it
UNEVEN = 10  # times as many texts of the commonest label as of the rarest
TRAIN = "train"


def label_findings(splits: Splits, kind: LabelKind) -> Iterator[Finding]:
    """Look at the labels of all splits; those of `train` are the ones a model can learn."""
    if kind == "none":
        return
    train = splits.get(TRAIN, ())
    if kind == "number":
        yield from _numbers(train)
        for name, records in splits.items():
            if name != TRAIN:
                yield from _constant(name, records)
        return
    counts = Counter(label for record in train for label in labels_of(record))
    if train:
        yield from _known(train, counts, kind)
        for name, records in splits.items():
            if name != TRAIN:
                yield from _compared(name, records, counts)


def labels_of(record: Record) -> tuple[str, ...]:
    """The names a record is labelled with, none for a number."""
    if isinstance(record.label, tuple):
        return record.label
    return (record.label,) if isinstance(record.label, str) else ()


def _numbers(train: Sequence[Record]) -> Iterator[Finding]:
    scores = [record.label for record in train if isinstance(record.label, float)]
    if scores and min(scores) == max(scores):
        what = f"every text of {TRAIN} has the label {scores[0]:g}: there is nothing to learn"
        yield Finding("error", "one_label", what, "check the label column (--columns label=NAME)", train[0].where)
    elif scores:
        what = f"labels are numbers from {min(scores):g} to {max(scores):g}, mean {sum(scores) / len(scores):.3g}"
        yield Finding("info", "label_range", what, "nothing to do if this is the scale you mean")


def _constant(name: str, records: Sequence[Record]) -> Iterator[Finding]:
    """Correlations, the figures of numbers, need two that differ."""
    scores = [record.label for record in records if isinstance(record.label, float)]
    if scores and min(scores) == max(scores):
        file = records[0].where.rsplit(":", 1)[0] or name
        what = f"{file}: no two numbers of {name} differ ({count(len(scores), 'text')} with {scores[0]:g})"
        fix = f"a correlation needs two that do: give {name} other texts, or leave it out"
        yield Finding("error", "constant_scores", what, fix, records[0].where)


def _known(train: Sequence[Record], counts: Counter[str], kind: LabelKind) -> Iterator[Finding]:
    if len(counts) < (2 if kind == "single" else 1):
        only = f"only the label {quoted(next(iter(counts)))}" if counts else "no label at all"
        what = f"{train[0].where.rsplit(':', 1)[0] or TRAIN}: the training data hold {only}: there is nothing to learn"
        yield Finding("error", "one_label", what, "check the label column (--columns label=NAME)", train[0].where)
        return
    yield from _balance(train, counts)
    yield from _alike(counts)
    if len(train) >= 20 and len(counts) > len(train) / 2:
        what = f"{len(counts):,} different labels in {count(len(train), 'text')}: most labels occur once"
        yield Finding("warning", "too_many_labels", what, "is the label column right (--columns label=NAME)?")


def _balance(train: Sequence[Record], counts: Counter[str]) -> Iterator[Finding]:
    ranked = counts.most_common()
    (most, often), (least, seldom) = ranked[0], ranked[-1]
    listing = ", ".join(f"{quoted(label)} {number:,}" for label, number in ranked[:20])
    what = f"{count(len(counts), 'label')} in {TRAIN}: {listing}{', …' if len(ranked) > 20 else ''}"
    yield Finding("info", "labels", what, "nothing to do if these are the labels you mean")
    rare = [label for label, number in reversed(ranked) if number < FEW]
    if rare:
        names = ", ".join(f"{quoted(label)} {counts[label]}" for label in rare[:10])
        first = next(record for record in train if rare[0] in labels_of(record))
        what = f"{count(len(rare), 'label')} with fewer than {FEW} texts in {TRAIN}: {names}"
        fix = "label more of them, or merge or drop these labels; expect their scores to be chance"
        yield Finding("warning", "rare_label", what, fix, first.where, shown([first]))
    if often > UNEVEN * seldom:
        what = f"{quoted(most)} has {often:,} texts, {quoted(least)} {seldom:,}: accuracy will hide the rare labels"
        yield Finding("warning", "imbalance", what, "judge by macro_f1, and try class weights")


def _alike(counts: Counter[str]) -> Iterator[Finding]:
    spellings: dict[str, list[str]] = {}
    for label in counts:
        spellings.setdefault(" ".join(unicodedata.normalize("NFKC", label).casefold().split()), []).append(label)
    alike = [names for names in spellings.values() if len(names) > 1]
    if alike:
        examples = tuple(" = ".join(f"{quoted(name)} ({counts[name]:,})" for name in names) for names in alike[:5])
        what = f"{count(len(alike), 'label')} spelt in more than one way, by case, width or spaces: {examples[0]}"
        yield Finding("warning", "labels_alike", what, "write each label in one way", examples=examples)


def _compared(name: str, records: Sequence[Record], counts: Counter[str]) -> Iterator[Finding]:
    unseen: dict[str, list[Record]] = {}
    for record in records:
        for label in labels_of(record):
            if label not in counts:
                unseen.setdefault(label, []).append(record)
    if unseen:
        yield _unseen(name, unseen, counts)
    absent = set(counts) - {label for record in records for label in labels_of(record)}
    if absent and records:
        what = f"{count(len(absent), 'label')} of {TRAIN} never occur in {name}: "
        what += ", ".join(quoted(label) for label in sorted(absent)[:10])
        yield Finding("info", "absent_label", what, f"{name} cannot tell how well these are learned")


def _unseen(name: str, unseen: dict[str, list[Record]], counts: Counter[str]) -> Finding:
    label, records = next(iter(unseen.items()))
    near = difflib.get_close_matches(label, list(counts), n=1)
    meant = f"did you mean {quoted(near[0])}? " if near else ""
    others = f" ({count(len(unseen) - 1, 'other unseen label')} in {name})" if len(unseen) > 1 else ""
    what = f"{records[0].where}: label {quoted(label)} of {name} is not among the {len(counts)} labels of {TRAIN}"
    examples = tuple(
        f"{found[0].where} label {quoted(label)} ({count(len(found), 'text')})" for label, found in unseen.items()
    )
    fix = f"{meant}mend the label, add texts of it to {TRAIN}, or remove its rows from {name}"
    return Finding("error", "unseen_label", what + others, fix, records[0].where, examples[:5])
