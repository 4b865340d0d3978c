"""ELECTRA: a small generator fills the holes, the encoder finds out which tokens were replaced."""

from dataclasses import replace
from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn

from bertsmith.config import Config
from bertsmith.encoder import Encoder, EncoderConfig, new_encoder
from bertsmith.heads import ReplacedTokenHead, VocabularyHead
from bertsmith.losses import Guesses, binary_loss, vocabulary_loss
from bertsmith.pretraining.batches import PretrainBatch
from bertsmith.pretraining.loss_heads import Builders
from bertsmith.pretraining.reading import Reading


class Generator(Config):
    """The shape of the generator beside the encoder's (Clark et al. 2020, arXiv 2003.10555 §3.2; authors' code).

    `width` and `layers` are shares of the encoder's; attention heads of 64, feed-forward four times the
    width. The paper's base has a third of the width, and its large hides .25 of the tokens: set those.
    `temperature` divides the scores before a token is drawn.
    """

    width: PositiveFloat = 0.25
    layers: PositiveFloat = 1.0
    temperature: PositiveFloat = 1.0

    def shape(self, encoder: EncoderConfig) -> EncoderConfig:
        """The generator's own config; its tables are as wide as the encoder's."""
        width = max(1, round(encoder.hidden_size * self.width))
        heads = max(1, width // 64)
        width -= width % heads
        return encoder.but(
            hidden_size=width,
            num_layers=max(1, round(encoder.num_layers * self.layers)),
            num_heads=heads,
            intermediate_size=4 * width,
            embedding_size=None if width == encoder.table_size else encoder.table_size,
            distinct_layers=None,
        )


class TokenGenerator(nn.Module):
    """An encoder that reads the same token, segment and position tables, normed alike, and the head on it.

    As in the authors' code the whole embedding layer is shared up to the projection; all other
    weights are its own.
    """

    def __init__(self, shape: Generator, encoder: Encoder, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        config = shape.shape(encoder.config)
        seed = int(torch.randint(1 << 62, (), generator=generator))
        self.temperature = shape.temperature
        self.encoder = new_encoder(config, seed=seed)
        self.encoder.run_as(encoder)
        self.mlm = VocabularyHead(config, generator=generator)
        for shared in ("token", "segment", "position", "norm"):
            setattr(self.encoder.embeddings, shared, getattr(encoder.embeddings, shared))

    def forward(self, batch: PretrainBatch) -> Guesses:
        """Guess the hidden tokens of a batch, and draw one for each."""
        assert batch.hidden is not None
        states = self.encoder(batch.texts, batch.attend, rows=batch.hidden.rows).last
        table = self.mlm.table(self.encoder.embeddings.token.weight)
        return vocabulary_loss(
            self.mlm(states),
            table,
            self.mlm.bias,
            batch.hidden.labels,
            temperature=self.temperature,
        )


class ReplacedTokens(Config):
    """Find the tokens that a generator replaced, among all tokens (Clark et al. 2020, arXiv 2003.10555 §2).

    The loss is that of the generator, which learns to name hidden tokens, plus `weight` times the
    encoder's. The two are trained together but not against each other: no gradient flows through
    the drawn tokens. A drawn token that is the original one counts as not replaced.
    """

    losses: ClassVar[tuple[str, ...]] = ("generator", "replaced_tokens")
    counted: ClassVar[tuple[str, ...]] = (
        "generator_accuracy",
        "replaced_share",
        "replaced_precision",
        "replaced_recall",
    )
    kind: Literal["replaced_tokens"] = "replaced_tokens"
    weight: PositiveFloat = 50.0
    generator: Generator = Generator()

    def heads(self, encoder: Encoder) -> Builders:
        """The heads it needs."""
        return {
            "rtd": lambda generator: ReplacedTokenHead(encoder.config, generator=generator),
            "generator": lambda generator: TokenGenerator(self.generator, encoder, generator=generator),
        }

    def weights(self, batch: PretrainBatch) -> dict[str, int]:
        """The number of hidden tokens, and of all."""
        return {} if batch.hidden is None else {"generator": len(batch.hidden), "replaced_tokens": batch.num_tokens}

    def __call__(self, reading: Reading) -> dict[str, Tensor]:
        """The sum over hidden tokens of the generator's loss, and over all tokens of the encoder's."""
        batch = reading.batch
        assert batch.hidden is not None
        guesses: Guesses = reading.head("generator", TokenGenerator)(batch)
        tokens = batch.texts.token_ids.index_copy(0, batch.hidden.rows, guesses.samples)
        answers = torch.zeros_like(tokens, dtype=torch.bool)
        answers[batch.hidden.rows] = guesses.samples != batch.hidden.labels
        states = reading.encoder(replace(batch.texts, token_ids=tokens), batch.attend).last
        scores = reading.head("rtd", ReplacedTokenHead)(states)
        self._count(reading, guesses, scores > 0, answers)
        return {"generator": guesses.total.sum, "replaced_tokens": self.weight * binary_loss(scores, answers).sum}

    def _count(self, reading: Reading, guesses: Guesses, found: Tensor, answers: Tensor) -> None:
        right, replaced = (found & answers).sum(), answers.sum()
        reading.counts.add("generator_accuracy", guesses.hits, len(guesses.samples))
        reading.counts.add("replaced_share", replaced, len(answers))
        reading.counts.add("replaced_precision", right, found.sum())
        reading.counts.add("replaced_recall", right, replaced)
