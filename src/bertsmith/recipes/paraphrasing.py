"""Texts in, similar ones out: written under the prefix mask, told apart, ranked by their vectors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, PositiveInt

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.errors import UserError
from bertsmith.generation import (
    AnyForm,
    Decoding,
    Limits,
    Sampling,
    Written,
    read_sources,
    sampled,
    searched,
)
from bertsmith.metrics import normed
from bertsmith.recipes.schema import merged, read_yaml
from bertsmith.recipes.writing import WritingModel
from bertsmith.text.characters import is_blank
from bertsmith.training import DeviceName

AT_ONCE = 64
"""Texts written about together; memory follows `limits.rows`."""


class ParaphraseRecipe(Config):
    """How similar texts are made: SimBERT's own values (ZhuiyiTechnology/simbert, `gen_synonyms`) by default.

    `keep` is how many are given of each text, at most; `threshold` the least cosine. `form` says how the
    model is asked for the next token where its config.json does not; `pooling` replaces the vectors it is
    ranked by.
    """

    kind: Literal["paraphrase"] = "paraphrase"
    model: str
    form: AnyForm | None = None
    decoding: Decoding = Sampling()
    limits: Limits = Limits()
    keep: PositiveInt = 20
    threshold: Annotated[float, Field(ge=-1.0, le=1.0)] | None = None
    pooling: str | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    device: DeviceName = "auto"


class Similar(NamedTuple):
    """A text that was written, and the cosine of its vector and that of the text it was written of."""

    text: str
    score: float


@dataclass(slots=True)
class Counted:
    """What became of all that was written."""

    texts: int = 0
    written: int = 0
    unfinished: int = 0
    """Did not end within `limits.target` tokens."""
    copies: int = 0
    """Were the text itself."""
    repeated: int = 0
    below_threshold: int = 0
    truncated_texts: int = 0
    truncated_tokens: int = 0
    unknown: int = 0
    """Texts of which the vocabulary knows nothing."""

    def notes(self, recipe: ParaphraseRecipe) -> tuple[str, ...]:
        """In words, what a user should know of."""
        told = []
        if self.truncated_texts:
            told.append(
                f"{self.truncated_texts:,} of {self.texts:,} texts are longer than {recipe.limits.source} tokens; "
                f"the beginning is read, {self.truncated_tokens:,} tokens are lost (limits.source)"
            )
        if self.unknown:
            told.append(
                f"{self.unknown:,} of {self.texts:,} texts have no token the vocabulary knows (emoji?); "
                "what is written about them says nothing"
            )
        if self.unfinished:
            kept = "are given as they are" if recipe.limits.keep_unfinished else "are left out"
            told.append(
                f"{self.unfinished:,} of {self.written:,} written texts did not end within {recipe.limits.target} "
                f"tokens and {kept} (limits.target)"
            )
        return tuple(told)


@dataclass(frozen=True, slots=True)
class Paraphrased:
    """The similar texts of each text, best first."""

    similar: tuple[tuple[Similar, ...], ...]
    counted: Counted = field(default_factory=Counted)


def paraphrase_recipe(
    *, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> ParaphraseRecipe:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Where more texts are wanted than are usually drawn (or than a beam is wide), five times as many are drawn.

    Raises:
        UserError: no model is named, a field is unknown, or a value does not fit.
    """
    below = read_yaml(file) if file else {}
    chosen = with_settings(merged(below, given), settings)
    if not chosen.get("model"):
        raise UserError("no model: give --model DIR", code="bad_usage")
    recipe = parse_config(ParaphraseRecipe, chosen, where=str(file) if file else None)
    return enough(recipe)


def enough(recipe: ParaphraseRecipe) -> ParaphraseRecipe:
    """With so many texts drawn that `keep` of them can be given, unless the recipe says how many."""
    decoding = recipe.decoding
    field, number = ("count", 5 * recipe.keep) if isinstance(decoding, Sampling) else ("width", recipe.keep)
    if field in decoding.model_fields_set or getattr(decoding, field) >= recipe.keep:
        return recipe
    return recipe.but(decoding=decoding.but(**{field: number}))


