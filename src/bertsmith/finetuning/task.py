"""A fine-tuning task as a value: what is answered, and how a text becomes an answer."""

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveFloat, model_validator

from bertsmith.config import Config
from bertsmith.features import Features
from bertsmith.finetuning.answers import Aim, AnyAnswers
from bertsmith.finetuning.documents import AnyDocument, Truncate
from bertsmith.finetuning.ngrams import NgramPart
from bertsmith.heads import AnyHead, HeadConfig, Linear
from bertsmith.losses import AnyCriterion, CrossEntropy


class Task(Config):
    """answers × document × features × head × criterion: each a choice of its own.

    Probabilities are those of scores divided by `temperature`, which dev decides on request (Guo et
    al. 2017, arXiv 1706.04599 §4.2); the likeliest label is the same at any. `ngrams` is the linear model that
    answers beside the encoder, if there is one; its temperature is that of both.
    """

    answers: AnyAnswers
    document: AnyDocument = Truncate()
    features: Features = Features()
    head: AnyHead = Linear()
    criterion: AnyCriterion = CrossEntropy()
    temperature: PositiveFloat = 1.0
    ngrams: NgramPart | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Task":
        require_fit(
            self.answers, document=self.document, features=self.features, head=self.head, criterion=self.criterion
        )
        return self

    @property
    def kind(self) -> str:
        """The kind of the task."""
        return self.answers.kind

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the scores."""
        return self.answers.names


def require_fit(aim: Aim, *, document: Config, features: Features, head: HeadConfig, criterion: Config) -> None:
    """Make sure that the parts of a task fit what is answered.

    Raises:
        ValueError: names the parts that do not, and what would.
    """
    kind, read, given, top = (getattr(each, "kind", "") for each in (aim, document, criterion, head))
    if given not in aim.criteria:
        raise ValueError(f"criterion {given} does not fit task {kind}; choose {' or '.join(aim.criteria)}")
    if aim.per_token and not features.per_token:
        raise ValueError(f"task {kind} answers every token; set features.pooling to tokens")
    if aim.per_token and head.gathers:
        raise ValueError(f"task {kind} answers every token, head {top} a text; choose linear, mlp or bilstm")
    if head.walks and not aim.per_token:
        raise ValueError(f"head {top} scores tokens, task {kind} answers a text; choose linear, mlp or text_cnn")
    if head.gathers and not features.per_token:
        raise ValueError(f"head {top} reads tokens; set features.pooling to tokens")
    if features.per_token and not (aim.per_token or head.gathers):
        raise ValueError(f"task {kind} answers a text; set features.pooling to cls, mean, max or pooler")
    if read not in aim.documents:
        raise ValueError(f"document {read} does not fit task {kind}; choose {' or '.join(aim.documents)}")


def upgraded(block: Mapping[str, Any]) -> dict[str, Any]:
    """A task of bundle format 1 (`kind` and `labels` beside the parts) as it is written today."""
    values = dict(block)
    answers = {"kind": values.pop("kind", "classification"), "labels": values.pop("labels", ())}
    return {"answers": answers, **values}
