"""The model that is trained: an embedder, a loss of vectors, and perhaps a head that writes the partner."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.batch import Layout
from bertsmith.encoder.masks import PrefixLM
from bertsmith.errors import UserError
from bertsmith.features import One
from bertsmith.heads import VocabularyHead
from bertsmith.losses import VectorCriterion, vocabulary_loss
from bertsmith.sentences.contrasting import ItemBatch, Part
from bertsmith.sentences.model import Projector, SentenceEmbedder

SIMILARITY, NEXT_TOKEN = "similarity", "next_token"


class SentenceLearner(nn.Module):
    """Items of texts -> the loss of their vectors, and of the words of their targets.

    `training_head` is a projection that only training sees (SimCSE, Gao et al. 2021 §6.3). With a `writer`,
    sequences are sources with targets, read under the PrefixLM mask: [CLS] sees the source only, and
    each token of the target is named from what stands before it (SimBERT; UniLM, Dong et al. 2019 §2.3).
    """

    def __init__(
        self,
        embedder: SentenceEmbedder,
        criterion: VectorCriterion,
        *,
        training_head: Projector | None = None,
        writer: VocabularyHead | None = None,
        writing_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.embedder, self.criterion = embedder, criterion
        self.training_head, self.writer, self.writing_weight = training_head, writer, writing_weight
        features = embedder.task.features
        if writer is not None and not (features.pooling in ("cls", "pooler") and isinstance(features.layers, One)):
            raise UserError(
                f"the pooling {embedder.task.pooling} would read the target, whose words are to be written; with "
                "generation, vectors come of [CLS]: set sentence.features to cls or pooler",
                code="bad_setting",
            )

    @property
    def loss_names(self) -> tuple[str, ...]:
        """That of the vectors, and that of the words if there is a writer."""
        return (SIMILARITY,) if self.writer is None else (SIMILARITY, NEXT_TOKEN)

    @property
    def top_depth(self) -> int:
        """Depth of the encoder's last layer; everything on top lies above it."""
        return self.embedder.top_depth

    def depth_of(self, parameter: str) -> int:
        """0 for embeddings, i + 1 for layer i, one more than the top layer for everything on top."""
        part, _, name = parameter.partition(".")
        return self.embedder.depth_of(name) if part == "embedder" else self.top_depth + 1

    def loss_weights(self, batch: ItemBatch) -> dict[str, Tensor]:
        """What losses are divided by; that of the vectors, which all processes compute, is told by the first."""
        like = self.embedder.encoder.embeddings.token.weight
        joined = self.criterion.weight(batch.truth) if batch.first == 0 else 0.0
        weights = {SIMILARITY: like.new_full((), float(joined))}
        if self.writer is not None:
            words = sum(len(part.before) for part in batch.parts)
            weights[NEXT_TOKEN] = like.new_full((), float(words))
        return weights

    def forward(self, batch: ItemBatch) -> dict[str, Tensor]:
        """The sums of the losses, all parts held at once: what `joined` computes in the memory of one."""
        read = [self.read(part) for part in batch.parts]
        with torch.autocast(read[0][0].device.type, enabled=False):
            sums = self.joined(torch.cat([vectors for vectors, _ in read]), batch)
        for _, own in read:
            sums = {**sums, **{name: sums.get(name, 0) + value for name, value in own.items()}}
        return sums

    def vectors(self, part: Part) -> Float[Tensor, "items roles width"]:
        """The vectors that the loss compares."""
        return self._compared(self._states(part), part)

    def read(self, part: Part) -> tuple[Float[Tensor, "items roles width"], dict[str, Tensor]]:
        """The vectors, and the loss of the words of the targets."""
        states = self._states(part)
        vectors = self._compared(states, part)
        if self.writer is None:
            return vectors, {}
        hidden = self.writer(states.index_select(0, part.before))
        table = self.writer.table(self.embedder.encoder.embeddings.token.weight)
        labels = part.texts.token_ids.index_select(0, part.before + 1)
        total = vocabulary_loss(hidden, table, self.writer.bias, labels).total.sum
        return vectors, {NEXT_TOKEN: self.writing_weight * total}

    def joined(self, vectors: Float[Tensor, "items roles width"], batch: ItemBatch) -> dict[str, Tensor]:
        """The loss of the vectors of all items."""
        return {SIMILARITY: self.criterion.loss(vectors, batch.truth).sum}

    def _states(self, part: Part) -> Tensor:
        """With a writer the last hidden states, else the pooled vectors."""
        if self.writer is None:
            return self.embedder.pool(part.texts)
        states: Tensor = self.embedder.encoder(part.texts, PrefixLM()).last
        return states

    def _compared(self, states: Tensor, part: Part) -> Float[Tensor, "items roles width"]:
        embedder = self.embedder
        if self.writer is not None:
            first = states.index_select(0, part.texts.cu_seqlens[:-1].long())
            layout = Layout.of((1,) * len(first)).to(first.device)
            states = embedder.features({number: first for number in embedder.features.keep_layers}, layout)
        made = embedder.finish(states, normalize=False)
        if self.training_head is not None:
            made = self.training_head(made)
        return made.view(-1, part.roles, made.shape[-1])


@torch.no_grad()
def differences_by_dropout(learner: SentenceLearner, part: Part) -> float:
    """The largest cosine distance of two passes over the same texts in training mode: 0 means no dropout at all."""
    was_training = learner.training
    learner.train()
    with torch.random.fork_rng([part.texts.token_ids.device] if part.texts.token_ids.is_cuda else []):
        torch.manual_seed(0)
        one, other = (nn.functional.normalize(learner.vectors(part).flatten(0, 1), dim=1) for _ in range(2))
    learner.train(was_training)
    return float((one - other).norm(dim=1).max())
