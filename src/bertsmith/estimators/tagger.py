"""Texts, or tokens, to spans."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from bertsmith.data import Marks, Record, Sentence, read_spans_of_row, sentence_records
from bertsmith.errors import UserError
from bertsmith.estimators.base import Given, Labelled, TextEstimator, Texts
from bertsmith.estimators.inputs import plain, strings
from bertsmith.finetuning import TaggingAnswers
from bertsmith.recipes import Answering
from bertsmith.text.tags import is_tag
from bertsmith.text.units import text_of_tokens
from bertsmith.training import resolve_device


class Entity(NamedTuple):
    """A span found in a text: its characters (end exclusive), its type, its text, and how sure it is."""

    start: int
    end: int
    type: str
    text: str
    confidence: float


class Tagger(TextEstimator):
    """Spans of texts and their types.

    Inputs are texts with spans `[(start, end, type), ...]` in characters, end exclusive; or lists of tokens
    with a tag each (BIO, IOB1, BIOES, BILOU or BMES). Answers come as the inputs do.

    >>> Tagger("tiny-zh").fit(["彭小军去北京"], [[(0, 3, "PER"), (4, 6, "LOC")]])  # doctest: +SKIP
    """

    tasks: ClassVar[tuple[str, ...]] = ("tagging",)

    def fit(self, texts: Any, marks: Any, *, dev: tuple[Any, Any] | None = None) -> "Tagger":
        """Train on texts and spans, or tokens and tags; the best weights are chosen on `dev`, or on 10 % set aside.

        Raises:
            UserError: texts and spans do not fit, spans overlap, tags break their scheme, or the checkpoint
                cannot be had.
        """
        self._train(texts, marks, dev)
        return self

    def labelled(self, given: Given) -> Labelled:
        """Spans, or a tag a token."""
        return Labelled({name: _marked(some, theirs, name) for name, (some, theirs) in given.items()}, {}, "str")

    def predict(self, texts: Any) -> list[list[Any]]:
        """The spans `(start, end, type)` of every text; of lists of tokens, a tag for every token."""
        if _are_tokens(texts):
            return [row["predicted_tags"] for row in self._rows(texts)]
        return [[tuple(span) for span in row["prediction"]] for row in self._rows(texts)]

    def entities(self, texts: Any) -> list[list[Entity]]:
        """The same spans with their texts, and how sure each is."""
        return [
            [
                Entity(start, end, kind, text, sure)
                for (start, end, kind), text, sure in zip(
                    row["prediction"], row["entities"], row["confidence"], strict=True
                )
            ]
            for row in self._rows(texts)
        ]

    def score(self, texts: Any, marks: Any) -> float:
        """The F1 of whole spans."""
        bundle, records = self._fitted(), _marked(texts, marks, "texts")
        bundle.answers.require_measurable(records, "texts")
        prepared = bundle.prepare(records)
        outputs = bundle.outputs(prepared, device=resolve_device(self.device))
        return bundle.answers.metrics(outputs, bundle.answers.targets(records, prepared))["f1"]

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn wants to know: an estimator of strings."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=True),
            input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
        )

    def _take(self, bundle: Answering) -> None:
        super()._take(bundle)
        assert isinstance(bundle.answers, TaggingAnswers)
        self.classes_ = np.array(bundle.answers.types)

    def _rows(self, texts: Any) -> list[dict[str, Any]]:
        bundle = self._fitted()
        records = _records_of_tokens(texts) if _are_tokens(texts) else [Record(text) for text in self._texts(texts)[0]]
        if not records:
            return []
        outputs = bundle.outputs(bundle.prepare(records), device=resolve_device(self.device))
        return [bundle.answers.row(record, one) for record, one in zip(records, outputs.split(), strict=True)]

    def _texts(self, inputs: Any) -> Texts:
        return strings(inputs), None


def _are_tokens(texts: Any) -> bool:
    return not isinstance(texts, str) and len(texts) > 0 and not isinstance(next(iter(texts)), str)


def _marked(texts: Any, marks: Any, name: str) -> list[Record]:
    """Texts and spans, or tokens and tags, as rows."""
    if len(texts) != len(marks):
        raise UserError(f"{name}: {len(texts)} texts but {len(marks)} lists of spans or tags", code="uneven")
    if _are_tokens(texts):
        return _tagged(texts, marks, name)
    rows = []
    for number, (text, spans) in enumerate(zip(strings(texts), marks, strict=True)):
        where = f"{name}[{number}]"
        found = read_spans_of_row([list(span) for span in spans], text, where)
        types = tuple(sorted({span.type for span in found}))
        rows.append(Record(text, None, types, {}, where, Marks(found)))
    return rows


def _tagged(tokens: Any, tags: Any, name: str) -> list[Record]:
    sentences = []
    for number, (words, theirs) in enumerate(zip(_token_lists(tokens), tags, strict=True)):
        where = f"{name}[{number}]"
        given = tuple(str(tag) for tag in plain(theirs))
        wrong = next((tag for tag in given if not is_tag(tag)), None)
        if len(given) != len(words) or wrong is not None:
            told = f"{len(words)} tokens but {len(given)} tags" if wrong is None else f"{wrong!r} is no tag"
            raise UserError(f"{where}: {told}; give one tag a token, as O or B-PER", code="bad_tag", where=where)
        sentences.append(Sentence(words, given, (where,) * len(words)))
    return list(sentence_records(sentences))


def _records_of_tokens(tokens: Any) -> list[Record]:
    records = []
    for words in _token_lists(tokens):
        text, units = text_of_tokens(words)
        records.append(Record(text, row={"tokens": list(words)}, marks=Marks((), units)))
    return records


def _token_lists(tokens: Any) -> list[tuple[str, ...]]:
    lists: list[Sequence[Any]] = [plain(words) for words in tokens]
    for number, words in enumerate(lists):
        wrong = next((word for word in words if not isinstance(word, str) or not word.strip()), None)
        if wrong is not None or not words:
            what = "is empty" if not words else f"holds {wrong!r:.40}, which is no token"
            raise UserError(f"inputs[{number}] {what}", code="blank_text", where=f"inputs[{number}]")
    return [tuple(words) for words in lists]
