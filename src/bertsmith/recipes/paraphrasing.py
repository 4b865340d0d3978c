"""Texts in, similar ones out: written under the prefix mask, told apart, ranked by their vectors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from bertsmith.errors import UserError
from bertsmith.generation import Sampling, Written, one_edit, read_sources, sampled, searched
from bertsmith.metrics import normed
from bertsmith.recipes.judging import Judge
from bertsmith.recipes.paraphrase_schema import Counted, ParaphraseRecipe, Similar
from bertsmith.recipes.writing import WritingModel
from bertsmith.text.characters import is_blank

AT_ONCE = 64
"""Texts written about together; memory follows `limits.rows`."""


@dataclass(frozen=True, slots=True)
class Paraphrased:
    """The similar texts of each text, best first."""

    similar: tuple[tuple[Similar, ...], ...]
    counted: Counted = field(default_factory=Counted)


def paraphrase(
    model: WritingModel,
    texts: Sequence[str],
    recipe: ParaphraseRecipe,
    *,
    device: torch.device,
    judge: Judge | None = None,
) -> Paraphrased:
    """Write about each text, leave out itself and what stands there twice, and rank the rest by cosine.

    What is written about a text depends on the seed and the text alone, not on its company.

    Raises:
        UserError: a text is blank, or too long for the encoder's positions.
    """
    session = Session(model, recipe, device, judge)
    similar = [each for part in session.write(texts) for each in part]
    return Paraphrased(tuple(similar), session.counted)


@dataclass(frozen=True, slots=True)
class Session:
    """A model, how it is asked, and what has become of all that it wrote."""

    model: WritingModel
    recipe: ParaphraseRecipe
    device: torch.device
    judge: Judge | None = None
    counted: Counted = field(default_factory=Counted)

    def write(self, texts: Sequence[str]) -> Iterator[list[tuple[Similar, ...]]]:
        """The similar texts of each, some texts at a time.

        Raises:
            UserError: as `paraphrase`.
        """
        _require_texts(texts)
        self.model.require_room(self.recipe.limits)
        self.model.to(self.device)
        for start in range(0, len(texts), AT_ONCE):
            yield self._some(texts[start : start + AT_ONCE])

    def _some(self, texts: Sequence[str]) -> list[tuple[Similar, ...]]:
        recipe, counted = self.recipe, self.counted
        read = read_sources(texts, self.model.tokenizer, longest=recipe.limits.source)
        if isinstance(recipe.decoding, Sampling):
            written = sampled(self.model.writer, read.examples, recipe.decoding, recipe.limits, seed=recipe.seed)
        else:
            written = searched(self.model.writer, read.examples, recipe.decoding, recipe.limits)
        counted.texts += len(texts)
        counted.truncated_texts += read.truncated.texts
        counted.truncated_tokens += read.truncated.tokens
        counted.unknown += read.unknown
        candidates = [self._told_apart(text, made) for text, made in zip(texts, written, strict=True)]
        ranked = self._ranked(texts, candidates)
        for similar in ranked:
            counted.given += len(similar)
            for each in similar:
                counted.distinct_2.add(each.text)
        return ranked if self.judge is None else self._judged(texts, ranked, self.judge)

    def _told_apart(self, text: str, written: Sequence[Written]) -> list[str]:
        """The different texts among them, in the order they were written, without the text itself."""
        counted, limits = self.counted, self.recipe.limits
        own = {text.strip(), self.model.readable(text)}
        kept: dict[str, None] = {}
        for each in written:
            counted.written += 1
            counted.unfinished += not each.finished
            if not (each.finished or limits.keep_unfinished):
                continue
            said = self.model.tokenizer.decode(each.token_ids).strip()
            if said in own:
                counted.copies += 1
            elif said in kept:
                counted.repeated += 1
            elif not is_blank(said):
                kept[said] = None
        return list(kept)

    def _ranked(self, texts: Sequence[str], candidates: Sequence[Sequence[str]]) -> list[tuple[Similar, ...]]:
        """Each text and each candidate is read alone; equal cosines keep the order of writing."""
        every = [*texts, *(one for some in candidates for one in some)]
        vectors = normed(self.model.sentences.encode(every, device=self.device).vectors)
        threshold = self.recipe.threshold
        results, start = [], len(texts)
        for own, some in zip(vectors, candidates, strict=False):
            scores = vectors[start : start + len(some)] @ own
            start += len(some)
            order = np.argsort(-scores, kind="stable")
            ranked = [Similar(some[place], round(float(scores[place]), 6)) for place in order]
            passed = [each for each in ranked if threshold is None or each.score >= threshold]
            self.counted.below_threshold += len(ranked) - len(passed)
            results.append(tuple(passed[: self.recipe.keep]))
        return results

    def _judged(
        self, texts: Sequence[str], ranked: Sequence[tuple[Similar, ...]], judge: Judge
    ) -> list[tuple[Similar, ...]]:
        """With the chance that each means the same; as many edits of one character are judged beside them."""
        pairs = [(text, each.text) for text, some in zip(texts, ranked, strict=True) for each in some]
        edits = [
            (text, edited)
            for text, some in zip(texts, ranked, strict=True)
            for edited in one_edit(text, len(some), seed=self.recipe.seed)
        ]
        chances = judge(*_columns(pairs), device=self.device)
        of_edits = judge(*_columns(edits), device=self.device)
        self.counted.equivalent += int((chances >= 0.5).sum())
        self.counted.edits += len(edits)
        self.counted.equivalent_edits += int((of_edits >= 0.5).sum())
        told = iter(chances.tolist())
        return [tuple(each._replace(equivalent=round(next(told), 6)) for each in some) for some in ranked]


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [one for one, _ in pairs], [other for _, other in pairs]


def _require_texts(texts: Sequence[str]) -> None:
    for number, text in enumerate(texts):
        if is_blank(text):
            raise UserError(
                f"text {number + 1} is {text!r:.60}: there is nothing in it to write about; leave it out",
                code="blank_text",
                where=f"text {number + 1}",
            )
