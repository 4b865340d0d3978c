"""A trained model as a folder: Hugging Face layout, plus what is needed to answer as it was evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from bertsmith.config import parse_config
from bertsmith.encoder import load_checkpoint, save_checkpoint
from bertsmith.encoder.hub import resolve
from bertsmith.errors import UserError
from bertsmith.finetuning import FineTuner, Prepared, Task, length_limit, prepare, probabilities
from bertsmith.recipes.start import require_fit
from bertsmith.text import Tokenizer
from bertsmith.training import Precision, compute_dtype

FORMAT = 1
"""Counts up when the block in config.json changes its meaning."""


LabelType = Literal["str", "int", "float", "bool"]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A fine-tuned model with its tokenizer: texts in, probabilities out.

    `label_type` is what the labels were in Python before they became text.
    """

    model: FineTuner
    tokenizer: Tokenizer
    family: str
    precision: Precision = "auto"
    label_type: LabelType = "str"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return self.model.task.labels

    @property
    def max_length(self) -> int:
        """Tokens read of one text, special tokens included."""
        return length_limit(self.model.task.document, self.model.encoder.config.position.max_positions)

    def prepare(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Prepared:
        """Tokenize and shorten as in training.

        Raises:
            UserError: the task reads pairs and none were given, or the other way round.
        """
        reads_pairs = self.model.task.kind == "pair"
        if reads_pairs != (pairs is not None):
            needs = "two texts (text and text_pair)" if reads_pairs else "one text, not a pair"
            raise UserError(f"this model reads {needs}", code="wrong_task")
        return prepare(texts, pairs, self.tokenizer, self.model.task.document, max_length=self.max_length)

    def probabilities(self, prepared: Prepared, *, device: torch.device) -> Float[np.ndarray, "texts labels"]:
        """The probability of every label for every text."""
        dtype = compute_dtype(self.precision, device)
        return probabilities(self.model.to(device), prepared.examples, device=device, dtype=dtype)


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer files.

    transformers loads the encoder; where the vector is BERT's pooler output it loads the classifier too.

    Raises:
        UserError: the folder cannot be written.
    """
    model = bundle.model
    heads = {"pooler": model.features.pooler.dense.state_dict()} if model.features.pooler is not None else {}
    labels = dict(enumerate(bundle.labels))
    extras: dict[str, Any] = {
        "id2label": {str(number): label for number, label in labels.items()},
        "label2id": {label: number for number, label in labels.items()},
        "problem_type": "single_label_classification",
        "bertsmith": {
            "format": FORMAT,
            "task": model.task.model_dump(mode="json"),
            "precision": bundle.precision,
            "label_type": bundle.label_type,
        },
    }
    if heads and bundle.family == "bert":
        extras["architectures"] = ["BertForSequenceClassification"]
        extras["classifier_dropout"] = model.task.head.dropout
    classifier = {f"classifier.{name}": value for name, value in model.head.linear.state_dict().items()}
    bundle.tokenizer.save(folder)
    save_checkpoint(
        folder, model.encoder, family=bundle.family, heads=heads, extra_tensors=classifier, config_extras=extras
    )


def load_bundle(source: str | Path) -> Bundle:
    """Load a fine-tuned model.

    Raises:
        UserError: there is no such folder, it is a plain encoder without a task, or it is damaged.
    """
    folder = resolve(str(source))
    checkpoint = load_checkpoint(folder)
    block = checkpoint.raw_config.get("bertsmith")
    if not isinstance(block, dict) or "task" not in block:
        raise UserError(
            f"{folder} holds an encoder, but no fine-tuned task; train one with `bertsmith finetune --model {source}`",
            code="no_task",
            where=str(folder),
        )
    if block.get("format") != FORMAT:
        raise UserError(
            f"{folder} was written in format {block.get('format')}, this version reads format {FORMAT}; "
            "use the version that wrote it",
            code="bundle_format",
            where=str(folder),
        )
    task = parse_config(Task, block["task"], where=str(folder / "config.json"))
    model = FineTuner(task, checkpoint.encoder)
    _put_head(model, checkpoint.heads, folder)
    tokenizer = Tokenizer.from_folder(folder)
    require_fit(checkpoint.encoder, tokenizer)
    told = {name: block[name] for name in ("precision", "label_type") if name in block}
    return Bundle(model.eval(), tokenizer, checkpoint.family, **told)


def _put_head(model: FineTuner, heads: dict[str, dict[str, torch.Tensor]], folder: Path) -> None:
    """Fill the head, and the pooler if the task has one; a random head would answer nonsense with confidence."""
    classifier = heads.get("extra", {})
    try:
        model.head.linear.load_state_dict({name: classifier[f"classifier.{name}"] for name in ("weight", "bias")})
        if model.features.pooler is not None:
            model.features.pooler.dense.load_state_dict(heads["pooler"])
    except (KeyError, RuntimeError) as error:
        raise UserError(
            f"{folder}: the weights of the head are missing or do not fit config.json ({error}); the folder is damaged",
            code="damaged_bundle",
            where=str(folder),
        ) from None
