"""What every kind of task knows: how labels are read, and how scores become answers and figures."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from bertsmith.config import Config
from bertsmith.data import Columns, LabelKind, PairKind, Record, read_records
from bertsmith.errors import UserError
from bertsmith.finetuning.documents import AnyDocument, Windows
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.preparation import Prepared, prepare
from bertsmith.finetuning.targets import Targets
from bertsmith.losses import LabelFacts
from bertsmith.metrics import Interval, Weighted
from bertsmith.text import Tokenizer

A = TypeVar("A", bound="Answers")


class Aim(Config, ABC):
    """What a run shall learn: the field `task` of a recipe, before any label was seen.

    `usual` holds the defaults of a recipe that are others for this kind; `criteria` names the kinds
    of criterion that fit; `per_token` says whether every token gets an answer, or every text;
    `calibrates`, whether outputs are the probabilities of one label each, which a temperature can calibrate;
    `counts_ngrams`, whether a linear model of n-grams can answer too: it needs one label a text, or pair.
    """

    reads: ClassVar[LabelKind] = "single"
    per_token: ClassVar[bool] = False
    calibrates: ClassVar[bool] = False
    counts_ngrams: ClassVar[bool] = False
    usual: ClassVar[Mapping[str, Any]] = {}
    criteria: ClassVar[tuple[str, ...]] = ("cross_entropy", "focal")

    @property
    def name(self) -> str:
        """The kind, as a recipe names it."""
        return str(vars(self)["kind"])

    @abstractmethod
    def learn(self, records: Sequence[Record]) -> "Answers":
        """What the training rows add: the names of the labels, the scale of the numbers.

        Raises:
            UserError: nothing can be learned from these rows.
        """

    def read(self, path: Path, columns: Columns, *, encoding: str = "utf-8", labelled: bool = True) -> Iterator[Record]:
        """Read a file as this task needs it, streamed.

        Raises:
            UserError: the file cannot be read, or a row lacks a text or a label.
        """
        labels = self.reads if labelled else "none"
        pairs: PairKind = "required" if self.pairs else "ignored"
        return read_records(path, columns, labels=labels, pairs=pairs, encoding=encoding)

    def prepare(
        self, records: Sequence[Record], tokenizer: Tokenizer, document: AnyDocument, *, max_length: int
    ) -> Prepared:
        """Tokenize rows, shorten them where they must be, and count what is lost.

        Raises:
            UserError: rows hold two texts where the task reads one, or the other way round.
        """
        if any(self.pairs != (record.text_pair is not None) for record in records):
            needs = "two texts (text and text_pair)" if self.pairs else "one text, not a pair"
            raise UserError(f"this task reads {needs}", code="wrong_task")
        assert not isinstance(document, Windows), "the recipe was checked"
        texts = [record.text for record in records]
        pairs = [record.text_pair or "" for record in records] if self.pairs else None
        return prepare(texts, pairs, tokenizer, document, max_length=max_length, both_orders=self.both_orders)

    @property
    def pairs(self) -> bool:
        """Whether it reads two texts."""
        return False

    @property
    def documents(self) -> tuple[str, ...]:
        """The kinds of document that fit."""
        return ("truncate", "auto") if self.pairs else ("truncate", "chunks", "auto")

    @property
    def both_orders(self) -> bool:
        """Whether a pair is read in both orders."""
        return False


class Answers(Aim):
    """An aim with what was learned of the training rows: stored in the bundle.

    Truth comes as `Targets`, what a model says as `Outputs`; both are read by the same object, so
    that training, metrics, predictions and the report agree.
    """

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the scores of one item; they tell how many there are."""

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels as people know them; none where the answer is a number."""
        return self.names

    def require_measurable(self, records: Sequence[Record], source: str) -> None:
        """Make sure that these rows can be measured: their labels are among those learned, their numbers differ.

        Raises:
            UserError: names the first row whose label is not, or the `source` of the numbers.
        """

    @abstractmethod
    def targets(self, records: Sequence[Record], prepared: Prepared | None = None) -> Targets:
        """What is true of these rows; only tasks that answer tokens look at `prepared`."""

    @abstractmethod
    def facts(self, truth: Targets) -> LabelFacts:
        """What the criterion may know of the training labels."""

    @abstractmethod
    def perfect(self, truth: Targets) -> Outputs:
        """What a model that knows everything would say."""

    @abstractmethod
    def metrics(self, outputs: Outputs, truth: Targets) -> dict[str, float]:
        """How good the outputs are."""

    @abstractmethod
    def intervals(self, outputs: Outputs, truth: Targets, *, seed: int) -> dict[str, Interval]:
        """95 % intervals of the same metrics, by bootstrap over texts."""

    @abstractmethod
    def figures(self, outputs: Outputs, truth: Targets) -> dict[str, Weighted]:
        """The same metrics as functions of how often each text is in a sample: for paired comparisons."""

    @abstractmethod
    def row(self, record: Record, outputs: Outputs, *, probabilities: bool = False) -> dict[str, Any]:
        """What is said of one text: `prediction`, `confidence`, on request the probability of every label."""

    @abstractmethod
    def truth_of(self, record: Record) -> Any:
        """The label of a row as predictions are written."""

    def notes(self, name: str, records: Sequence[Record]) -> tuple[str, ...]:
        """What should be said about the rows of a split, beside what is shortened."""
        return ()

    def details(self, outputs: Outputs, truth: Targets) -> dict[str, Any]:
        """What `evaluate` prints beside the metrics: tables as plain values."""
        return {}

    def tuned(self: A, outputs: Outputs, truth: Targets) -> A:
        """Decide what is to be decided on development texts (thresholds); most kinds have nothing."""
        return self

    def config_json(self) -> dict[str, Any]:
        """What config.json tells transformers."""
        return _label_table(self.names)


def _label_table(names: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
    }
