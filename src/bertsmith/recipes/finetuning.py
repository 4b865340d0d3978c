"""The fine-tuning run: rows and a recipe in, a trained and measured model out."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from bertsmith.data import Record
from bertsmith.finetuning import (
    Answers,
    FineTuner,
    LabelledUpdates,
    Outputs,
    Prepared,
    ReadDocument,
    Targets,
    Task,
    Truncated,
    predict,
)
from bertsmith.recipes.bundle import Bundle
from bertsmith.recipes.evaluation import Measured, measure
from bertsmith.recipes.folder import SNAPSHOTS, prepare_folder
from bertsmith.recipes.reading import decided, reading_notes
from bertsmith.recipes.result import FinetuneResult
from bertsmith.recipes.schema import FinetuneRecipe, recipe_yaml, without_free
from bertsmith.recipes.splits import Splits
from bertsmith.recipes.start import Beginning, begin
from bertsmith.recipes.teacher import Teacher, Views, load_teacher
from bertsmith.recipes.tricks import Calibrated, calibrated, guided, step_for, trick_notes
from bertsmith.training import (
    Listener,
    Noticed,
    ParameterGroup,
    Ranks,
    Snapshots,
    Surroundings,
    TrainingResult,
    compute_dtype,
    joined_ranks,
    local_rank,
    parameter_groups,
    require_metric,
    resolve_device,
    train,
    using_threads,
)


def finetune(
    recipe: FinetuneRecipe,
    splits: Splits,
    *,
    out: Path | None = None,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
) -> FinetuneResult:
    """Train on `splits.train`, keep what is best on `splits.dev`, measure on dev and test.

    With `out`, recipe.yaml and the snapshots go there, in place of what an earlier run left: only once
    everything is read and fits, so that a refusal costs nobody an old result. Under torchrun the
    processes share the work.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
        Interrupted: a signal came; the state is saved.
    """
    began = time.perf_counter()
    device = resolve_device(recipe.device, local_rank=local_rank())
    with using_threads(recipe.threads), joined_ranks(device) as ranks:
        run = _prepared_run(recipe, splits, device)
        run.require_metric()
        model, updates = guided(run.model, recipe), run.updates()
        if ranks.leads and out is not None:
            prepare_folder(out, recipe, keep_snapshots=resume)
        if ranks.leads:
            run.tell(listeners)
        result = train(
            model,
            updates,
            recipe.training,
            around=Surroundings(
                device=device,
                ranks=ranks,
                snapshots=_snapshots(out, recipe, splits, run.teacher),
                resume=resume,
                listeners=listeners,
            ),
            evaluate=run.dev_metrics,
            step=step_for(run.model, recipe, device),
        )
        return run.result(result, ranks, seconds=time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a run would do: rows and losses by truncation of each split, parameter groups, what is to be said.

    `lengths` are tokens of the training texts before any shortening, special tokens included; `max_length` is what
    is read at a time, `num_layers` those of the encoder.
    """

    rows: dict[str, int]
    truncated: dict[str, Truncated]
    groups: tuple[ParameterGroup, ...]
    notes: tuple[str, ...]
    lengths: Int[np.ndarray, "texts"]
    max_length: int
    num_layers: int


def rehearse(recipe: FinetuneRecipe, splits: Splits) -> Rehearsal:
    """Read and load everything, train nothing, write nothing.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
    """
    run = _prepared_run(recipe, splits, resolve_device(recipe.device))
    run.require_metric()
    guided(run.model, recipe)
    return Rehearsal(
        rows={name: len(rows.records) for name, rows in splits.named().items()},
        truncated={name: prepared.truncated for name, prepared in run.prepared.items()},
        groups=run.groups,
        notes=run.notes,
        lengths=run.prepared["train"].full_lengths,
        max_length=run.bundle.max_length,
        num_layers=run.model.encoder.config.num_layers,
    )


@dataclass(frozen=True, slots=True)
class _PreparedRun:
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
        return self.bundle.model

    def tell(self, listeners: Sequence[Listener]) -> None:
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
        dtype = compute_dtype(self.recipe.precision, self.device)
        return predict(self.model, self.prepared[name].views, device=self.device, dtype=dtype)

    def dev_metrics(self) -> dict[str, float]:
        """As good as the model will be once everything that dev decides is decided."""
        outputs, truth = self.outputs("dev"), self.truth["dev"]
        return self.splits.answers.tuned(outputs, truth).metrics(outputs, truth)

    def require_metric(self) -> None:
        """What can be measured does not depend on the answers: right ones will do."""
        answers, truth = self.splits.answers, self.truth["dev"]
        require_metric(answers.metrics(answers.perfect(truth), truth), self.recipe.selection)

    def result(self, training: TrainingResult, ranks: Ranks, *, seconds: float) -> FinetuneResult:
        measured, found = self._measured() if ranks.leads else ({}, None)
        return FinetuneResult(
            recipe=self.recipe,
            bundle=self.bundle,
            splits=self.splits,
            prepared=self.prepared,
            measured=measured,
            training=training,
            groups=self.groups,
            device=self.device,
            notes=self.notes if found is None else (*self.notes, str(found)),
            calibrated=found,
            why=self.why,
            seconds=seconds,
            leads=ranks.leads,
        )

    def _measured(self) -> tuple[dict[str, Measured], Calibrated | None]:
        """Dev and test; what dev decides is decided first, and kept in the bundle."""
        said = {name: self.outputs(name) for name in self.prepared if name != "train"}
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
        return measured, found


def _prepared_run(recipe: FinetuneRecipe, splits: Splits, device: torch.device) -> _PreparedRun:
    beginning = begin(recipe.start, splits.train.all_texts, seed=recipe.seed)
    beginning.encoder.activations = recipe.activations
    answers, tokenizer = splits.answers, beginning.tokenizer
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
        *(note for name, rows in splits.named().items() for note in answers.notes(name, rows.records)),
    )
    model.to(device)
    groups = tuple(parameter_groups(model, recipe.optimizer, recipe.freeze))
    return _PreparedRun(
        recipe=recipe,
        splits=splits,
        bundle=Bundle(model, beginning.tokenizer, beginning.family, recipe.precision),
        prepared=prepared,
        truth=truth,
        device=device,
        why=how.why,
        notes=(*notes, *trick_notes(recipe, model, groups)),
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


def _snapshots(out: Path | None, recipe: FinetuneRecipe, splits: Splits, teacher: Teacher | None) -> Snapshots | None:
    if out is None:
        return None
    return Snapshots(out / SNAPSHOTS, identity=_identity(recipe, splits, teacher))


def _identity(recipe: FinetuneRecipe, splits: Splits, teacher: Teacher | None) -> str:
    """Hash of the recipe, every row and the teacher: what a snapshot must agree with to be gone on from."""
    told = hashlib.sha256(recipe_yaml(without_free(recipe)).encode())
    told.update(teacher.fingerprint.encode() if teacher is not None else b"")
    for name, rows in splits.named().items():
        for record in rows.records:
            told.update(
                repr((name, record.text, record.text_pair, record.label, *_spans(record))).encode(
                    "utf-8", "surrogatepass"
                )
            )
    return told.hexdigest()


def _spans(record: Record) -> tuple[object, ...]:
    return () if record.marks is None else (record.marks.spans, record.marks.units)
