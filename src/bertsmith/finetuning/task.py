"""A fine-tuning task as a value: what is answered, and how a text becomes an answer."""

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from bertsmith.config import Config
from bertsmith.features import Features
from bertsmith.finetuning.answers import Aim, AnyAnswers
from bertsmith.finetuning.documents import Truncate
from bertsmith.heads import Linear
from bertsmith.losses import CrossEntropy


class Task(Config):
    """answers × document × features × head × criterion: each a choice of its own."""

    answers: AnyAnswers
    document: Truncate = Truncate()
    features: Features = Features()
    head: Linear = Linear()
    criterion: CrossEntropy = CrossEntropy()

    @model_validator(mode="after")
    def _fits(self) -> "Task":
        require_fit(self.answers, features=self.features, criterion=self.criterion)
        return self

    @property
    def kind(self) -> str:
        """The kind of the task."""
        return self.answers.kind

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the scores."""
        return self.answers.names


def require_fit(aim: Aim, *, features: Features, criterion: Config) -> None:
    """Make sure that the parts of a task fit what is answered.

    Raises:
        ValueError: names the parts that do not, and what would.
    """
    kind, given = (getattr(each, "kind", "") for each in (aim, criterion))
    if given not in aim.criteria:
        raise ValueError(f"criterion {given} does not fit task {kind}; choose {' or '.join(aim.criteria)}")
    if aim.per_token and not features.per_token:
        raise ValueError(f"task {kind} answers every token; set features.pooling to tokens")
    if features.per_token and not aim.per_token:
        raise ValueError(f"task {kind} answers a text; set features.pooling to cls, mean, max or pooler")


def upgraded(block: Mapping[str, Any]) -> dict[str, Any]:
    """A task of bundle format 1 (`kind` and `labels` beside the parts) as it is written today."""
    values = dict(block)
    answers = {"kind": values.pop("kind", "classification"), "labels": values.pop("labels", ())}
    return {"answers": answers, **values}
