"""A trained model as a folder: Hugging Face layout, plus what is needed to answer as it was evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from bertsmith.config import parse_config
from bertsmith.data import Record
from bertsmith.encoder import Checkpoint, load_checkpoint, save_checkpoint
from bertsmith.encoder.hub import resolve
from bertsmith.encoder.weights import read_json
from bertsmith.errors import UserError
from bertsmith.finetuning import (
    Answers,
    FineTuner,
    Outputs,
    Prepared,
    RegressionAnswers,
    Task,
    length_limit,
    predict,
    upgraded,
)
from bertsmith.heads import LinearHead
from bertsmith.recipes.start import require_fit
from bertsmith.text import Tokenizer
from bertsmith.training import Precision, compute_dtype

FORMAT = 2
"""Counts up when the block in config.json changes its meaning. Format 1 knew one label a text and linear heads only."""


LabelType = Literal["str", "int", "float", "bool", "indicator"]
"""What labels were in Python; `indicator` is a column of a matrix of zeros and ones."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A fine-tuned model with its tokenizer: texts in, answers out.

    `label_type` is what the labels were in Python before they became text.
    """

    model: FineTuner
    tokenizer: Tokenizer
    family: str
    precision: Precision = "auto"
    label_type: LabelType = "str"

    def but(self, *, label_type: LabelType) -> "Bundle":
        """The same for labels of this type in Python."""
        return replace(self, label_type=label_type)

    @property
    def answers(self) -> Answers:
        """What is answered, and how outputs are read."""
        return self.model.task.answers

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""
        return self.model.task.labels

    @property
    def max_length(self) -> int:
        """Tokens read of one text, special tokens included."""
        return length_limit(self.model.task.document, self.model.encoder.config.position.max_positions)

    def prepare(self, records: Sequence[Record]) -> Prepared:
        """Tokenize and shorten as in training.

        Raises:
            UserError: the task reads pairs and none were given, or the other way round.
        """
        return self.answers.prepare(records, self.tokenizer, self.model.task.document, max_length=self.max_length)

    def outputs(self, prepared: Prepared, *, device: torch.device) -> Outputs:
        """What the model says of every text."""
        dtype = compute_dtype(self.precision, device)
        return predict(self.model.to(device), prepared.views, device=device, dtype=dtype)


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer files.

    transformers loads the encoder; where the vector is BERT's pooler output, or a token's, it loads the classifier too.

    Raises:
        UserError: the folder cannot be written.
    """
    model = bundle.model
    heads = {"pooler": model.features.pooler.dense.state_dict()} if model.features.pooler is not None else {}
    extras: dict[str, Any] = {
        **bundle.answers.config_json(),
        "bertsmith": {
            "format": FORMAT,
            "task": model.task.model_dump(mode="json"),
            "precision": bundle.precision,
            "label_type": bundle.label_type,
        },
    }
    if isinstance(model.head, LinearHead) and _is_transformers(bundle):
        reads = "Token" if bundle.answers.per_token else "Sequence"
        extras["architectures"] = [f"BertFor{reads}Classification"]
        extras["classifier_dropout"] = model.head.config.dropout
    bundle.tokenizer.save(folder)
    save_checkpoint(
        folder,
        model.encoder,
        family=bundle.family,
        heads=heads,
        extra_tensors={name: value for name, value in _on_top(model).items() if not name.startswith(_POOLER)},
        config_extras=extras,
    )


def save_tasks(bundles: Mapping[str, Bundle], folder: Path) -> None:
    """Write several tasks over one encoder: the encoder once, what stands on it by the name of the task.

    transformers loads the encoder; `load_bundle` with the name of a task, `load_tasks` all of them.

    Raises:
        UserError: the folder cannot be written.
    """
    first = next(iter(bundles.values()))
    tasks = {
        name: {"task": bundle.model.task.model_dump(mode="json"), "label_type": bundle.label_type}
        for name, bundle in bundles.items()
    }
    first.tokenizer.save(folder)
    save_checkpoint(
        folder,
        first.model.encoder,
        family=first.family,
        extra_tensors={
            f"{_of_task(name)}{own}": value
            for name, bundle in bundles.items()
            for own, value in bundle.model.state_dict().items()
            if not own.startswith("encoder.")
        },
        config_extras={"bertsmith": {"format": FORMAT, "tasks": tasks, "precision": first.precision}},
    )


def _of_task(name: str) -> str:
    return f"tasks.{name}."


_POOLER = "pooler."


def _is_transformers(bundle: Bundle) -> bool:
    """Whether transformers' BERT classifiers compute the same scores: from pooler or tokens of the last layer.

    Numbers are standardised here, which transformers would not undo; n-grams it would not count.
    """
    model = bundle.model
    as_theirs = model.features.pooler is not None or bundle.answers.per_token
    last = model.features.keep_layers == (model.encoder.config.num_layers,)
    numbers = isinstance(bundle.answers, RegressionAnswers)
    return bundle.family == "bert" and as_theirs and last and not numbers and model.ngrams is None


