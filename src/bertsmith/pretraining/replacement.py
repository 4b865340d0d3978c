"""What stands in the place of a selected token: [MASK], any token, itself, or a similar word."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field, model_validator

from bertsmith.config import Config
from bertsmith.errors import UserError
from bertsmith.pretraining.selection import Selected
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text.similar import SimilarTokens

KINDS = ("mask", "random", "same", "similar")
"""What may stand in a selected place, in the order of the shares."""

OUTCOMES = (*KINDS, "degraded")
"""What a target became; a "degraded" one was to be similar, had no similar word, and got a random token."""
_MASK, _RANDOM, _SAME, _SIMILAR, _DEGRADED = range(len(OUTCOMES))


@dataclass(frozen=True, slots=True)
class Replaced:
    """The new tokens, and for each target what it became, a place in `OUTCOMES`."""

    token_ids: Int[np.ndarray, "tokens"]
    outcomes: Int[np.ndarray, "targets"]


class Replace(Config):
    """Shares of what selected tokens become, drawn once for each token, unit or span.

    BERT has 80 % [MASK], 10 % random, 10 % same, for each token (Devlin et al. 2019,
    arXiv 1810.04805 §3.1); SpanBERT the same for each span (Joshi et al. 2020, arXiv 1907.10529
    §3.1); MacBERT similar words in place of [MASK], for each word (Cui et al. 2020,
    arXiv 2004.13922 §3.2). A random place gets a token of its own, whatever shares the draw.
    """

    mask: float = Field(default=0.8, ge=0, le=1)
    random: float = Field(default=0.1, ge=0, le=1)
    same: float = Field(default=0.1, ge=0, le=1)
    similar: float = Field(default=0.0, ge=0, le=1)
    each: Literal["token", "unit", "span"] = "token"
    without_similar: Literal["refuse", "random"] = "refuse"
    """Without a list of similar words at all: refuse, or take random tokens for all of them."""

    @model_validator(mode="after")
    def _whole(self) -> "Replace":
        total = self.mask + self.random + self.same + self.similar
        if abs(total - 1) > 1e-6:
            raise ValueError(f"mask + random + same + similar must be 1, they are {total:g}")
        return self

    def require(self, vocabulary: VocabularyFacts, similar: SimilarTokens | None) -> None:
        """Refuse what cannot be done, before the work begins.

        Raises:
            UserError: there is no [MASK] in the vocabulary, or no similar words.
        """
        if self.mask and vocabulary.mask is None:
            raise UserError(
                f"{self.mask:.0%} of the targets are to become [MASK], but this vocabulary has no mask token; "
                "name it in special_tokens_map.json, or choose an objective without it (gpt)",
                code="no_mask_token",
            )
        if self.similar and similar is None and self.without_similar == "refuse":
            raise UserError(
                f"{self.similar:.0%} of the targets are to become similar words, but there is no list of them; "
                "give one with --similar (word<TAB>similar1 similar2 ...), have one made from your corpus by "
                "`bertsmith similar`, "
                "or take random tokens instead: --set objective.corrupt.replace.without_similar=random",
                code="no_similar_words",
            )

    def apply(
        self,
        token_ids: Int[np.ndarray, "tokens"],
        selected: Selected,
        vocabulary: VocabularyFacts,
        rng: np.random.Generator,
        similar: SimilarTokens | None,
    ) -> Replaced:
        """Replace the selected tokens.

        Raises:
            UserError: as `require`.
        """
        self.require(vocabulary, similar)
        new, places = token_ids.copy(), selected.places
        outcomes = self._kinds(selected, rng)
        for word in _words(selected, np.flatnonzero(outcomes == _SIMILAR)):
            if not _put_similar(new, places[word], similar, rng):
                outcomes[word] = _DEGRADED
        if self.mask:
            new[places[outcomes == _MASK]] = vocabulary.mask
        randomly = np.concatenate([places[outcomes == _RANDOM], places[outcomes == _DEGRADED]])
        new[randomly] = vocabulary.random_ids[rng.integers(len(vocabulary.random_ids), size=len(randomly))]
        return Replaced(new, outcomes)

    def _kinds(self, selected: Selected, rng: np.random.Generator) -> Int[np.ndarray, "targets"]:
        """For each target the number of its kind."""
        groups = selected.groups(self.each)
        bounds = np.cumsum([self.mask, self.random, self.same, self.similar])
        draws = rng.random(groups[-1] + 1 if len(groups) else 0)
        return np.searchsorted(bounds / bounds[-1], draws, side="right").take(groups)


def count_outcomes(outcomes: Int[np.ndarray, "targets"]) -> dict[str, int]:
    """How many targets became what."""
    return dict(zip(OUTCOMES, np.bincount(outcomes, minlength=len(OUTCOMES)).tolist(), strict=True))


def degraded_share(counts: Mapping[str, int]) -> float:
    """The share of the tokens to become similar that had no similar word; above a tenth the list is too short.

    Cui et al. 2020 (arXiv 2004.13922 §3.2) keep it below that, of all hidden tokens even.
    """
    wanted = counts.get("similar", 0) + counts.get("degraded", 0)
    return counts.get("degraded", 0) / wanted if wanted else 0.0


def _words(selected: Selected, targets: Int[np.ndarray, "chosen"]) -> list[Int[np.ndarray, "word"]]:
    """Some of the targets, one array for each unit they are part of."""
    if not len(targets):
        return []
    return np.split(targets, np.flatnonzero(np.diff(selected.units[targets])) + 1)


def _put_similar(
    tokens: Int[np.ndarray, "tokens"],
    places: Int[np.ndarray, "word"],
    similar: SimilarTokens | None,
    rng: np.random.Generator,
) -> bool:
    """Put a similar word in place of this one, all equally likely; False where there is none."""
    choices = None if similar is None else similar.of(tokens[places])
    if choices is None:
        return False
    tokens[places] = choices[int(rng.random() * len(choices))]
    return True
