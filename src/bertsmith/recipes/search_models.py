"""Trained models as search wants them: a sentence encoder that embeds, a pair classifier that judges."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float
from pydantic import BeforeValidator

from bertsmith.config import Config
from bertsmith.errors import UserError
from bertsmith.recipes.bundle import Bundle, load_bundle
from bertsmith.recipes.judging import Judge
from bertsmith.recipes.sentence_bundle import SentenceBundle
from bertsmith.recipes.sentence_loading import load_sentence_bundle
from bertsmith.sentences import TextCounts


def _as_label(value: object) -> object:
    """A label as files write it: YAML takes 1 for a number and true for a truth value."""
    return str(value).lower() if isinstance(value, bool | int) else value


LabelName = Annotated[str, BeforeValidator(_as_label)]


class EncoderChoice(Config):
    """Which sentence encoder makes the vectors; what is None is as the encoder has it."""

    source: str
    pooling: str | None = None
    dim: int | None = None
    max_length: int | None = None

    @property
    def choices(self) -> dict[str, str | int]:
        """What differs from the encoder's own, as an index remembers it."""
        return {name: value for name, value in dict(self).items() if name != "source" and value is not None}


@dataclass
class BundleEmbedder:
    """A sentence encoder that embeds texts and queries, with the prompts it has; counts what it read of texts."""

    bundle: SentenceBundle
    device: torch.device
    fingerprint: str = field(init=False)
    counts: TextCounts = field(default_factory=TextCounts, init=False)

    def __post_init__(self) -> None:
        self.fingerprint = fingerprint_of(self.bundle)

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "texts width"]:
        """Vectors of texts to be found, with the prompt of passages if there is one.

        Raises:
            UserError: a vector holds NaN.
        """
        encoded = self.bundle.encode(texts, device=self.device, prompt=self._prompt("passage"))
        self.counts += encoded.counts
        return encoded.vectors

    def encode_queries(self, texts: Sequence[str]) -> Float[np.ndarray, "texts width"]:
        """Vectors of what is asked, with the prompt of queries if there is one.

        Raises:
            UserError: a vector holds NaN.
        """
        return self.bundle.encode(texts, device=self.device, prompt=self._prompt("query")).vectors

    def _prompt(self, side: str) -> str | None:
        """The side by name where the encoder has a prompt for it, else None: the usual one."""
        return side if self.bundle.task.prompt(side) else None


def open_encoder(choice: EncoderChoice, device: torch.device) -> BundleEmbedder:
    """Load a sentence encoder.

    Raises:
        UserError: there is none of that name, it is damaged, or a choice does not fit it.
    """
    bundle = load_sentence_bundle(choice.source, pooling=choice.pooling, dim=choice.dim, max_length=choice.max_length)
    return BundleEmbedder(bundle, device)


def fingerprint_of(bundle: SentenceBundle) -> str:
    """A hash of all that decides the vectors: weights, tokenizer, pooling and the rest of the task.

    Vectors are normalised by the index where it needs them so, so that does not count.
    """
    digest = hashlib.blake2b(digest_size=12)
    task = bundle.task.model_dump(mode="json", exclude={"normalize", "similarity", "matryoshka"})
    digest.update(json.dumps([bundle.tokenizer.fingerprint, task, bundle.max_length], sort_keys=True).encode())
    digest.update(bundle.embedder.encoder.config.model_dump_json().encode())
    for name, tensor in sorted(bundle.embedder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


class Reranker(Config):
    """A pair classifier that reads the best candidates again; `positive` is the label whose probability counts."""

    source: str
    positive: LabelName | None = None


class PairJudge:
    """A fine-tuned model of pairs: the probability of its positive label, or the number it answers."""

    def __init__(self, bundle: Bundle, choice: Reranker, device: torch.device) -> None:
        self._judge = Judge(bundle, _positive(bundle, choice))
        self._device = device
        label = bundle.labels[self._judge.label]
        self.says = "its number" if bundle.answers.name == "regression" else f"the probability of label {label!r}"

    def score(self, queries: Sequence[str], texts: Sequence[str]) -> Float[np.ndarray, "pairs"]:
        """How well each text answers the query in the same place."""
        return self._judge(queries, texts, device=self._device)


def open_reranker(choice: Reranker, device: torch.device) -> PairJudge:
    """Load a pair classifier.

    Raises:
        UserError: there is none, it reads no pairs, or it has several labels and none is called positive.
    """
    return PairJudge(load_bundle(choice.source), choice, device)


def _positive(bundle: Bundle, choice: Reranker) -> int:
    kind, labels = bundle.answers.name, bundle.labels
    if kind not in ("pair", "regression"):
        raise UserError(
            f"{choice.source} holds a {kind} model; a re-ranker reads pairs: finetune --task pair",
            code="wrong_task",
            where=choice.source,
        )
    if choice.positive is None and len(labels) > 2:
        raise UserError(
            f"{choice.source} has the labels {', '.join(labels)}; say which one means that a text answers a query: "
            "--set rerank.positive=LABEL",
            code="bad_setting",
            where=choice.source,
        )
    if choice.positive is None:
        return len(labels) - 1
    if choice.positive not in labels:
        raise UserError(
            f"{choice.source} has no label {choice.positive!r}; its labels are {', '.join(labels)}",
            code="bad_setting",
            where=choice.source,
        )
    return labels.index(choice.positive)
