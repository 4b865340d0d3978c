"""What a ladder found out, rung by rung."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertsmith.experiments.judging import Judged
from bertsmith.experiments.laddering import LadderRecipe
from bertsmith.experiments.planning import Facts
from bertsmith.experiments.rungs import Option
from bertsmith.experiments.significance import Runs
from bertsmith.experiments.trial import Outcome
from bertsmith.recipes import FinetuneRecipe, Splits


@dataclass(frozen=True, slots=True)
class Attempt:
    """An option that was trained: its runs on dev, and how it compares with what was kept before it.

    `chosen` is the recipe without defaults, `stuck` counts runs that did not converge. `seconds` are those of all
    runs, and of the encoder made for them.
    """

    rung: str
    option: Option
    chosen: dict[str, Any]
    recipe: FinetuneRecipe
    outcomes: tuple[Outcome, ...]
    runs: Runs
    stuck: int
    seconds: float
    judged: Judged | None = None

    @property
    def best_outcome(self) -> Outcome:
        """The run that is best on dev; of equal ones the first."""
        return self.outcomes[int(np.argmax(self.runs.values))]

    @property
    def words(self) -> str:
        """How it went, if it did not go well."""
        return f"{self.stuck} of {len(self.runs)} runs did not converge" if self.stuck else ""


@dataclass(frozen=True, slots=True)
class Climbing:
    """A rung that was climbed; `kept` is the name of the option that stays, None: what was before."""

    name: str
    question: str
    before: Attempt
    tried: tuple[Attempt, ...]
    kept: str | None

    @property
    def told(self) -> Attempt:
        """The option that speaks for the rung: the one kept, or else the best on dev."""
        kept = next((one for one in self.tried if one.option.name == self.kept), None)
        return kept or max(self.tried, key=lambda one: one.runs.mean)

    @property
    def seconds(self) -> float:
        """What all its options cost."""
        return sum(one.seconds for one in self.tried)


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not tried, and why; a whole rung if `option` is None."""

    rung: str
    option: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Point:
    """The dev metric of several seeds with a share of the training texts; `further`: the encoder had read them all."""

    share: float
    texts: int
    further: bool
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Climbed:
    """A ladder from the baseline to its end."""

    recipe: LadderRecipe
    splits: Splits
    facts: Facts
    baseline: Attempt
    rungs: tuple[Climbing, ...]
    final: Attempt
    skipped: tuple[Skipped, ...]
    curve: tuple[Point, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def metric(self) -> str:
        """What everything is compared by."""
        return self.baseline.recipe.selection.metric

    @property
    def tried(self) -> Sequence[Attempt]:
        """All options in the order they were tried."""
        return [one for rung in self.rungs for one in rung.tried]

    @property
    def kept(self) -> Sequence[Attempt]:
        """The options that the final recipe is made of."""
        return [rung.told for rung in self.rungs if rung.kept is not None]