def paraphrase(
    model: WritingModel, texts: Sequence[str], recipe: ParaphraseRecipe, *, device: torch.device
) -> Paraphrased:
    """Write about each text, leave out itself and what stands there twice, and rank the rest by cosine.

    What is written about a text depends on the seed and the text alone, not on its company.

    Raises:
        UserError: a text is blank, or too long for the encoder's positions.
    """
    counted, similar = Counted(), []
    for part in paraphrased(model, texts, recipe, device=device, counted=counted):
        similar += part
    return Paraphrased(tuple(similar), counted)


def paraphrased(
    model: WritingModel,
    texts: Sequence[str],
    recipe: ParaphraseRecipe,
    *,
    device: torch.device,
    counted: Counted,
) -> Iterator[list[tuple[Similar, ...]]]:
    """The same, some texts at a time; `counted` grows as they come."""
    _require_texts(texts)
    model.require_room(recipe.limits)
    model.to(device)
    for start in range(0, len(texts), AT_ONCE):
        yield _some(model, texts[start : start + AT_ONCE], recipe, device, counted)


def _some(
    model: WritingModel, texts: Sequence[str], recipe: ParaphraseRecipe, device: torch.device, counted: Counted
) -> list[tuple[Similar, ...]]:
    read = read_sources(texts, model.tokenizer, longest=recipe.limits.source)
    decoding = recipe.decoding
    if isinstance(decoding, Sampling):
        written = sampled(model.writer, read.examples, decoding, recipe.limits, seed=recipe.seed)
    else:
        written = searched(model.writer, read.examples, decoding, recipe.limits)
    counted.texts += len(texts)
    counted.truncated_texts += read.truncated.texts
    counted.truncated_tokens += read.truncated.tokens
    counted.unknown += read.unknown
    candidates = [_told_apart(model, text, made, recipe, counted) for text, made in zip(texts, written, strict=True)]
    return _ranked(model, texts, candidates, recipe, device, counted)


def _told_apart(
    model: WritingModel, text: str, written: Sequence[Written], recipe: ParaphraseRecipe, counted: Counted
) -> list[str]:
    """The different texts among them, in the order they were written, without the text itself."""
    own = {text.strip(), model.readable(text)}
    kept: dict[str, None] = {}
    for each in written:
        counted.written += 1
        counted.unfinished += not each.finished
        if not (each.finished or recipe.limits.keep_unfinished):
            continue
        said = model.tokenizer.decode(each.token_ids).strip()
        if said in own:
            counted.copies += 1
        elif said in kept:
            counted.repeated += 1
        elif not is_blank(said):
            kept[said] = None
    return list(kept)


def _ranked(
    model: WritingModel,
    texts: Sequence[str],
    candidates: Sequence[Sequence[str]],
    recipe: ParaphraseRecipe,
    device: torch.device,
    counted: Counted,
) -> list[tuple[Similar, ...]]:
    """Each text and each candidate is read alone; equal cosines keep the order of writing."""
    vectors = normed(
        model.sentences.encode([*texts, *(one for some in candidates for one in some)], device=device).vectors
    )
    results, start = [], len(texts)
    for own, some in zip(vectors, candidates, strict=False):
        scores = vectors[start : start + len(some)] @ own
        start += len(some)
        order = np.argsort(-scores, kind="stable")
        ranked = [Similar(some[place], round(float(scores[place]), 6)) for place in order]
        passed = [each for each in ranked if recipe.threshold is None or each.score >= recipe.threshold]
        counted.below_threshold += len(ranked) - len(passed)
        results.append(tuple(passed[: recipe.keep]))
    return results


def _require_texts(texts: Sequence[str]) -> None:
    for number, text in enumerate(texts):
        if is_blank(text):
            raise UserError(
                f"text {number + 1} is {text!r:.60}: there is nothing in it to write about; leave it out",
                code="blank_text",
                where=f"text {number + 1}",
            )