def _on_top(model: FineTuner) -> dict[str, Tensor]:
    """Every weight above the encoder, by its name in the file: transformers' names for a linear head and a pooler."""
    return {_name(name): value for name, value in model.state_dict().items() if not name.startswith("encoder.")}


def _name(ours: str) -> str:
    for prefix, theirs in (("head.linear.", "classifier."), ("features.pooler.dense.", _POOLER)):
        if ours.startswith(prefix):
            return theirs + ours.removeprefix(prefix)
    return ours


def load_bundle(source: str | Path, *, task: str | None = None) -> Bundle:
    """Load a fine-tuned model; of a folder with several tasks, the one that is named.

    Raises:
        UserError: there is no such folder or task, it is a plain encoder without a task, it holds several and
            none is named, or it is damaged.
    """
    folder, checkpoint, block = _opened(source)
    if "tasks" in block:
        named = _named_task(block["tasks"], task, folder)
        return _task_of(named, folder, checkpoint, block)
    if task is not None:
        raise UserError(f"{folder} holds a single task, which has no name; leave --task {task} out", code="no_task")
    values = upgraded(block["task"]) if block["format"] == 1 else block["task"]
    pooler = {f"{_POOLER}{name}": value for name, value in checkpoint.heads.get("pooler", {}).items()}
    stored = {**pooler, **checkpoint.heads.get("extra", {})}
    told = {name: block[name] for name in ("precision", "label_type") if name in block}
    return _restored(values, stored, folder, checkpoint, **told)


def load_tasks(source: str | Path) -> dict[str, Bundle]:
    """Load a model of several tasks, which share their encoder.

    Raises:
        UserError: there is no such folder, it does not hold several tasks, or it is damaged.
    """
    folder, checkpoint, block = _opened(source)
    if "tasks" not in block:
        raise UserError(f"{folder} holds a single task", code="no_task", where=str(folder))
    return {name: _task_of(name, folder, checkpoint, block) for name in block["tasks"]}


def tasks_of(source: str | Path) -> tuple[str, ...]:
    """The names of the tasks of a folder; none if it holds a single task, or no model of ours."""
    block = _block(resolve(str(source)))
    return tuple(block.get("tasks", ()))


def _block(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    block = read_json(path).get("bertsmith") if path.is_file() else None
    return block if isinstance(block, dict) else {}


def _opened(source: str | Path) -> tuple[Path, Checkpoint, dict[str, Any]]:
    """The folder, what is in it, and our block of its config.json."""
    folder = resolve(str(source))
    checkpoint = load_checkpoint(folder)
    block = checkpoint.raw_config.get("bertsmith")
    if not isinstance(block, dict) or ("task" not in block and "tasks" not in block):
        raise UserError(
            f"{folder} holds an encoder, but no fine-tuned task; train one with `bertsmith finetune --model {source}`",
            code="no_task",
            where=str(folder),
        )
    if block.get("format") not in (1, FORMAT):
        raise UserError(
            f"{folder} was written in format {block.get('format')}, this version reads formats 1 and {FORMAT}; "
            "use the version that wrote it",
            code="bundle_format",
            where=str(folder),
        )
    return folder, checkpoint, block


def _named_task(tasks: Mapping[str, Any], name: str | None, folder: Path) -> str:
    if name in tasks:
        return str(name)
    what = "name one" if name is None else f"there is no {name!r}"
    raise UserError(
        f"{folder} holds the tasks {', '.join(tasks)}; {what} (--task {next(iter(tasks))})",
        code="several_tasks" if name is None else "no_task",
        where=str(folder),
    )


def _task_of(name: str, folder: Path, checkpoint: Checkpoint, block: Mapping[str, Any]) -> Bundle:
    told, prefix = block["tasks"][name], _of_task(name)
    stored = {
        _name(own.removeprefix(prefix)): value
        for own, value in checkpoint.heads.get("extra", {}).items()
        if own.startswith(prefix)
    }
    kinds = {"precision": block.get("precision", "auto"), "label_type": told.get("label_type", "str")}
    return _restored(told["task"], stored, folder, checkpoint, **kinds)


def _restored(
    values: Mapping[str, Any], stored: Mapping[str, Tensor], folder: Path, checkpoint: Checkpoint, **told: Any
) -> Bundle:
    task = parse_config(Task, values, where=str(folder / "config.json"))
    model = FineTuner(task, checkpoint.encoder)
    _put_head(model, stored, folder)
    tokenizer = Tokenizer.from_folder(folder)
    require_fit(checkpoint.encoder, tokenizer)
    return Bundle(model.eval(), tokenizer, checkpoint.family, **told)


def _put_head(model: FineTuner, stored: Mapping[str, Tensor], folder: Path) -> None:
    """Fill everything above the encoder; a random head would answer nonsense with confidence."""
    own = model.state_dict()
    try:
        found = {name: stored[_name(name)] for name in own if not name.startswith("encoder.")}
        model.load_state_dict(found, strict=False)
    except (KeyError, RuntimeError) as error:
        raise UserError(
            f"{folder}: the weights of the head are missing or do not fit config.json ({error}); the folder is damaged",
            code="damaged_bundle",
            where=str(folder),
        ) from None
