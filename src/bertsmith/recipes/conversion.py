"""An original TensorFlow checkpoint as a folder that every command reads."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from torch import Tensor

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.encoder import Checkpoint, load_checkpoint, save_checkpoint
from bertsmith.encoder.checkpoint import EXTRA
from bertsmith.encoder.families.tensorflow import Part
from bertsmith.encoder.original import Converted, find_bundle, load_original
from bertsmith.errors import UserError
from bertsmith.files import atomic_folder
from bertsmith.generation import TRAINED_AS, TrainedAs, generation_block
from bertsmith.recipes.schema import merged, read_yaml
from bertsmith.recipes.sentence_bundle import SentenceBundle, save_sentence_bundle
from bertsmith.recipes.start import require_fit
from bertsmith.recipes.writing import as_simbert
from bertsmith.sentences import SentenceEmbedder, SentenceTask
from bertsmith.text import Tokenizer


class ConversionRecipe(Config):
    """What is read, and what the files leave unsaid.

    `source` is a folder or the prefix of a checkpoint, `config` its bert_config.json (None: the one
    beside it), `settings` keys of it that are said here instead, `tokenizer` another folder with the
    vocabulary. `part` says which of ELECTRA's two encoders. `trained_as` says that the weights were
    trained to generate, which no file of such a checkpoint says: `paraphrase` then takes the result.
    """

    kind: Literal["conversion"] = "conversion"
    source: Path
    config: Path | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    tokenizer: Path | None = None
    part: Part = "discriminator"
    trained_as: TrainedAs | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was read and what was written of it."""

    converted: Converted
    tensors: int
    largest_difference: float
    notes: tuple[str, ...]
    seconds: float

    def summary(self) -> dict[str, Any]:
        """The object `convert --json` prints, without `out`."""
        found, checkpoint = self.converted, self.converted.checkpoint
        parameters = sum(tensor.numel() for tensor in _all_tensors(checkpoint).values())
        return {
            "from": checkpoint.report.source,
            "family": checkpoint.family,
            "heads": list(checkpoint.report.found),
            "parameters": parameters,
            "tensors": self.tensors,
            "variables": found.variables,
            "shards": found.shards,
            "partitioned": found.partitioned,
            "optimizer": found.slots,
            "other_part": found.other_part,
            "unexpected": list(checkpoint.report.unexpected),
            "parity": {"tensors": self.tensors, "largest_difference": self.largest_difference},
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def conversion_recipe(
    *, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> ConversionRecipe:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Raises:
        UserError: no source is named, a field is unknown, or a value does not fit.
    """
    below = read_yaml(file) if file else {}
    chosen = with_settings(merged(below, given), settings)
    if not chosen.get("source"):
        raise UserError("no checkpoint: give --from FOLDER, or the beginning of PREFIX.index", code="bad_usage")
    return parse_config(ConversionRecipe, chosen, where=str(file) if file else None)


def convert(recipe: ConversionRecipe, out: Path) -> Conversion:
    """Read the checkpoint, write it in the Hugging Face layout, load it back and compare every number.

    Raises:
        UserError: checkpoint, config or vocabulary are missing, damaged or do not belong together, or `out`
            cannot be written.
    """
    began = time.perf_counter()
    prefix = find_bundle(recipe.source)
    converted = load_original(prefix, config=recipe.config, settings=recipe.settings, part=recipe.part)
    checkpoint = converted.checkpoint
    tokenizer = Tokenizer.from_folder(recipe.tokenizer or prefix.parent)
    require_fit(checkpoint.encoder, tokenizer)
    with atomic_folder(out) as temporary:
        remarks = _save(checkpoint, tokenizer, recipe, temporary)
        tensors, difference = _compared(checkpoint, load_checkpoint(temporary))
    return Conversion(
        converted=converted,
        tensors=tensors,
        largest_difference=difference,
        notes=(*checkpoint.report.notes, *tokenizer.assumptions, *remarks, *_hint(recipe, checkpoint)),
        seconds=time.perf_counter() - began,
    )


def _save(checkpoint: Checkpoint, tokenizer: Tokenizer, recipe: ConversionRecipe, folder: Path) -> tuple[str, ...]:
    """As a plain encoder, or as what it was trained to be: SimBERT is a sentence encoder too."""
    heads, extras = checkpoint.heads, checkpoint.config_extras
    if recipe.trained_as is not None:
        _require_words(recipe, checkpoint)
        form = TRAINED_AS[recipe.trained_as]
        extras = {**extras, "bertsmith": generation_block(form)}
        if recipe.trained_as == "simbert" and "pooler" in heads:
            embedder = SentenceEmbedder(SentenceTask(), checkpoint.encoder)
            bundle = SentenceBundle(embedder, tokenizer, checkpoint.family, heads=heads, form=form)
            return save_sentence_bundle(as_simbert(bundle), folder)
    tokenizer.save(folder)
    return save_checkpoint(folder, checkpoint.encoder, family=checkpoint.family, heads=heads, config_extras=extras)


def _require_words(recipe: ConversionRecipe, checkpoint: Checkpoint) -> None:
    if "mlm" not in checkpoint.heads:
        raise UserError(
            f"trained as {recipe.trained_as} is said, but {checkpoint.report.source} has no head that names tokens "
            "(cls/predictions): nothing can be generated with it; leave --trained-as out",
            code="no_language_model",
        )


def _hint(recipe: ConversionRecipe, checkpoint: Checkpoint) -> tuple[str, ...]:
    """SimBERT and RoFormer-Sim keep a pooler and the token head, and no next-sentence head, as nothing else does."""
    heads = checkpoint.heads.keys() - {EXTRA}
    if recipe.trained_as is not None or heads != {"pooler", "mlm"} or checkpoint.family == "albert":
        return ()
    return (
        "its heads are those of SimBERT; if it is one, say --trained-as simbert, so that paraphrase and encode take it",
    )


def _all_tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    beside = {f"{head}/{name}": value for head, parts in checkpoint.heads.items() for name, value in parts.items()}
    return {**checkpoint.encoder.state_dict(), **beside}


def _compared(before: Checkpoint, after: Checkpoint) -> tuple[int, float]:
    """How many tensors both have, and by how much any number differs.

    Raises:
        ValueError: a tensor did not come back, which is a bug.
    """
    left, right = _all_tensors(before), _all_tensors(after)
    if left.keys() != right.keys():
        raise ValueError(f"tensors were lost or made up on the way: {sorted(left.keys() ^ right.keys())[:5]}")
    differences = [_difference(left[name], right[name]) for name in left]
    return len(left), max(differences, default=0.0)


def _difference(left: Tensor, right: Tensor) -> float:
    return float((left.double() - right.double()).abs().max()) if left.numel() else 0.0
