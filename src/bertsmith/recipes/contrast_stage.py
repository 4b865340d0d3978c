"""One stage made ready: the learner on its device, its items as updates, and what it is measured by."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from bertsmith.errors import UserError
from bertsmith.losses import CosineRegression
from bertsmith.recipes.contrast_data import ItemSplits, class_names, training_items
from bertsmith.recipes.contrast_measuring import ItemMeasure
from bertsmith.recipes.contrast_model import Learned, learner_for
from bertsmith.recipes.contrast_result import MeasuredItems, StageResult
from bertsmith.recipes.contrast_schema import ContrastRecipe, Stage
from bertsmith.recipes.contrast_texts import ReadTexts, noise_for, read_texts, teacher_vectors
from bertsmith.recipes.schema import Start
from bertsmith.recipes.sentence_bundle import SentenceBundle
from bertsmith.sentences.contrasting import EachText, ItemUpdates, Reader
from bertsmith.sentences.items import Items
from bertsmith.sentences.learner import SentenceLearner, differences_by_dropout
from bertsmith.sentences.simbert import SourceAndTarget
from bertsmith.text import unknown_notes
from bertsmith.training import ParameterGroup, TrainingResult, parameter_groups, require_metric


@dataclass(frozen=True, slots=True)
class StageRun:
    """A stage ready to train. `taught_by` is a hash of what the teacher says, if there is one."""

    recipe: ContrastRecipe
    stage: Stage
    splits: ItemSplits
    learned: Learned
    items: Items
    read: ReadTexts
    updates: ItemUpdates
    dev: ItemMeasure | None
    test: ItemMeasure | None
    device: torch.device
    groups: tuple[ParameterGroup, ...]
    notes: tuple[str, ...]
    taught_by: str = ""

    @property
    def learner(self) -> SentenceLearner:
        """The model that is trained."""
        return self.learned.learner

    @property
    def bundle(self) -> SentenceBundle:
        """The sentence encoder as it is now."""
        return self.learned.bundle(self.recipe)

    @property
    def kept(self) -> SentenceBundle:
        """The same as it is saved."""
        return self.learned.kept(self.recipe)

    @property
    def metric(self) -> str:
        """What the best weights are chosen by, where the recipe leaves it open."""
        return "loss" if self.dev is None else self.dev.metric

    def dev_metrics(self) -> dict[str, float]:
        """How good the vectors are on dev, as they would be served."""
        assert self.dev is not None
        return self.dev.metrics(self._vectors(self.dev))

    def result(self, training: TrainingResult, *, measures: bool) -> StageResult:
        """Measure dev and test, unless another process does."""
        measured = {}
        for name, part in {"dev": self.dev, "test": self.test}.items() if measures else ():
            if part is not None:
                vectors = self._vectors(part)
                intervals = part.intervals(vectors, seed=self.recipe.seed)
                measured[name] = MeasuredItems(part, vectors, part.metrics(vectors), intervals)
        return StageResult(
            stage=self.stage,
            splits=self.splits,
            read=self.read,
            items=len(self.items),
            groups=self.groups,
            training=training,
            measured=measured,
            notes=self.notes,
        )

    def _vectors(self, part: ItemMeasure) -> Float[np.ndarray, "texts width"]:
        vectors = self.bundle.encode(part.numbered.texts, device=self.device).vectors
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def prepared_stage(
    recipe: ContrastRecipe, stage: Stage, start: Start, splits: ItemSplits, device: torch.device
) -> StageRun:
    """Load, read and check everything.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
    """
    labels = class_names(splits) if stage.examples == "labelled" else ()
    if stage.examples == "labelled" and len(labels) < 2:
        raise UserError(f"{splits.train.name}: there is one label only, {labels[0]!r}", code="one_label")
    learned = learner_for(recipe, stage, start, splits.texts, labels=labels)
    items = training_items(splits, stage, seed=recipe.seed, labels=labels)
    _require_differences(items, stage, splits.train.name)
    items, scaled = _scaled(items, stage)
    _require_roles(items, stage, splits.train.name)
    bundle = learned.bundle(recipe)
    read, cut = _read(stage, items, bundle)
    taught, taught_by = (None, "") if stage.teacher is None else teacher_vectors(stage.teacher, items.texts, device)
    _require_width(stage, taught, learned)
    updates = ItemUpdates(
        items,
        _reader(stage, read, recipe.seed),
        stage.batches,
        seed=recipe.seed,
        masked=stage.mask_alike and stage.loss.negatives,
        taught=taught,
    )
    parts = {name: ItemMeasure.of(file) for name, file in splits.measured().items()}
    if "dev" in parts and stage.selection.metric != "auto":
        names = parts["dev"].names
        require_metric(dict.fromkeys(names, 0.0), stage.selection)
    learned.learner.to(device)
    return StageRun(
        recipe=recipe,
        stage=stage,
        splits=splits,
        learned=learned,
        items=items,
        read=read,
        updates=updates,
        dev=parts.get("dev"),
        test=parts.get("test"),
        device=device,
        groups=tuple(parameter_groups(learned.learner, stage.optimizer, stage.freeze)),
        notes=(*splits.notes, *learned.notes, *scaled, *cut, *_dropout_notes(stage, learned.learner, updates, device)),
        taught_by=taught_by,
    )


def _read(stage: Stage, items: Items, bundle: SentenceBundle) -> tuple[ReadTexts, tuple[str, ...]]:
    """The training texts as tokens, and what that costs."""
    positions = bundle.embedder.encoder.config.position.max_positions
    most = positions if stage.generation is None else (positions + 1) // 2
    limit = min(stage.max_length or bundle.max_length, most)
    noise = None if stage.generation is None else stage.generation.noise
    prompt = bundle.task.prompt(None)
    read = read_texts(items.texts, bundle.tokenizer, max_length=limit, prompt=prompt, words=noise is not None)
    notes = []
    if stage.max_length is not None and limit < stage.max_length:
        notes.append(f"max_length is {stage.max_length}, but the encoder has room for {limit} tokens of a text only")
    if cut := read.truncated.texts:
        notes.append(
            f"train: {cut:,} of {len(read.ids):,} texts are longer than {limit} tokens; the beginning is read, "
            f"{read.truncated.tokens:,} tokens are lost"
        )
    return read, (*notes, *unknown_notes("train", read.ids, bundle.tokenizer))


def _reader(stage: Stage, read: ReadTexts, seed: int) -> Reader:
    if stage.generation is None:
        return EachText.of(read.examples())
    return SourceAndTarget(read.ids, read.tokenizer, noise_for(stage.generation.noise, read), seed)


def _scaled(items: Items, stage: Stage) -> tuple[Items, tuple[str, ...]]:
    """Numbers that a cosine is to equal are brought to 0 to 1."""
    if not isinstance(stage.loss, CosineRegression) or items.labels is None:
        return items, ()
    low, high = float(items.labels.min()), float(items.labels.max())
    if low >= 0 and high <= 1:
        return items, ()
    note = f"the numbers {low:g} to {high:g} of the training pairs are learned as cosines of 0 to 1"
    return replace(items, labels=(items.labels - low) / (high - low)), (note,)


def _require_differences(items: Items, stage: Stage, name: str) -> None:
    numbers = items.labels if stage.examples == "scored" else None
    if numbers is not None and (numbers == numbers[0]).all():
        fact = f"all {len(numbers)} numbers are {numbers[0]:g}"
        raise UserError(
            f"{name}: {fact}, so there is nothing to learn; give pairs of different similarity",
            code="constant_scores",
            where=name,
        )
    alone = len(items) < 2 or len(np.unique(items.classes)) < 2
    if stage.loss.negatives and items.roles < 3 and alone:
        raise UserError(
            f"{name}: loss {stage.loss.kind} tells an item from the others of its batch, but there is only one; "
            "give more",
            code="too_few_rows",
            where=name,
        )


def _require_roles(items: Items, stage: Stage, name: str) -> None:
    most = stage.loss.most_roles
    if (most is not None and items.roles > most) or items.roles < stage.loss.fewest_roles:
        raise UserError(
            f"{name}: the items have {items.roles} texts each, but loss {stage.loss.kind} reads "
            f"{stage.loss.fewest_roles if most == stage.loss.fewest_roles else f'up to {most}'}; leave columns out, "
            "or choose loss in_batch, which reads any number of negatives",
            code="wrong_items",
            where=name,
        )


def _require_width(stage: Stage, taught: Float[np.ndarray, "texts width"] | None, learned: Learned) -> None:
    width = learned.learner.embedder.width
    if taught is not None and stage.loss.kind == "teacher_vectors" and taught.shape[1] != width:
        raise UserError(
            f"the teacher's vectors have {taught.shape[1]} dimensions, the student's {width}; learn its similarities "
            "instead (loss.kind=teacher_similarities), for which widths may differ",
            code="teacher_mismatch",
        )


def _dropout_notes(
    stage: Stage, learner: SentenceLearner, updates: ItemUpdates, device: torch.device
) -> tuple[str, ...]:
    """Two copies of a text differ by dropout alone: make sure that it is really at work.

    Raises:
        UserError: two passes over the same texts give the same vectors.
    """
    if stage.examples != "copies":
        return ()
    batch = updates.update(0, 0, at_least=1)[0]().to(device)
    difference = differences_by_dropout(learner, batch.parts[0])
    shape = learner.embedder.encoder.config
    if difference == 0.0:
        raise UserError(
            f"{stage.method} learns from two readings of a text that differ by dropout alone, but two passes gave the "
            f"same vectors (hidden dropout {shape.hidden_dropout:g}, attention dropout {shape.attention_dropout:g}); "
            "set --dropout 0.1",
            code="no_dropout",
        )
    return (
        f"dropout {shape.hidden_dropout:g} (attention {shape.attention_dropout:g}) is at work: two readings of a text "
        f"are up to {difference:.3f} apart",
    )
