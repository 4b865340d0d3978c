"""What a report tells, as plain values: no module, no file and no model is looked at again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from bertsmith.metrics import Interval
from bertsmith.text.tags import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Every row of an evaluated split: what it says, what is true, what the model answers.

    `truth` and `answers` are places in `labels`; `pairs` holds the second texts of a pair task,
    `where` the rows' places (`test.csv:17`); both may be empty.
    """

    labels: Sequence[str]
    truth: Int[np.ndarray, " rows"]
    answers: Int[np.ndarray, " rows"]
    probabilities: Float[np.ndarray, "rows labels"]
    texts: Sequence[str]
    pairs: Sequence[str] = ()
    where: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSets:
    """Every row of an evaluated split of which each label is true or not; `cuts` are the labels' thresholds."""

    labels: Sequence[str]
    truth: Bool[np.ndarray, "rows labels"]
    answers: Bool[np.ndarray, "rows labels"]
    probabilities: Float[np.ndarray, "rows labels"]
    cuts: Sequence[float]
    texts: Sequence[str]
    pairs: Sequence[str] = ()
    where: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Every row of an evaluated split with the true number and the number answered."""

    truth: Float[np.ndarray, " rows"]
    answers: Float[np.ndarray, " rows"]
    texts: Sequence[str]
    pairs: Sequence[str] = ()
    where: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedTexts:
    """Every row of an evaluated split with its true spans and those answered, in characters."""

    types: Sequence[str]
    truth: Sequence[Sequence[Span]]
    answers: Sequence[Sequence[Span]]
    texts: Sequence[str]
    pairs: Sequence[str] = ()
    where: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One evaluated split. `source` says where its rows come from (`test.csv`, `10 % of train.csv`).

    `called` and `remark` replace what is usually said of dev and test.
    """

    name: Literal["dev", "test"]
    source: str
    rows: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    answers: Answers | LabelSets | Numbers | MarkedTexts | None = None
    called: str | None = None
    remark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncation:
    """How long texts were shortened, and how much of the training texts that cost.

    `whole`: nothing is cut at `max_length`, longer texts are read in parts of that length. `why` says what
    speaks for the strategy, where the data decided.
    """

    strategy: str
    max_length: int
    texts: int
    tokens: int
    whole: bool = False
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the reader should know: a finding of the check, a re-initialised weight."""

    level: Literal["error", "warning", "info"]
    what: str
    where: str | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """How training went, by update; the dev metric at the updates where it was measured."""

    steps: Int[np.ndarray, " updates"]
    loss: Float[np.ndarray, " updates"]
    rate: Float[np.ndarray, " updates"]
    metric: str
    dev_steps: Int[np.ndarray, " evaluations"]
    dev: Float[np.ndarray, " evaluations"]
    best_step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One number by update: in training, and at some updates on held-out texts; either may be empty."""

    name: str
    steps: Int[np.ndarray, " updates"]
    values: Float[np.ndarray, " updates"]
    heldout_steps: Int[np.ndarray, " evaluations"]
    heldout: Float[np.ndarray, " evaluations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterGroup:
    """Weights that learn at the same peak rate with the same decay."""

    name: str
    parameters: int
    rate: float
    decay: float
    tensors: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What training cost; memory is the peak in bytes."""

    seconds: float
    tokens: int
    updates: int
    memory: int | None = None


@runtime_checkable
class AnyReport(Protocol):
    """What the report of every run holds."""

    @property
    def notices(self) -> Sequence[Notice]:
        """What the reader should know."""
        ...

    @property
    def speed(self) -> Speed | None:
        """What it cost."""
        ...

    @property
    def command(self) -> Sequence[str]:
        """The command line."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """What it was computed with."""
        ...

    @property
    def recipe(self) -> str:
        """The complete recipe."""
        ...


@runtime_checkable
class AnyTuned(AnyReport, Protocol):
    """What the report of every run that fine-tunes holds."""

    @property
    def curves(self) -> Curves | None:
        """How it went."""
        ...

    @property
    def groups(self) -> Sequence[ParameterGroup]:
        """Which weights learned how fast."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One training run. `splits` goes from the least to the most held-out one: dev, then test.

    `setup` names further choices in the reader's words (`Seed`: `42`, `Precision`: `bfloat16`);
    `lengths` are tokens per training text before truncation, special tokens included;
    `base_model` is the hub id the weights come from, if they come from there; `members` is how many models answer
    together. `joined` holds the metrics of each split by who answers, where n-grams answer beside the encoder.
    """

    title: str
    task: str
    model: str
    train_source: str
    train_texts: int
    labels: Sequence[str] = ()
    splits: Sequence[Split] = ()
    truncation: Truncation | None = None
    setup: Mapping[str, str] = field(default_factory=dict)
    notices: Sequence[Notice] = ()
    curves: Curves | None = None
    lengths: Int[np.ndarray, " texts"] | None = None
    groups: Sequence[ParameterGroup] = ()
    speed: Speed | None = None
    command: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""
    language: str | None = None
    base_model: str | None = None
    members: int = 1
    joined: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    @property
    def held_out(self) -> Split | None:
        """The split that says most about new texts."""
        return self.splits[-1] if self.splits else None
