"""What a stage trains: the encoder it starts from, what comes on top of it, and the loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bertsmith.encoder.checkpoint import EXTRA
from bertsmith.encoder.hub import resolve
from bertsmith.encoder.surgery import with_dropout
from bertsmith.encoder.weights import read_json
from bertsmith.errors import UserError
from bertsmith.generation import Form, Shifted
from bertsmith.heads import VocabularyHead
from bertsmith.losses import Matryoshka, VectorCriterion
from bertsmith.pretraining.stored import put_head
from bertsmith.recipes.contrast_methods import METHODS
from bertsmith.recipes.contrast_schema import ContrastRecipe, Stage
from bertsmith.recipes.folder_kind import is_layout
from bertsmith.recipes.schema import Start
from bertsmith.recipes.sentence_bundle import SentenceBundle
from bertsmith.recipes.sentence_loading import load_sentence_bundle
from bertsmith.recipes.start import Beginning, begin
from bertsmith.sentences import Projection, Projector, SentenceEmbedder, SentenceTask, features_named
from bertsmith.sentences.learner import SentenceLearner
from bertsmith.text import Tokenizer

Heads = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Learned:
    """The learner of a stage, with what is saved beside its embedder, and what should be said."""

    learner: SentenceLearner
    tokenizer: Tokenizer
    family: str
    heads: Heads
    notes: tuple[str, ...]
    form: Form | None = None
    """How the model it goes on from writes, if it does."""
    dropout: tuple[float, float] | None = None
    """The rates (hidden, attention) that those of this training replace."""

    def bundle(self, recipe: ContrastRecipe) -> SentenceBundle:
        """The sentence encoder as it is now; a writer's head, and SimBERT's linear pooler, are among its heads."""
        heads = {name: tensors for name, tensors in self.heads.items() if name != "pooler"}
        if self.learner.writer is not None:
            heads["mlm"] = dict(self.learner.writer.state_dict())
        linear = _linear_pooler(self.learner.embedder) if "mlm" in heads else None
        if linear is not None:
            heads["pooler"] = dict(linear.linear.state_dict())
        form = self.form if self.learner.writer is None else Shifted()
        return SentenceBundle(self.learner.embedder, self.tokenizer, self.family, recipe.precision, heads, form=form)

    def kept(self, recipe: ContrastRecipe) -> SentenceBundle:
        """The same as it is saved: with the dropout it had, not that of this training, which others would inherit."""
        bundle = self.bundle(recipe)
        if self.dropout is None:
            return bundle
        hidden, attention = self.dropout
        return bundle.with_encoder(with_dropout(bundle.embedder.encoder, hidden=hidden, attention=attention))


def learner_for(
    recipe: ContrastRecipe, stage: Stage, start: Start, texts: Sequence[str], *, labels: Sequence[str]
) -> Learned:
    """Load what a stage starts from and put on top what it asks for; new weights come of the recipe's seed.

    Raises:
        UserError: the checkpoint cannot be had, or what is asked for does not fit it.
    """
    start = start if stage.dropout is None else start.but(dropout=stage.dropout)
    beginning = begin(start, texts, seed=recipe.seed)
    beginning.encoder.activations, beginning.encoder.attention_path = recipe.activations, recipe.attention
    before = _sentence_encoder(start)
    generator = torch.Generator().manual_seed(recipe.seed)
    task, notes = _task(stage, beginning, before)
    embedder = SentenceEmbedder(task, beginning.encoder, generator=generator)
    notes += _fill(embedder, stage, beginning, before)
    width, training_head = embedder.width, None
    if stage.head is not None and not stage.head.kept:
        projection = Projection(width=width, activation=stage.head.activation)
        training_head = Projector(projection, width, generator=generator)
        notes += (f"training alone sees a dense layer with {stage.head.activation}, random from seed {recipe.seed}",)
    writer, told = _writer(stage, beginning, generator)
    learner = SentenceLearner(
        embedder,
        _criterion(stage, width, len(labels), generator),
        training_head=training_head,
        writer=writer,
        writing_weight=1.0 if stage.generation is None else stage.generation.weight,
    )
    kept, form = ({}, None) if before is None else (before.heads, before.form)
    if form is not None and writer is None:
        told += ("the model writes (SimBERT); this stage does not teach it to, so what it writes may get worse",)
    told = (*beginning.notes, *notes, *told)
    return Learned(learner, beginning.tokenizer, beginning.family, kept, told, form, beginning.dropout)


def _sentence_encoder(start: Start) -> SentenceBundle | None:
    """What the checkpoint says of vectors, if it is a sentence encoder."""
    if start.model is None:
        return None
    folder = resolve(start.model)
    block = read_json(folder / "config.json").get("bertsmith") if (folder / "config.json").is_file() else None
    ours = isinstance(block, dict) and "sentences" in block
    return load_sentence_bundle(folder) if ours or is_layout(folder) else None


def _task(stage: Stage, beginning: Beginning, before: SentenceBundle | None) -> tuple[SentenceTask, tuple[str, ...]]:
    """Pooling and dense layers: those of the sentence encoder that is gone on from, or the recipe's."""
    notes: tuple[str, ...] = ()
    usual = features_named(METHODS[stage.method].pooling) if stage.method in METHODS else features_named("mean")
    if before is not None and stage.features in (None, before.task.features):
        task = before.task
        if task.whitening is not None or task.dim is not None:
            notes += ("the whitening, or the cut to fewer dimensions, of the model is left out: it no longer fits",)
        if task.projections and stage.head is not None and stage.head.kept:
            notes += ("the model has a dense layer on its vectors already, which goes on learning",)
        task = task.but(whitening=None, dim=None)
    else:
        task = SentenceTask(features=stage.features or usual)
        if before is not None:
            notes += (f"pooling {task.pooling} instead of the model's own, {before.task.pooling}",)
    if stage.head is not None and stage.head.kept and not task.projections:
        shape = beginning.encoder.config
        width = task.features.layers.width(shape.hidden_size, shape.num_layers)
        task = task.but(projections=(Projection(width=width, activation=stage.head.activation),))
    return task.but(matryoshka=stage.matryoshka or task.matryoshka), notes


