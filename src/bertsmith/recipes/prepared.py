"""A fine-tuning run ready to train: model on its device, texts as examples, what should be said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Integer

from bertsmith.finetuning import (
    Answers,
    FineTuner,
    LabelledUpdates,
    Outputs,
    Prepared,
    ReadDocument,
    Targets,
    Task,
    predict,
    require_room,
)
from bertsmith.recipes.bundle import Bundle
from bertsmith.recipes.evaluation import Measured, measure
from bertsmith.recipes.ngrams import Joined, join_ngrams
from bertsmith.recipes.reading import decided, reading_notes
from bertsmith.recipes.result import FinetuneResult
from bertsmith.recipes.schema import FinetuneRecipe
from bertsmith.recipes.splits import Splits
from bertsmith.recipes.stages import run_identity
from bertsmith.recipes.start import Beginning, begin
from bertsmith.recipes.teacher import Teacher, Views, load_teacher
from bertsmith.recipes.tricks import Calibrated, calibrated, trick_notes
from bertsmith.text import unknown_notes
from bertsmith.training import (
    Listener,
    Noticed,
    ParameterGroup,
    Ranks,
    TrainingResult,
    compute_dtype,
    parameter_groups,
    require_metric,
)


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run ready to train: model on its device, texts as examples."""

    recipe: FinetuneRecipe
    splits: Splits
    bundle: Bundle
    prepared: dict[str, Prepared]
    truth: dict[str, Targets]
    device: torch.device
    notes: tuple[str, ...]
    why: str | None = None
    """Why texts are read as they are, if the recipe leaves it open."""
    groups: tuple[ParameterGroup, ...] = field(default=())
    teacher: Teacher | None = None

    @property
    def model(self) -> FineTuner:
        """The model, on the device."""
        return self.bundle.model

    def tell(self, listeners: Sequence[Listener]) -> None:
        """Say the notes."""
        for note in self.notes:
            for listener in listeners:
                listener(Noticed(note))

    def updates(self) -> LabelledUpdates:
        """The training texts, update by update, with what the teacher says of them if there is one."""
        views: Views = self.prepared["train"].views
        truth, soft = self.truth["train"], None
        if self.teacher is not None:
            views, truth = self.teacher.with_texts(views, truth, self.bundle)
            soft = self.teacher.soft_targets(self.splits.train.records, truth, device=self.device)
        return LabelledUpdates(views, truth, self.recipe.batches, seed=self.recipe.seed, soft=soft)

    def outputs(self, name: str) -> Outputs:
        """What the model says of a split."""
        dtype = compute_dtype(self.recipe.precision, self.device)
        return predict(self.model, self.prepared[name].views, device=self.device, dtype=dtype)

    def dev_metrics(self) -> dict[str, float]:
        """As good as the model will be once everything that dev decides is decided."""
        outputs, truth = self.outputs("dev"), self.truth["dev"]
        return self.splits.answers.tuned(outputs, truth).metrics(outputs, truth)

    def identity(self) -> str:
        """Hash of everything that decides the outcome."""
        rows = {name: rows.records for name, rows in self.splits.named().items()}
        teachers = () if self.teacher is None else (self.teacher.fingerprint,)
        return run_identity(self.recipe, rows, teachers)

    def require_metric(self) -> None:
        """Make sure that the best weights can be told; what can be measured does not depend on the answers.

        Raises:
            UserError: dev cannot be measured, or the metric of the recipe is none of the task's.
        """
        self.splits.answers.require_measurable(self.splits.dev.records, self.splits.dev.source)
        require_metric(self.measurable(), self.recipe.selection)

    def measurable(self) -> dict[str, float]:
        """The figures of a model that answers everything right."""
        answers, truth = self.splits.answers, self.truth["dev"]
        return answers.metrics(answers.perfect(truth), truth)

    def result(self, training: TrainingResult, ranks: Ranks, *, seconds: float) -> FinetuneResult:
        """Measure dev and test, once, and gather what is known."""
        measured, joined, found = self._measured() if ranks.leads else ({}, None, None)
        return FinetuneResult(
            recipe=self.recipe,
            bundle=self.bundle,
            splits=self.splits,
            prepared=self.prepared,
            measured=measured,
            training=training,
            groups=self.groups,
            device=self.device,
            notes=(*self.notes, *(str(each) for each in (joined, found) if each is not None)),
            joined=joined,
            calibrated=found,
            why=self.why,
            seconds=seconds,
            leads=ranks.leads,
        )

    def _measured(self) -> tuple[dict[str, Measured], Joined | None, Calibrated | None]:
        """Dev and test; what dev decides is decided first, and kept in the bundle."""
        said = {name: self.outputs(name) for name in self.prepared if name != "train"}
        joined = None
        if self.recipe.ngrams is not None:
            said, joined = join_ngrams(self.model, self.recipe, self.prepared, self.truth, said)
        found = calibrated(said, self.truth) if self.recipe.calibrate else None
        if found is not None:
            self.model.task = self.model.task.but(temperature=found.temperature)
            said = {name: self.outputs(name) for name in said}
        answers = self.splits.answers.tuned(said["dev"], self.truth["dev"])
        self.model.task = self.model.task.but(answers=answers)
        rows = self.splits.named()
        measured = {
            name: measure(rows[name], answers, self.truth[name], outputs, seed=self.recipe.seed)
            for name, outputs in said.items()
        }
        return measured, joined, found


