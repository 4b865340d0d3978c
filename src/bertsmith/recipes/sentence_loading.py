"""From a folder to a sentence encoder: ours, sentence-transformers', or any encoder with a pooling."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from bertsmith.config import parse_config
from bertsmith.encoder import Checkpoint, load_checkpoint
from bertsmith.encoder.hub import resolve
from bertsmith.encoder.weights import read_weights
from bertsmith.errors import UserError
from bertsmith.generation import form_in
from bertsmith.recipes.folder_kind import is_layout, is_ours
from bertsmith.recipes.sentence_bundle import SENTENCE_FORMAT, SentenceBundle, fill, pooler_tensors
from bertsmith.recipes.sentence_layout import Found, on_top_of, read_listed
from bertsmith.recipes.sentence_modules import read_chain
from bertsmith.recipes.start import left_out, require_fit
from bertsmith.sentences import SentenceEmbedder, SentenceTask, features_named
from bertsmith.text import Tokenizer
from bertsmith.training import Precision

DEFAULT_POOLING = "first-last-avg"
"""Of an encoder that was never trained to make vectors: best of four for BERT in Su's experiments (P4)."""


def load_sentence_bundle(
    source: str | Path,
    *,
    pooling: str | None = None,
    normalize: bool | None = None,
    dim: int | None = None,
    max_length: int | None = None,
    precision: Precision | None = None,
) -> SentenceBundle:
    """Load a sentence encoder: one of ours, a folder of sentence-transformers, or any encoder with a pooling.

    An encoder that does not say how it pools gets the first-last average, and the notes say so. Another
    pooling than the stored one leaves out what was trained or fitted on top of that. An encoder that was
    not made for this gives vectors as they are, not of length 1, unless `normalize` asks for it.

    Raises:
        UserError: there is no such folder, it is damaged, or holds a module that bertsmith has not; a pooler
            is asked for that the checkpoint has not; a choice does not fit the vectors.
    """
    folder = resolve(str(source))
    chain = read_chain(folder) if is_layout(folder) and not is_ours(folder) else None
    place = folder if chain is None else chain.encoder
    checkpoint, tokenizer = load_checkpoint(place), Tokenizer.from_folder(place)
    require_fit(checkpoint.encoder, tokenizer)
    found = chain or _own(checkpoint, folder) or _plain(checkpoint, folder, named=pooling is not None)
    if found.lowercase:
        _require_lowercase(tokenizer, place)
    task, cut = _within(found.task, checkpoint)
    embedder = SentenceEmbedder(task, checkpoint.encoder)
    fill(embedder, {**found.tensors, **pooler_tensors(checkpoint.heads)}, where=str(folder))
    bundle = SentenceBundle(
        embedder.eval(),
        tokenizer,
        checkpoint.family,
        precision or _block(checkpoint).get("precision", "float32"),
        {name: parts for name, parts in checkpoint.heads.items() if name != "extra"},
        (*checkpoint.report.notes, *left_out(checkpoint), *tokenizer.assumptions, *found.notes, *cut),
        form_in(checkpoint.raw_config),
        str(source),
    )
    if pooling is not None:
        bundle = bundle.pooled_by(pooling)
    given = {"normalize": normalize, "dim": dim, "max_length": max_length}
    changes = {name: value for name, value in given.items() if value is not None}
    bundle = bundle.but(**changes) if changes else bundle
    return replace(bundle, notes=bundle.notes + _cut_notes(bundle.task, dim))


def _cut_notes(task: SentenceTask, dim: int | None) -> tuple[str, ...]:
    """A cut that the model was not trained for costs more than it need."""
    if dim is None or dim in task.matryoshka:
        return ()
    trained = f", but for {', '.join(map(str, task.matryoshka))}" if task.matryoshka else ""
    return (f"the first {dim} dimensions are kept; the model does not say that it was trained for that{trained}",)


def _block(checkpoint: Checkpoint) -> dict[str, Any]:
    block = checkpoint.raw_config.get("bertsmith")
    return block if isinstance(block, dict) else {}


def _own(checkpoint: Checkpoint, folder: Path) -> Found | None:
    """What `save_sentence_bundle` wrote; None if it did not write this."""
    block = _block(checkpoint)
    if "sentences" not in block:
        return None
    if block.get("format") != SENTENCE_FORMAT:
        raise UserError(
            f"{folder} was written in format {block.get('format')}, this version reads {SENTENCE_FORMAT}; "
            "use the version that wrote it",
            code="bundle_format",
            where=str(folder),
        )
    task = parse_config(SentenceTask, block["sentences"], where=str(folder / "config.json"))
    dense = [read_weights(place)[0] for kind, place in read_listed(folder) if kind == "Dense"]
    return Found(task, folder, on_top_of(task, dense))


def _plain(checkpoint: Checkpoint, folder: Path, *, named: bool) -> Found:
    """An encoder that was not made for this."""
    notes: tuple[str, ...] = ()
    if "task" in _block(checkpoint):
        notes += (f"{folder} is a fine-tuned model: its encoder is used, its head is not",)
    if not named:
        notes += (
            f"{folder} does not say how its vectors are pooled; {DEFAULT_POOLING} is taken (--pooling chooses another)",
        )
    task = SentenceTask(features=features_named(DEFAULT_POOLING), normalize=False)
    return Found(task, folder, {}, notes=notes)


def _within(task: SentenceTask, checkpoint: Checkpoint) -> tuple[SentenceTask, tuple[str, ...]]:
    """A stored length beyond the encoder's positions is cut, and said."""
    most = checkpoint.encoder.config.position.max_positions
    if task.max_length is None or task.max_length <= most:
        return task, ()
    note = f"the folder says {task.max_length} tokens a text, the encoder has {most} positions; {most} are read"
    return task.but(max_length=most), (note,)


def _require_lowercase(tokenizer: Tokenizer, folder: Path) -> None:
    """Their `do_lower_case` is honoured where the tokenizer does it anyway."""
    normalizer = tokenizer.definition.backend.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer])
    if not any(step.get("type") == "Lowercase" or step.get("lowercase") for step in steps):
        raise UserError(
            f"{folder} wants texts in small letters (do_lower_case), its tokenizer does not make them so; "
            "set do_lower_case in tokenizer_config.json to true",
            code="unknown_module",
            where=str(folder),
        )
