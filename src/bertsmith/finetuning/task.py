"""A fine-tuning task as a value: labels, and how a text becomes an answer."""

from typing import Annotated, Literal

from pydantic import Field

from bertsmith.config import Config
from bertsmith.features import Features
from bertsmith.finetuning.documents import Truncate
from bertsmith.heads import Linear
from bertsmith.losses import CrossEntropy

TaskKind = Literal["classification", "pair"]


class Task(Config):
    """document × features × head × criterion: each a choice of its own.

    `classification` gives one label to a text, `pair` one label to two texts read together
    (Devlin et al. 2019, arXiv 1810.04805 §4.1).
    """

    kind: TaskKind = "classification"
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    document: Truncate = Truncate()
    features: Features = Features()
    head: Linear = Linear()
    criterion: CrossEntropy = CrossEntropy()