def _token_ids(prepared: Prepared) -> Iterator[Integer[np.ndarray, "_"]]:
    return (sequence.token_ids for reading in prepared.readings for sequence in reading.sequences)


def prepared_run(
    recipe: FinetuneRecipe, splits: Splits, device: torch.device, *, beginning: Beginning | None = None
) -> PreparedRun:
    """Load and tokenize everything; tasks that share an encoder give the `beginning` they share.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
    """
    beginning = beginning or begin(recipe.start, splits.train.all_texts, seed=recipe.seed)
    beginning.encoder.activations, beginning.encoder.attention_path = recipe.activations, recipe.attention
    answers, tokenizer = splits.answers, beginning.tokenizer
    if recipe.ngrams is not None:
        require_room(recipe.ngrams.exchanged, ids=beginning.encoder.config.vocab_size)
    positions = beginning.encoder.config.position.max_positions
    how = decided(recipe.document, answers, splits.train.records, tokenizer, max_positions=positions)
    task = _task(recipe, answers, how.document)
    prepared = {
        name: answers.prepare(rows.records, tokenizer, how.document, max_length=how.max_length)
        for name, rows in splits.named().items()
    }
    truth = {name: answers.targets(rows.records, prepared[name]) for name, rows in splits.named().items()}
    generator = torch.Generator().manual_seed(recipe.seed)
    model = FineTuner(task, beginning.encoder, facts=answers.facts(truth["train"]), generator=generator)
    head = f"the head ({recipe.head.kind}, {len(task.labels)} labels) is new: random weights from seed {recipe.seed}"
    notes = (
        *splits.notes,
        *beginning.notes,
        head,
        *_put_pooler(model, beginning),
        *how.notes,
        *reading_notes(prepared, how),
        *unknown_notes("train", _token_ids(prepared["train"]), tokenizer),
        *(note for name, rows in splits.named().items() for note in answers.notes(name, rows.records)),
    )
    model.to(device)
    groups = tuple(parameter_groups(model, recipe.optimizer, recipe.freeze))
    return PreparedRun(
        recipe=recipe,
        splits=splits,
        bundle=Bundle(model, beginning.tokenizer, beginning.family, recipe.precision),
        prepared=prepared,
        truth=truth,
        device=device,
        why=how.why,
        notes=(*notes, *trick_notes(recipe, model, groups, truth["train"])),
        groups=groups,
        teacher=None if recipe.distill is None else load_teacher(recipe.distill, answers, recipe.data),
    )


def _task(recipe: FinetuneRecipe, answers: Answers, document: ReadDocument) -> Task:
    return Task(
        answers=answers,
        document=document,
        features=recipe.features,
        head=recipe.head,
        criterion=recipe.criterion,
    )


def _put_pooler(model: FineTuner, beginning: Beginning) -> tuple[str, ...]:
    """Load the pooler of the checkpoint, or say that the new one is random."""
    if model.features.pooler is None:
        return ()
    if "pooler" not in beginning.heads:
        return ("the checkpoint has no pooler: a new one starts from random weights",)
    model.features.pooler.dense.load_state_dict(beginning.heads["pooler"])
    return ()
