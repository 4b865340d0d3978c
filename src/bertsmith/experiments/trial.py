"""One run of many: what is asked of it, and what came of it."""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from bertsmith.config import Config
from bertsmith.recipes import FinetuneRecipe, recipe_yaml
from bertsmith.recipes.schema import without_free

Status = Literal["done", "failed", "stopped", "unrun"]
"""`stopped`: a rule gave it up before its end; `unrun`: the time was over before it could begin or end."""


class Trial(Config):
    """A fine-tuning run that is one of many: its recipe, seed included, and the name of the rows it uses.

    `name` is what progress lines call it. Test rows are touched with `test` only; with `keep` the model
    stays in the trial's folder.
    """

    recipe: FinetuneRecipe
    splits: str = "data"
    name: str = ""
    test: bool = False
    keep: bool = False

    def key(self, fingerprint: str) -> str:
        """What the trial is known by: a hash of everything that decides its outcome.

        `fingerprint` tells the rows; where their files lie, how the trial is called and what is kept of
        it decide nothing. A checkpoint is told by its name alone.
        """
        data = self.recipe.data.but(train="", dev=None, test=None)
        told = hashlib.sha256(recipe_yaml(without_free(self.recipe).but(data=data)).encode())
        told.update(fingerprint.encode())
        return told.hexdigest()[:16]


class Evaluation(Config):
    """The model of a trial was measured on dev, after `progress` (0 to 1) of its updates."""

    progress: float
    step: int
    metrics: dict[str, float]


class Outcome(Config):
    """What came of a trial: a line of `trials.jsonl`.

    `metrics` are those of the weights that were kept, by split; `course` are the evaluations on dev in
    between, up to the one at which a trial was stopped. `seconds` are those of the whole run, reading
    included, on the device `device`.
    """

    key: str
    name: str
    splits: str
    seed: int
    status: Status
    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)
    course: tuple[Evaluation, ...] = ()
    seconds: float = 0.0
    tokens_per_second: float | None = None
    device: str = ""
    best_step: int | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None
    code: str | None = None

    @property
    def dev(self) -> Mapping[str, float]:
        """The metrics on dev; none unless the trial is done."""
        return self.metrics.get("dev", {})

    @property
    def told(self) -> dict[str, Any]:
        """As a line of the journal."""
        return self.model_dump(mode="json")
