"""Spans of a text and their types, as a tag for every unit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field

from bertsmith.data import Broken, Columns, LabelKind, Marks, Record, read_tagged
from bertsmith.finetuning.answers.base import Aim, Answers
from bertsmith.finetuning.answers.classes import refuse_unseen
from bertsmith.finetuning.documents import AnyDocument, Windows
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.preparation import Prepared
from bertsmith.finetuning.targets import Targets
from bertsmith.finetuning.windows import read_windows
from bertsmith.losses import LabelFacts
from bertsmith.metrics import (
    NOTHING,
    Interval,
    Weighted,
    entity_intervals,
    entity_metrics,
    per_type,
    span_errors,
    type_confusion,
    weighted_entities,
)
from bertsmith.text import Tokenizer
from bertsmith.text.tags import SCHEMES, SchemeName, Span, read_spans
from bertsmith.text.units import Places, UnitKind, align, find_units, spans_of_units, units_of_spans

TrainedScheme = Literal["BIO", "BIOES", "BILOU", "BMES"]

CUT_SPANS = 0.001
"""The share of spans that may end inside a word before every character becomes a unit."""


class Tagging(Aim):
    """The spans of a text and their types: names, places, words (Devlin et al. 2019, arXiv 1810.04805 §5.3).

    Every unit gets a tag, on its first token. `units` says what is tagged where a text comes without
    tokens: `words` (Chinese characters are words) or `characters`; `auto` follows the training data.
    `scheme` is how tags spell spans; `auto` takes that of the training file, BIO where it has spans.
    `broken` says what becomes of a file's tags that break their scheme.
    """

    kind: Literal["tagging"] = "tagging"
    scheme: Literal["auto"] | TrainedScheme = "auto"
    units: Literal["auto"] | UnitKind = "auto"
    broken: Broken = "rare"

    reads: ClassVar[LabelKind] = "several"
    per_token: ClassVar[bool] = True
    usual: ClassVar[Mapping[str, Any]] = {
        "document": {"kind": "windows"},
        "features": {"pooling": "tokens"},
        "selection": {"metric": "f1"},
    }
    criteria: ClassVar[tuple[str, ...]] = ("cross_entropy", "focal", "crf")

    @property
    def documents(self) -> tuple[str, ...]:
        """All of a text is read."""
        return ("windows", "auto")

    def read(self, path: Path, columns: Columns, *, encoding: str = "utf-8", labelled: bool = True) -> Iterator[Record]:
        """Read CoNLL, or rows with `text` and `spans`."""
        return read_tagged(path, columns, labelled=labelled, broken=self.broken, encoding=encoding)

    def learn(self, records: Sequence[Record]) -> "TaggingAnswers":
        """The types of spans in order of their names, the scheme, and what a unit is."""
        types = sorted({span.type for record in records for span in _marks(record).spans})
        scheme = _usual_scheme(records) if self.scheme == "auto" else self.scheme
        units = _usual_units(records) if self.units == "auto" else self.units
        return TaggingAnswers(types=tuple(types), scheme=scheme, units=units, broken=self.broken)


@dataclass(frozen=True, slots=True)
class TagTargets(Targets):
    """The tag of every unit; with them the characters of the units and the true spans, as the data has them.

    A span that begins or ends inside a unit cannot be found; it counts as one to be found nevertheless.
    """

    units: tuple[Places, ...] = ()
    spans: tuple[tuple[Span, ...], ...] = ()


class TaggingAnswers(Answers, Tagging):
    """The types a span may have, and how tags spell them."""

    types: Annotated[tuple[str, ...], Field(min_length=1)]
    scheme: TrainedScheme
    units: UnitKind

    @property
    def names(self) -> tuple[str, ...]:
        """The tags: every one the scheme has for these types."""
        return SCHEMES[self.scheme].tags(self.types)

    @property
    def shown(self) -> tuple[str, ...]:
        """The types."""
        return self.types

    def require_measurable(self, records: Sequence[Record], source: str) -> None:
        """Every type is one of those learned."""
        refuse_unseen(records, self.types)

    def units_of(self, record: Record) -> Places:
        """The characters of each unit: the tokens of the file, or what the text is cut into."""
        given = _marks(record).units
        return find_units(record.text, self.units) if given is None else np.array(given, dtype=np.int64).reshape(-1, 2)

    def prepare(
        self, records: Sequence[Record], tokenizer: Tokenizer, document: AnyDocument, *, max_length: int
    ) -> Prepared:
        """Tokenize rows; long texts are read in windows, and nothing is lost."""
        assert isinstance(document, Windows), "the recipe was checked"
        texts = [record.text for record in records]
        aligned = align(texts, [self.units_of(record) for record in records], tokenizer)
        return read_windows(aligned, tokenizer, document, max_length=max_length)

    def targets(self, records: Sequence[Record], prepared: Prepared | None = None) -> TagTargets:
        """The number of the tag of every unit."""
        scheme, numbers = SCHEMES[self.scheme], {tag: number for number, tag in enumerate(self.names)}
        units = [self.units_of(record) for record in records]
        spans = [units_of_spans(_marks(record).spans, places)[0] for record, places in zip(records, units, strict=True)]
        tags = [
            numbers[tag] for each, places in zip(spans, units, strict=True) for tag in scheme.write(each, len(places))
        ]
        return TagTargets(
            values=np.array(tags, dtype=np.int64),
            counts=np.array([len(places) for places in units], dtype=np.int64),
            units=tuple(units),
            spans=tuple(_marks(record).spans for record in records),
        )

    def facts(self, truth: Targets) -> LabelFacts:
        """How often each tag occurs."""
        counts = np.bincount(truth.values, minlength=len(self.names)).tolist()
        return LabelFacts.of(self.names, counts, len(truth.values))

    def perfect(self, truth: Targets) -> Outputs:
        """All the probability on the true tags."""
        return Outputs(np.eye(len(self.names))[truth.values], truth.counts, truth.values)

    def found(self, outputs: Outputs, truth: Targets) -> list[list[Span]]:
        """The spans of every text that the outputs stand for, in characters."""
        assert isinstance(truth, TagTargets)
        return [self._spans(one, places)[1] for one, places in zip(outputs.split(), truth.units, strict=True)]

    def metrics(self, outputs: Outputs, truth: Targets) -> dict[str, float]:
        """`precision`, `recall` and `f1` of whole spans."""
        assert isinstance(truth, TagTargets)
        return entity_metrics(truth.spans, self.found(outputs, truth))

    def intervals(self, outputs: Outputs, truth: Targets, *, seed: int) -> dict[str, Interval]:
        """95 % intervals of the same, by bootstrap over texts."""
        assert isinstance(truth, TagTargets)
        return entity_intervals(truth.spans, self.found(outputs, truth), seed=seed)

    def figures(self, outputs: Outputs, truth: Targets) -> dict[str, Weighted]:
        """The same of samples."""
        assert isinstance(truth, TagTargets)
        return weighted_entities(truth.spans, self.found(outputs, truth))

    def row(self, record: Record, outputs: Outputs, *, probabilities: bool = False) -> dict[str, Any]:
        """The spans as `[start, end, type]` in characters, their texts, and how sure each is.

        The confidence of a span is the probability of the least probable of its tags. Of a text that came
        in tokens, `predicted_tags` holds a tag for each.
        """
        places = self.units_of(record)
        units, spans = self._spans(outputs, places)
        told: dict[str, Any] = {
            "prediction": [list(span) for span in spans],
            "confidence": [self._confidence(span, outputs) for span in units],
            "entities": [record.text[span.start : span.end] for span in spans],
        }
        if _marks(record).units is not None:
            told["predicted_tags"] = SCHEMES[self.scheme].write(units, len(places))
        if probabilities:
            told["units"] = places.tolist()
            told["tag_probabilities"] = [
                dict(zip(self.names, map(lambda chance: round(float(chance), 6), row), strict=True))
                for row in outputs.values
            ]
        return told

    def truth_of(self, record: Record) -> list[list[Any]]:
        """The true spans as predictions are written."""
        return [list(span) for span in _marks(record).spans]

    def details(self, outputs: Outputs, truth: Targets) -> dict[str, Any]:
        """How well each type is found, which types are taken for which, and what kinds of error there are."""
        assert isinstance(truth, TagTargets)
        found = self.found(outputs, truth)
        kinds = [error.kind for error in span_errors(truth.spans, found)]
        return {
            "labels": [*self.types, NOTHING],
            "confusion": type_confusion(truth.spans, found, types=self.types).tolist(),
            "per_class": [
                {
                    "label": scores.label,
                    "precision": scores.precision,
                    "recall": scores.recall,
                    "f1": scores.f1,
                    "support": scores.support,
                }
                for scores in per_type(truth.spans, found, types=self.types)
            ],
            "errors": {kind: kinds.count(kind) for kind in ("missed", "invented", "type", "boundary")},
        }

    def notes(self, name: str, records: Sequence[Record]) -> tuple[str, ...]:
        """Tags that break their scheme, and spans that end inside a unit."""
        broken = [marks.broken for marks in map(_marks, records) if marks.broken]
        unfit = sum(units_of_spans(_marks(record).spans, self.units_of(record))[1] for record in records)
        told = []
        if broken:
            told.append(
                f"{name}: the tags of {len(broken):,} of {len(records):,} sentences break their scheme and are read as "
                f"conlleval reads them; the first is {broken[0]}"
            )
        if unfit:
            told.append(
                f"{name}: {unfit:,} spans begin or end inside a unit (units: {self.units}); they cannot be found as "
                "they are and count as missed; --set task.units=characters makes every character a unit"
            )
        return tuple(told)

    def _spans(self, outputs: Outputs, places: Places) -> tuple[list[Span], list[Span]]:
        """The spans of one text in units, and in characters."""
        names = self.names
        units = read_spans([names[number] for number in _best(outputs)])
        return units, spans_of_units(units, places)

    def _confidence(self, span: Span, outputs: Outputs) -> float:
        rows = np.arange(span.start, span.end)
        return round(float(outputs.values[rows, _best(outputs)[rows]].min()), 6)


def _best(outputs: Outputs) -> Int[np.ndarray, "units"]:
    assert outputs.best is not None
    return outputs.best


def _marks(record: Record) -> Marks:
    return record.marks or Marks()


def _usual_scheme(records: Sequence[Record]) -> TrainedScheme:
    """The scheme of the file, but BIO for IOB1, in which a span's tags depend on its neighbour."""
    found: SchemeName | None = next((record.marks.scheme for record in records if record.marks), None)
    return "BIO" if found is None or found == "IOB1" else found


def _usual_units(records: Sequence[Record]) -> UnitKind:
    """Characters where the tokens of the training file are, or where too many spans end inside a word."""
    given = [len(token) for record in records for token in record.row.get("tokens", ()) if _marks(record).units]
    if given:
        return "characters" if np.mean(np.array(given) == 1) > 0.9 else "words"
    spans = sum(len(_marks(record).spans) for record in records)
    unfit = sum(units_of_spans(_marks(record).spans, find_units(record.text, "words"))[1] for record in records)
    return "characters" if unfit > CUT_SPANS * spans else "words"
