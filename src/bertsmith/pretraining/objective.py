"""A pre-training objective as a value: arrangement × corruption × attention mask × losses."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from bertsmith.config import Config
from bertsmith.encoder import AttentionMask, Bidirectional, Permutation
from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement import Arrangement, NextSentence, SentenceOrder
from bertsmith.pretraining.corruption import Corruption
from bertsmith.pretraining.generator import ReplacedTokens
from bertsmith.pretraining.loss_heads import MaskedTokens, NextToken, PairRelation, SpanBoundary
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text.similar import SimilarTokens

LossHead = MaskedTokens | NextToken | PairRelation | SpanBoundary | ReplacedTokens
Attend = Annotated[AttentionMask, Field(discriminator="kind")]


class Losses(Config):
    """What is asked of the encoder; None: not asked. Each is a mean over its own targets, and they are added."""

    masked_tokens: MaskedTokens | None = None
    next_token: NextToken | None = None
    span_boundary: SpanBoundary | None = None
    pair_relation: PairRelation | None = None
    replaced_tokens: ReplacedTokens | None = None

    @property
    def chosen(self) -> tuple[LossHead, ...]:
        """Those that are asked, in a fixed order."""
        return tuple(loss for _, loss in self if loss is not None)


class Part(Config):
    """One way to make exercises of a corpus.

    `arrange` turns the corpus into texts, `corrupt` hides some of their tokens (None: no token is
    hidden), `attend` says who sees whom, `losses` what is asked.
    """

    arrange: Arrangement
    corrupt: Corruption | None
    attend: Attend = Bidirectional()
    losses: Losses

    @model_validator(mode="after")
    def _fits_together(self) -> "Part":
        losses = self.losses
        if not losses.chosen:
            raise ValueError("an objective needs a loss: set losses.masked_tokens or another")
        if self.corrupt is None and any((losses.masked_tokens, losses.span_boundary, losses.replaced_tokens)):
            raise ValueError("these losses ask for hidden tokens, but corrupt is null: nothing is hidden")
        if losses.next_token and isinstance(self.attend, Bidirectional | Permutation):
            raise ValueError(f"next_token under {self.attend.kind}: the answer would be seen; use causal or prefix_lm")
        if losses.pair_relation and not isinstance(self.arrange, NextSentence | SentenceOrder):
            raise ValueError(
                f"pair_relation needs pairs: arrange next_sentence or sentence_order, not {self.arrange.kind}"
            )
        if isinstance(self.attend, Permutation) and losses.chosen != (losses.masked_tokens,):
            raise ValueError("permutation asks for hidden tokens by queries: its only loss is masked_tokens")
        if losses.replaced_tokens and len(losses.chosen) > 1:
            raise ValueError("replaced_tokens stands alone: the encoder then reads the generator's text, not the holes")
        return self

    def require(self, vocabulary: VocabularyFacts, similar: SimilarTokens | None) -> None:
        """Refuse what cannot be done, before the work begins.

        Raises:
            UserError: there is no [MASK] in the vocabulary, or no similar words.
        """
        if self.corrupt is not None:
            self.corrupt.replace.require(vocabulary, similar)
        if isinstance(self.attend, Permutation) and vocabulary.mask is None:
            raise UserError(
                "the permutation objective asks with [MASK] tokens, but this vocabulary has no mask token; "
                "name it in special_tokens_map.json, or choose an objective without it (gpt)",
                code="no_mask_token",
            )


class Variant(Config):
    """What differs from the objective in a share of the texts (a mixture), or of the run (a stage); None: nothing."""

    share: PositiveFloat
    arrange: Arrangement | None = None
    corrupt: Corruption | None = None
    attend: Attend | None = None
    losses: Losses | None = None

    def of(self, objective: "Objective") -> Part:
        """The objective with these changes."""
        changes = {name: value for name, value in self if name != "share" and value is not None}
        return objective.part.but(**changes)


class Objective(Part):
    """How an encoder learns from a corpus.

    With a `mixture`, every update has each variant's share of texts, to the nearest text (UniLM). With
    `stages`, the variants follow one another, each for its share of the run (ERNIE). `copies`: how
    many differently arranged and corrupted copies of the corpus there are; epochs take turns among
    them (BERT's static masks). None: every epoch is a new one (RoBERTa's dynamic masks).
    """

    mixture: dict[str, Variant] = Field(default_factory=dict)
    stages: dict[str, Variant] = Field(default_factory=dict)
    copies: PositiveInt | None = None

    @field_validator("mixture", "stages", mode="before")
    @classmethod
    def _without_removed(cls, variants: Any) -> Any:
        if isinstance(variants, Mapping):
            return {name: variant for name, variant in variants.items() if variant is not None}
        return variants

    @model_validator(mode="after")
    def _one_plan(self) -> "Objective":
        if self.mixture and self.stages:
            raise ValueError("an objective has a mixture or stages, not both")
        for variant in (*self.mixture.values(), *self.stages.values()):
            variant.of(self)
        _distinct(self.parts)
        return self

    @property
    def part(self) -> Part:
        """What holds where no variant changes it."""
        return Part(**{name: getattr(self, name) for name in Part.model_fields})

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every way in which exercises are made: one, or one for each variant."""
        variants = (*self.mixture.values(), *self.stages.values())
        return tuple(variant.of(self) for variant in variants) or (self.part,)

    @property
    def all_losses(self) -> tuple[LossHead, ...]:
        """Every loss of any part, once."""
        return _distinct(self.parts)


def _distinct(parts: Sequence[Part]) -> tuple[LossHead, ...]:
    found: dict[str, LossHead] = {}
    for part in parts:
        for loss in part.losses.chosen:
            if found.setdefault(loss.kind, loss) != loss:
                raise ValueError(f"two variants have {loss.kind} with different settings; it is one loss of one model")
    return tuple(found.values())
