"""A fine-tuned model that a smaller one learns from: what it says of the training texts, once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.finetuning import Answers, Distill, Reading, Targets
from bertsmith.recipes.bundle import Bundle
from bertsmith.recipes.ensemble import Answering, load_model, weight_files
from bertsmith.recipes.schema import DataFiles

UNLABELLED = -100
"""The target of a text without a label: its own loss is left out."""

Views = Sequence[Sequence[Reading]]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A model, or an ensemble, whose labels are those of the student, in `order`, and the texts it alone teaches.

    `fingerprint` tells its weights and these texts.
    """

    bundle: Answering
    order: tuple[int, ...]
    fingerprint: str
    texts: tuple[Record, ...] = ()

    def with_texts(self, views: Views, truth: Targets, student: Bundle) -> tuple[Views, Targets]:
        """Views and targets of the training texts, followed by those of the texts without labels."""
        if not self.texts:
            return views, truth
        more = student.prepare(self.texts).views
        unknown = np.full(len(self.texts), UNLABELLED, dtype=truth.values.dtype)
        return (
            [[*one, *other] for one, other in zip(views, more, strict=True)],
            Targets(np.concatenate([truth.values, unknown])),
        )

    def soft_targets(self, records: Sequence[Record], truth: Targets, *, device: torch.device) -> Targets:
        """The probability of every label for every item of these rows and its own texts, in the student's order.

        One float32 number for each label and item is kept for the whole run.

        Raises:
            UserError: teacher and student cut the texts into different items.
        """
        outputs = self.bundle.outputs(self.bundle.prepare([*records, *self.texts]), device=device)
        if (outputs.counts is None) != (truth.counts is None) or not np.array_equal(
            np.ones(len(outputs)) if outputs.counts is None else outputs.counts,
            np.ones(len(truth)) if truth.counts is None else truth.counts,
        ):
            raise UserError(
                "distill.teacher cuts the training texts into other tokens than this model; "
                "take a student with the teacher's tokenizer",
                code="teacher_mismatch",
            )
        return Targets(outputs.values[:, list(self.order)], outputs.counts)


def load_teacher(distill: Distill, answers: Answers, data: DataFiles) -> Teacher:
    """Load the teacher and make sure that it answers the same question.

    Raises:
        UserError: there is none, it does another task, or its labels are not the student's.
    """
    bundle = load_model(distill.teacher)
    if bundle.answers.name != answers.name:
        raise _mismatch(distill, f"does the task {bundle.answers.name}")
    missing = [name for name in answers.names if name not in bundle.labels]
    more = [name for name in bundle.labels if name not in answers.names]
    if missing:
        raise _mismatch(distill, f"does not know the label {missing[0]!r}")
    if more:
        raise _mismatch(distill, f"knows a label that the training texts do not have: {more[0]!r}")
    scales = [(getattr(each, "centre", None), getattr(each, "scale", None)) for each in (bundle.answers, answers)]
    if scales[0] != scales[1]:
        raise _mismatch(distill, "was trained on numbers of another mean or spread: train it on the same texts")
    texts = _texts(distill, answers, data)
    told = hashlib.sha256()
    for path in weight_files(distill.teacher):
        told.update(path.read_bytes())
    for record in texts:
        told.update(repr((record.text, record.text_pair)).encode("utf-8", "surrogatepass"))
    order = tuple(bundle.labels.index(name) for name in answers.names)
    return Teacher(bundle, order, told.hexdigest(), texts)


def _texts(distill: Distill, answers: Answers, data: DataFiles) -> tuple[Record, ...]:
    if distill.texts is None:
        return ()
    if not answers.calibrates:
        raise UserError(
            f"distill.texts needs one label a text; task {answers.kind} has others, so leave it out",  # type: ignore[attr-defined]
            code="bad_setting",
        )
    return tuple(answers.read(Path(distill.texts), data.columns, encoding=data.encoding, labelled=False))


def _mismatch(distill: Distill, what: str) -> UserError:
    return UserError(
        f"distill.teacher {distill.teacher} {what}; teacher and student must answer the same question",
        code="teacher_mismatch",
        where=distill.teacher,
    )
