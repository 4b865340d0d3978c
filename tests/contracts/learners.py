"""One of each kind of thing that learns, small, with ragged batches of any size: what is counted in the contracts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bertsmith.batch import Example
from bertsmith.encoder import Encoder
from bertsmith.finetuning import LabelledBatch, Reading, pack_readings
from bertsmith.losses import AllPairs, InBatch, Truth
from bertsmith.losses.similarity import CoSent
from bertsmith.sentences.contrasting import ItemBatch, Part
from bertsmith.training import Step, joined, plain
from tests.finetuning.samples import VOCABULARY, tuner
from tests.pretraining.test_model import batches, pretrainer
from tests.sentences.test_contrasting import learner

TAGGING = {
    "answers": {"kind": "tagging", "types": ("ORG", "PER"), "scheme": "BIO", "units": "words"},
    "features": {"pooling": "tokens"},
    "document": {"kind": "windows"},
    "criterion": {"kind": "crf"},
}
MULTILABEL = {
    "answers": {"kind": "multilabel", "labels": ("a", "b", "c"), "cuts": (0.5, 0.5, 0.5)},
    "criterion": {"kind": "binary"},
}


@dataclass(frozen=True)
class Learner:
    """A model, and a batch of so many texts; `joins` says that its loss joins all of them."""

    model: Callable[[], Any]
    batch: Callable[[int], Any]
    joins: bool = False

    def step(self, device: torch.device) -> Step:
        return (joined if self.joins else plain)(torch.float32, device)


def lengths(number: int) -> list[int]:
    """From 3 to 31 tokens, unsorted; 29 texts have every length once, 58 twice."""
    return [3 + 11 * text % 29 for text in range(number)]


def sequences(sizes: Sequence[int], *, seed: int = 0) -> list[Example]:
    random = np.random.default_rng(seed)
    return [Example(random.integers(5, VOCABULARY, n), np.zeros(n, dtype=np.int64)) for n in sizes]


def labelled(number: int) -> LabelledBatch:
    readings = [Reading((text,)) for text in sequences(lengths(number))]
    return LabelledBatch(pack_readings(readings), torch.arange(number) % 3)


def multilabelled(number: int) -> LabelledBatch:
    return LabelledBatch(labelled(number).texts, (torch.arange(3 * number).view(number, 3) % 2).float())


def tagged(number: int) -> LabelledBatch:
    """Every other token of each text is to be tagged."""
    readings = [Reading((text,), (np.arange(1, len(text), 2),)) for text in sequences(lengths(number))]
    texts = pack_readings(readings)
    return LabelledBatch(texts, torch.zeros(len(texts.places), dtype=torch.int64))


def documents(number: int) -> LabelledBatch:
    """Of one, two or three chunks."""
    sizes = lengths(number)
    readings = [Reading(tuple(sequences([size] * (1 + text % 3)))) for text, size in enumerate(sizes)]
    return LabelledBatch(pack_readings(readings), torch.arange(number) % 3)


def pairs(number: int) -> ItemBatch:
    """In two parts; the first texts of items 0 and 1 mean the same."""
    texts = sequences(lengths(2 * number))
    middle = number // 2 * 2
    parts = (Part.of(texts[:middle], 2), Part.of(texts[middle:], 2))
    alike = torch.tensor([[0, 2], [2, 0], [0, 1], [1, 0]])
    return ItemBatch(parts, 0, Truth(number, labels=torch.arange(number).float(), alike=alike))


def written(number: int) -> ItemBatch:
    """Sources with targets, for a learner that also writes."""
    texts = [Example(text.token_ids, np.arange(len(text)) * 2 // len(text)) for text in sequences(lengths(2 * number))]
    return ItemBatch((Part.of(texts, 2),), 0, Truth(number))


def pretraining(objective: str) -> Learner:
    return Learner(
        lambda: pretrainer(objective).train(), lambda number: batches(objective, range(number), length=18)[0]
    )


def dropping(dropout: float) -> Callable[[], Any]:
    return lambda: tuner(dropout=dropout)


FINETUNING = {
    "classification": Learner(dropping(0.1), labelled),
    "classification without dropout": Learner(dropping(0.0), labelled),
    "multilabel": Learner(lambda: tuner(**MULTILABEL), multilabelled),
    "class tokens, text CNN": Learner(
        lambda: tuner(features={"pooling": "tokens"}, head={"kind": "text_cnn", "filters": 4}), labelled
    ),
    "crf": Learner(lambda: tuner(**TAGGING), tagged),
    "bilstm and crf": Learner(lambda: tuner(**TAGGING, head={"kind": "bilstm", "hidden": 4}), tagged),
    "chunks": Learner(
        lambda: tuner(document={"kind": "chunks", "join": "attention"}, features={"pooling": "mean"}), documents
    ),
}
CONTRASTING = {
    "pairs": Learner(lambda: learner(InBatch(), dtype=torch.float32), pairs, joins=True),
    "all pairs": Learner(lambda: learner(AllPairs(), dtype=torch.float32), pairs, joins=True),
    "cosent": Learner(lambda: learner(CoSent(), dtype=torch.float32), pairs, joins=True),
    "pairs that write": Learner(lambda: learner(InBatch(), dtype=torch.float32, writes=True), written, joins=True),
}
PRETRAINING = {name: pretraining(name) for name in ("bert", "spanbert", "electra", "permutation")}
LEARNERS = FINETUNING | CONTRASTING | PRETRAINING


def encoder_of(model: Any) -> Encoder:
    """The encoder of any of them."""
    found: Encoder = model.embedder.encoder if hasattr(model, "embedder") else model.encoder
    return found