def _fill(
    embedder: SentenceEmbedder, stage: Stage, beginning: Beginning, before: SentenceBundle | None
) -> tuple[str, ...]:
    """Weights above the encoder: the sentence encoder's, the checkpoint's pooler, or random ones, as is said."""
    own, notes = embedder.on_top(), []
    found: dict[str, Tensor] = {} if before is None else before.embedder.on_top()
    if pooler := beginning.heads.get("pooler"):
        found = {**{f"features.pooler.dense.{name}": tensor for name, tensor in pooler.items()}, **found}
        if stage.head is not None and stage.head.from_pooler:
            found = {**{f"projections.0.linear.{name}": tensor for name, tensor in pooler.items()}, **found}
    fitting = {name: tensor for name, tensor in found.items() if name in own and own[name].shape == tensor.shape}
    embedder.load_state_dict(fitting, strict=False)
    if any(name.startswith("features.pooler") for name in own.keys() - fitting.keys()):
        notes.append("the checkpoint has no pooler: a new one starts from random weights")
    if any(name.startswith("projections") for name in own.keys() - fitting.keys()):
        notes.append("the dense layer on the vectors is new: random weights")
    return tuple(notes)


def _writer(
    stage: Stage, beginning: Beginning, generator: torch.Generator
) -> tuple[VocabularyHead | None, tuple[str, ...]]:
    if stage.generation is None:
        return None, ()
    if beginning.encoder.config.type_vocab_size < 2:
        raise UserError(
            "learning to write needs two segments, source and target, and this encoder tells none apart "
            "(type_vocab_size 1, as RoBERTa's); start from one that does, as BERT's, or leave generation out: "
            "contrast --method simcse-supervised learns from the same pairs",
            code="bad_setting",
        )
    writer = VocabularyHead(beginning.encoder.config, generator=generator)
    stored = beginning.heads.get("mlm") or _among_extras(beginning.heads)
    if not stored:
        told = "the head over the vocabulary (mlm) is new: its output is the encoder's own token table, the rest random"
        return writer, (told,)
    put_head(writer, stored, "mlm")
    return writer, ()


def _among_extras(heads: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    extras = heads.get(EXTRA, {})
    return {key.removeprefix("mlm."): tensor for key, tensor in extras.items() if key.startswith("mlm.")}


def _criterion(stage: Stage, width: int, labels: int, generator: torch.Generator) -> VectorCriterion:
    criterion = stage.loss.build(width, labels, generator=generator)
    if not stage.matryoshka:
        return criterion
    if max(stage.matryoshka) > width:
        raise UserError(
            f"matryoshka asks for {max(stage.matryoshka)} dimensions, but the vectors have {width}", code="bad_setting"
        )
    return Matryoshka(criterion, stage.matryoshka)


def _linear_pooler(embedder: SentenceEmbedder) -> Projector | None:
    """The one dense layer without activation on [CLS], if that is how vectors are made: SimBERT's pooler."""
    task, width = embedder.task, embedder.encoder.config.hidden_size
    if task.pooling != "cls" or len(task.projections) != 1:
        return None
    (projection,) = task.projections
    fits = projection.activation == "none" and projection.bias and projection.width == width
    pooler = embedder.projections[0]
    return pooler if fits and isinstance(pooler, Projector) else None
