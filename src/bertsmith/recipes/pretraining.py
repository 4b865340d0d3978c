"""The pre-training run: a corpus and a recipe in, an encoder with its heads out."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from bertsmith.data.corpus import inspect
from bertsmith.data.shards import Annotator, BuildEvent, Built, ShardSet, build_shards
from bertsmith.encoder import Encoder, PrefixLM, save_checkpoint
from bertsmith.encoder.checkpoint import EXTRA
from bertsmith.encoder.families import family_of
from bertsmith.encoder.surgery import with_dropout
from bertsmith.errors import UserError
from bertsmith.generation import AppendedMask, Form, Shifted, generation_block
from bertsmith.pretraining import (
    Pretrainer,
    PretrainUpdates,
    TokenCorpus,
    TokenVectors,
    VocabularyFacts,
    generator_checkpoint,
    heldout_metrics,
    load_heads,
    pretrained_heads,
)
from bertsmith.pretraining.ahead import MadeAhead
from bertsmith.pretraining.token_vectors import LearnedVectors
from bertsmith.recipes.counting import CountingUpdates
from bertsmith.recipes.folder import SNAPSHOTS, holding_folder, preparing_folder
from bertsmith.recipes.heldout import Heldout, heldout_texts
from bertsmith.recipes.pretrain_result import PretrainResult
from bertsmith.recipes.pretraining_schema import PretrainRecipe
from bertsmith.recipes.schema import recipe_yaml, without_free
from bertsmith.recipes.start import Beginning, begin
from bertsmith.text import Tokenizer, unknown_notes
from bertsmith.text.similar import SimilarTokens
from bertsmith.training import (
    Listener,
    Noticed,
    ParameterGroup,
    Ranks,
    Snapshots,
    Surroundings,
    Updates,
    compute_dtype,
    joined_ranks,
    local_rank,
    parameter_groups,
    resolve_device,
    train,
    using_threads,
)

VOCABULARY, SHARDS, HELD_OUT = "vocabulary", "shards", "held-out"
TOKEN_VECTORS = "token-vectors.npz"
GENERATOR = "generator"
LOOKED_AT = 1_000_000
"""Tokens of the corpus that are looked at for what the vocabulary does not know."""


def pretrain(
    recipe: PretrainRecipe, *, out: Path, resume: bool = False, listeners: Sequence[Listener] = ()
) -> PretrainResult:
    """Learn from the corpus; snapshots, and until the run is complete vocabulary and shards, go to `out`.

    What an earlier run left there goes only once all of it fits. Under torchrun the first process
    prepares the corpus and all share the work.

    Raises:
        UserError: corpus, checkpoint and recipe do not fit.
        Interrupted: a signal came; the state is saved.
    """
    began = time.perf_counter()
    device = resolve_device(recipe.device, local_rank=local_rank())
    with using_threads(recipe.threads), joined_ranks(device) as ranks, holding_folder(out if ranks.leads else None):
        run = _prepared_run(recipe, out, device, ranks, _Voice(listeners, ranks), resume=resume)
        with _made_ahead(run.updates, recipe, ranks) as made:
            updates = CountingUpdates(made, run.model, ranks, listeners)
            result = train(
                run.model,
                updates,
                recipe.training,
                around=Surroundings(
                    device=device,
                    ranks=ranks,
                    snapshots=Snapshots(out / SNAPSHOTS, identity=_identity(recipe, run.corpus)),
                    resume=resume,
                    listeners=listeners,
                ),
                evaluate=run.heldout_metrics if run.heldout.builds else None,
            )
        updates.look(result.steps)
        heldout = run.heldout_metrics() if run.heldout.builds and ranks.leads else {}
        return PretrainResult(
            recipe=recipe,
            model=run.model,
            tokenizer=run.corpus.tokenizer,
            family=run.family,
            corpus=run.corpus,
            training=result,
            heldout=heldout,
            heldout_documents=run.heldout.documents,
            samples=run.heldout.updates or run.updates,
            groups=run.groups,
            device=device,
            notes=run.notes,
            seconds=time.perf_counter() - began,
            leads=ranks.leads,
            dropout=run.dropout,
        )


def save_pretrained(result: PretrainResult, folder: Path) -> tuple[str, ...]:
    """Write the encoder with its heads and tokenizer, and ELECTRA's generator beside them in `generator/`.

    The dropout of this training (`start.dropout`) is not written: whoever fine-tunes the encoder has the rates it had
    before. Returns what the reader of the folder should know.

    Raises:
        UserError: the folder cannot be written.
    """
    known = family_of(result.family).head_names
    heads = pretrained_heads(result.model)
    strange = {
        f"{head}.{name}": tensor for head in heads.keys() - {*known, EXTRA} for name, tensor in heads[head].items()
    }
    kept = {head: tensors for head, tensors in heads.items() if head in (*known, EXTRA)}
    result.tokenizer.save(folder)
    form = _form(result.recipe)
    notes = save_checkpoint(
        folder,
        _with_usual_dropout(result.model.encoder, result),
        family=result.family,
        heads=kept,
        extra_tensors=strange,
        config_extras={} if form is None else {"bertsmith": generation_block(form)},
    )
    if (generator := generator_checkpoint(result.model)) is not None:
        filler, generator_heads = generator
        result.tokenizer.save(folder / GENERATOR)
        filler = _with_usual_dropout(filler, result)
        notes += save_checkpoint(folder / GENERATOR, filler, family="electra", heads=generator_heads)
    return notes


def _with_usual_dropout(encoder: Encoder, result: PretrainResult) -> Encoder:
    if result.dropout is None:
        return encoder
    hidden, attention = result.dropout
    return with_dropout(encoder, hidden=hidden, attention=attention)


def _form(recipe: PretrainRecipe) -> Form | None:
    """How the next token of a target was asked for, if any part of the objective reads sources and targets."""
    parts = [part for part in recipe.objective.parts if isinstance(part.attend, PrefixLM)]
    if not parts:
        return None
    return Shifted() if any(part.losses.next_token for part in parts) else AppendedMask()


@dataclass(frozen=True, slots=True)
class _Voice:
    """Tells the listeners, on the leading process only."""

    listeners: Sequence[Listener]
    ranks: Ranks

    def __call__(self, text: str) -> None:
        if self.ranks.leads:
            for listener in self.listeners:
                listener(Noticed(text))

    def building(self, event: BuildEvent) -> None:
        """A shard is done, or something was noticed in the corpus."""
        if isinstance(event, Built):
            again = " (there already)" if event.reused else ""
            self(f"shard {event.shards}{again}: {event.tokens:,} tokens, {event.documents:,} documents so far")
        else:
            self(event.message)


@dataclass(frozen=True, slots=True)
class _PreparedRun:
    """A run ready to train: model on its device, corpus in shards."""

    recipe: PretrainRecipe
    model: Pretrainer
    family: str
    corpus: TokenCorpus
    updates: PretrainUpdates
    heldout: Heldout
    device: torch.device
    groups: tuple[ParameterGroup, ...]
    notes: tuple[str, ...]
    dropout: tuple[float, float] | None

    def heldout_metrics(self) -> dict[str, float]:
        dtype = compute_dtype(self.recipe.precision, self.device)
        return heldout_metrics(self.model, self.heldout.builds, device=self.device, dtype=dtype, seed=self.recipe.seed)


def _prepared_run(
    recipe: PretrainRecipe, out: Path, device: torch.device, ranks: Ranks, voice: _Voice, *, resume: bool
) -> _PreparedRun:
    for note in inspect(recipe.corpus):
        voice(note)
    beginning = _beginning(recipe, out / SNAPSHOTS / VOCABULARY, resume=resume)
    beginning.encoder.activations, beginning.encoder.attention_path = recipe.activations, recipe.attention
    _require_positions(recipe, beginning)
    annotator = Annotator(beginning.tokenizer, recipe.words, recipe.lexicon())
    similar = recipe.similar_tokens(beginning.tokenizer)
    _require_objective(recipe, beginning.tokenizer, similar)
    if recipe.token_vectors is not None:
        recipe.token_vectors.require()
    with preparing_folder(out, recipe, keep_snapshots=resume) if ranks.leads else nullcontext():
        if ranks.leads:
            if recipe.start.encoder:
                beginning.tokenizer.save(out / SNAPSHOTS / VOCABULARY)
            _build(recipe, out, annotator, voice)
        ranks.from_leader(None)
        shards, heldout_shards = _build(recipe, out, annotator, None)
        corpus = TokenCorpus(shards, beginning.tokenizer, similar)
        kept = out / SNAPSHOTS / TOKEN_VECTORS
        learned = _token_vectors(recipe.token_vectors, beginning.encoder, shards, kept, ranks=ranks)
        generator = torch.Generator().manual_seed(recipe.seed)
        model = Pretrainer(beginning.encoder, recipe.objective.all_losses, generator=generator)
        head_notes = load_heads(model, beginning.heads)
        updates = _updates(corpus, recipe)
        heldout = heldout_texts(heldout_shards, corpus, recipe)
        strange = unknown_notes("corpus", [shards.read(0, min(shards.tokens, LOOKED_AT)).token_ids], corpus.tokenizer)
        notes = (*beginning.notes, *learned, *head_notes, *heldout.notes, *strange, *_exclusion(recipe, shards))
        for note in notes:
            voice(note)
        model.to(device)
        return _PreparedRun(
            recipe=recipe,
            model=model,
            family=_family(beginning.family, model),
            corpus=corpus,
            updates=updates,
            heldout=heldout,
            device=device,
            groups=tuple(parameter_groups(model, recipe.optimizer, recipe.freeze)),
            notes=notes,
            dropout=beginning.dropout,
        )


def _beginning(recipe: PretrainRecipe, vocabulary: Path, *, resume: bool) -> Beginning:
    """A checkpoint, or random weights; a run that goes on uses the vocabulary it has trained."""
    known = Tokenizer.from_folder(vocabulary) if resume and vocabulary.is_dir() else None
    texts = (paragraph.text for paragraph in recipe.corpus.paragraphs())
    return begin(recipe.start, texts, seed=recipe.seed, tokenizer=known)


def _token_vectors(
    chosen: TokenVectors | None, encoder: Encoder, shards: ShardSet, kept: Path, *, ranks: Ranks
) -> tuple[str, ...]:
    """Let the token table begin as learned vectors; a run that goes on finds those it began with."""
    if chosen is None:
        return ()
    if ranks.leads and not kept.is_file():
        chosen.learn(shards, width=encoder.embeddings.token.weight.shape[1]).save(kept)
    ranks.from_leader(None)
    learned = LearnedVectors.load(kept)
    learned.put(encoder)
    return (f"the token table begins as vectors of {len(learned.ids):,} tokens, learned by word2vec (token_vectors)",)


def _build(
    recipe: PretrainRecipe, out: Path, annotator: Annotator, voice: _Voice | None
) -> tuple[ShardSet, ShardSet | None]:
    """Build the shards, or open them where they are there already; the held-out ones stand apart."""
    folder = recipe.shards or out / SNAPSHOTS / SHARDS

    def told(event: BuildEvent) -> None:
        if voice is not None:
            voice.building(event)

    shards = build_shards(recipe.corpus, folder, annotator, processes=recipe.processes, listener=told)
    aside = recipe.corpus.but(side="held_out")
    if next(aside.paragraphs(), None) is None:
        return shards, None
    return shards, build_shards(aside, folder / HELD_OUT, annotator, processes=recipe.processes)


def _updates(corpus: TokenCorpus, recipe: PretrainRecipe) -> PretrainUpdates:
    """The training texts; stages need to know how many updates the run will have.

    Raises:
        UserError: the corpus has no texts of that form.
    """
    limits = [] if recipe.budget.max_steps is None else [recipe.budget.max_steps]
    if recipe.budget.epochs is not None:
        once = PretrainUpdates(corpus, recipe.objective, recipe.texts, seed=recipe.seed, total=1).per_epoch(0)
        epochs = recipe.budget.epochs_of(once)
        limits += [] if epochs is None else [epochs * once]
    updates = PretrainUpdates(corpus, recipe.objective, recipe.texts, seed=recipe.seed, total=min(limits))
    updates.per_epoch(0)  # refuses a corpus without texts of that form
    return updates


@contextmanager
def _made_ahead(updates: PretrainUpdates, recipe: PretrainRecipe, ranks: Ranks) -> Iterator[Updates]:
    """The updates, corrupted by processes of their own if the recipe wants some."""
    if not recipe.workers:
        yield updates
        return
    with MadeAhead(updates, workers=recipe.workers, rank=ranks.rank, world=ranks.world) as ahead:
        yield ahead


def _exclusion(recipe: PretrainRecipe, shards: ShardSet) -> tuple[str, ...]:
    """How much of the corpus also stands in the files that nothing may be learned from."""
    if not recipe.corpus.exclude:
        return ()
    names = ", ".join(path.name for path in recipe.corpus.exclude)
    number = shards.meta.excluded
    return (f"left out of the corpus, since they also stand in {names}: {number:,} paragraphs",)


def _require_objective(recipe: PretrainRecipe, tokenizer: Tokenizer, similar: SimilarTokens | None) -> None:
    """Refuse what the corruption lacks before the corpus is prepared, which may take long."""
    vocabulary = VocabularyFacts.from_tokenizer(tokenizer)
    for part in recipe.objective.parts:
        if part.corrupt is not None:
            part.corrupt.replace.require(vocabulary, similar)


def _require_positions(recipe: PretrainRecipe, beginning: Beginning) -> None:
    limit = beginning.encoder.config.position.max_positions
    if recipe.texts.max_length > limit:
        raise UserError(
            f"texts.max_length is {recipe.texts.max_length}, but this encoder has {limit} positions; lower it",
            code="too_long",
        )


def _family(family: str, model: Pretrainer) -> str:
    """The layout that has a place for the discriminator's head, if there is one."""
    return "electra" if "rtd" in model.heads and "rtd" not in family_of(family).head_names else family


def _identity(recipe: PretrainRecipe, corpus: TokenCorpus) -> str:
    """Hash of all that decides the run: what a snapshot must agree with to be gone on from."""
    told = recipe_yaml(without_free(recipe))
    meta = corpus.shards.meta.model_dump_json(exclude={"sources"})
    return hashlib.sha256(f"{told}\n{meta}".encode()).hexdigest()
