"""Several trained models of one task as one model: a folder that holds theirs and answers as their mean."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bertsmith.config import Config, parse_config
from bertsmith.data import Record
from bertsmith.encoder.hub import resolve
from bertsmith.errors import UserError
from bertsmith.files import write_text
from bertsmith.finetuning import Answers, AnyAnswers, Outputs, Prepared, RegressionAnswers, predict_together
from bertsmith.recipes.bundle import FORMAT, Bundle, LabelType, load_bundle, save_bundle
from bertsmith.training import compute_dtype

MEMBERS, WEIGHTS = "members", "model.safetensors"


@dataclass(frozen=True, slots=True)
class PreparedForAll(Prepared):
    """Texts as every member reads them; what is counted is what the first one loses."""

    members: tuple[Prepared, ...] = ()


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Models of one task that answer together: the mean of their probabilities or numbers.

    Taggers with a CRF average their scores before decoding. `answers` may have thresholds of its own;
    each member reads texts with its own tokenizer, at its own temperature. Averaging the models of
    several seeds or folds is steadier than the best of them (Hansen & Salamon 1990; Lakshminarayanan et
    al. 2017, arXiv 1612.01474), and takes as much longer to answer as there are members.
    """

    members: tuple[Bundle, ...]
    answers: Answers
    label_type: LabelType = "str"

    @classmethod
    def of(cls, members: Sequence[Bundle], *, answers: Answers | None = None) -> "Ensemble":
        """Put models together; without `answers`, those of the first member count.

        Raises:
            UserError: there are none, or they do not answer the same question.
        """
        if not members:
            raise UserError("an ensemble needs at least one model", code="bad_usage")
        for number, member in enumerate(members[1:], 2):
            _require_same_question(members[0], member, number)
        return cls(_with_shared_tokenizers(members), answers or members[0].answers, members[0].label_type)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""
        return self.answers.names

    def prepare(self, records: Sequence[Record]) -> PreparedForAll:
        """Tokenize and shorten, once for all members that read alike.

        Raises:
            UserError: the task reads pairs and none were given, or the other way round.
        """
        made: list[tuple[Bundle, Prepared]] = []
        for member in self.members:
            alike = next((prepared for other, prepared in made if _reads_alike(other, member)), None)
            made.append((member, alike or member.prepare(records)))
        first = made[0][1]
        return PreparedForAll(first.views, first.full_lengths, first.truncated, tuple(each for _, each in made))

    def outputs(self, prepared: Prepared, *, device: torch.device) -> Outputs:
        """What the members say together of every text."""
        assert isinstance(prepared, PreparedForAll), "prepared by this ensemble"
        return predict_together(
            [member.model.to(device) for member in self.members],
            [each.views for each in prepared.members],
            device=device,
            dtypes=[compute_dtype(member.precision, device) for member in self.members],
        )

    def but(self, *, label_type: LabelType) -> "Ensemble":
        """The same for labels of this type in Python."""
        return replace(self, label_type=label_type)


Answering = Bundle | Ensemble
"""A trained model, or several that answer together."""


class _Block(Config):
    """What config.json says of an ensemble."""

    members: tuple[str, ...]
    answers: AnyAnswers
    label_type: LabelType = "str"


def save_model(model: Answering, folder: str | Path) -> None:
    """Write a model as `load_model` reads it: an ensemble as `config.json` and a folder for each member.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = Path(folder)
    if isinstance(model, Bundle):
        save_bundle(model, folder)
        return
    names = tuple(f"{MEMBERS}/{number}" for number in range(len(model.members)))
    for name, member in zip(names, model.members, strict=True):
        save_bundle(member, folder / name)
    block = _Block(members=names, answers=model.answers, label_type=model.label_type)
    told = {"bertsmith": {"format": FORMAT, "ensemble": block.model_dump(mode="json")}}
    write_text(folder / "config.json", json.dumps(told, ensure_ascii=False, indent=1) + "\n")


def load_model(source: str | Path, *, task: str | None = None) -> Answering:
    """Load a fine-tuned model, of several tasks the one that is named, or an ensemble of several models.

    Raises:
        UserError: there is no such folder, it is a plain encoder without a task, or it is damaged.
    """
    folder = resolve(str(source))
    told = _ensemble_block(folder)
    if told is None:
        return load_bundle(source, task=task)
    if task is not None:
        raise UserError(f"{folder} holds a single task, which has no name; leave --task {task} out", code="no_task")
    path = folder / "config.json"
    if told.get("format") != FORMAT:
        raise UserError(
            f"{folder} was written in format {told.get('format')}, this version reads ensembles of format {FORMAT}; "
            "use the version that wrote it",
            code="bundle_format",
            where=str(folder),
        )
    block = parse_config(_Block, told["ensemble"], where=str(path))
    outside = next((name for name in block.members if not _is_inside(name)), None)
    if outside is not None:
        message = f"{path}: member {outside!r} lies outside of the folder"
        raise UserError(message, code="damaged_bundle", where=str(path))
    members = [load_bundle(folder / name) for name in block.members]
    made = Ensemble.of(members, answers=block.answers)
    return made.but(label_type=block.label_type)


def weight_files(source: str | Path) -> list[Path]:
    """The files that hold the weights of a model, or of every member of an ensemble."""
    folder = resolve(str(source))
    told = _ensemble_block(folder)
    return [folder / name / WEIGHTS for name in (told["ensemble"]["members"] if told else (".",))]


def _ensemble_block(folder: Path) -> dict[str, Any] | None:
    """What config.json says under `bertsmith`, if it is that of an ensemble."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    block = told.get("bertsmith") if isinstance(told, dict) else None
    return block if isinstance(block, dict) and isinstance(block.get("ensemble"), dict) else None


def _is_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _require_same_question(first: Bundle, other: Bundle, number: int) -> None:
    ours, theirs = _question(first.answers), _question(other.answers)
    different = [name for name in ours if ours[name] != theirs[name]]
    if different:
        name = different[0]
        raise UserError(
            f"model {number} of the ensemble answers another question: its {name} is {theirs[name]!r:.200}, that of "
            f"the first {ours[name]!r:.200}; members need the same task and labels",
            code="ensemble_mismatch",
        )


def _question(answers: Answers) -> dict[str, object]:
    told: dict[str, object] = {"task": answers.name, "labels": answers.names, "texts a row": 2 if answers.pairs else 1}
    if isinstance(answers, RegressionAnswers):
        told["scale"] = (answers.centre, answers.scale)
    return {**told, "units": getattr(answers, "units", None)}


def _with_shared_tokenizers(members: Sequence[Bundle]) -> tuple[Bundle, ...]:
    """Members with equal tokenizers get one and the same, so that texts are tokenized once."""
    kept: dict[str, Bundle] = {}
    shared = []
    for member in members:
        first = kept.setdefault(member.tokenizer.fingerprint, member)
        shared.append(replace(member, tokenizer=first.tokenizer))
    return tuple(shared)


def _reads_alike(one: Bundle, other: Bundle) -> bool:
    same = one.tokenizer is other.tokenizer and one.max_length == other.max_length
    document = one.model.task.document == other.model.task.document
    return same and document and one.answers.both_orders == other.answers.both_orders
