"""The module that makes one vector of each text, for training and for use."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.batch import PackedBatch
from bertsmith.encoder import Encoder
from bertsmith.errors import UserError
from bertsmith.sentences.task import Projection, SentenceTask
from bertsmith.sentences.whitening import Whitening


class Projector(nn.Module):
    """A dense layer and its activation, computed in the precision of its weights."""

    def __init__(self, projection: Projection, width: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(width, projection.width, bias=projection.bias)
        self.activation = projection.activation
        nn.init.normal_(self.linear.weight, std=0.02, generator=generator)
        if projection.bias:
            nn.init.zeros_(self.linear.bias)

    def forward(self, vectors: Float[Tensor, "texts width"]) -> Float[Tensor, "texts out"]:
        """Project each vector."""
        with torch.autocast(vectors.device.type, enabled=False):
            made: Tensor = self.linear(vectors.to(self.linear.weight.dtype))
        return torch.tanh(made) if self.activation == "tanh" else made


class SentenceEmbedder(nn.Module):
    """A packed batch -> one vector a text: encoder, features, projections, whitening, cut, length 1.

    `pool` gives the features alone, `finish` makes the vector that is served of them; `forward` is both.
    Losses that norm vectors themselves may take `finish(..., normalize=False)`.
    """

    def __init__(self, task: SentenceTask, encoder: Encoder, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.task = task
        self.encoder = encoder
        shape = encoder.config
        self.features = task.features.build(shape.hidden_size, num_layers=shape.num_layers, generator=generator)
        widths = [self.features.width, *(projection.width for projection in task.projections)]
        self.projections = nn.ModuleList(
            Projector(projection, width, generator=generator)
            for projection, width in zip(task.projections, widths, strict=False)
        )
        _require_width(task.whitening, widths[-1], "whitening")
        self.whitening = None if task.whitening is None else Whitening(widths[-1], task.whitening)
        _require_width(task.dim, task.whitening or widths[-1], "dim")
        self.pooled_width, self.projected_width = self.features.width, widths[-1]
        self.width = task.dim or task.whitening or widths[-1]

    def forward(self, batch: PackedBatch) -> Float[Tensor, "texts width"]:
        """The vectors that are served, in the order of the batch."""
        return self.finish(self.pool(batch))

    def pool(self, batch: PackedBatch) -> Float[Tensor, "texts pooled"]:
        """Layers and pooling only; where just [CLS] is read, the last layer is computed for it alone."""
        return self.features.of(self.encoder, batch)

    def finish(
        self, pooled: Float[Tensor, "texts pooled"], *, normalize: bool | None = None
    ) -> Float[Tensor, "texts width"]:
        """Project, whiten, cut and norm; `normalize` in place of the task's own choice."""
        vectors = pooled
        for projection in self.projections:
            vectors = projection(vectors)
        return self.settle(vectors, normalize=normalize)

    def settle(
        self, projected: Float[Tensor, "texts projected"], *, normalize: bool | None = None
    ) -> Float[Tensor, "texts width"]:
        """Whiten, cut and norm: what has numbers but nothing that was learned."""
        vectors = projected
        if self.whitening is not None:
            with torch.autocast(vectors.device.type, enabled=False):
                vectors = self.whitening(vectors)
        vectors = vectors[:, : self.width]
        return F.normalize(vectors, dim=1) if (self.task.normalize if normalize is None else normalize) else vectors

    @property
    def top_depth(self) -> int:
        """Depth of the encoder's last layer; everything on top lies above it."""
        return self.encoder.config.num_layers

    def depth_of(self, parameter: str) -> int:
        """0 for embeddings, i + 1 for layer i, one more than the top layer for everything on top."""
        part, _, name = parameter.partition(".")
        return self.encoder.depth_of(name) if part == "encoder" else self.top_depth + 1

    def on_top(self) -> dict[str, Tensor]:
        """Every weight and number above the encoder, by its name here."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith("encoder.")}


class SideBySide(nn.Module):
    """Several ways to make vectors of one encoder, computed in one pass; their vectors stand side by side."""

    def __init__(self, embedders: Sequence[SentenceEmbedder]) -> None:
        super().__init__()
        self.embedders = nn.ModuleList(embedders)
        self.encoder = embedders[0].encoder
        self.widths = tuple(embedder.width for embedder in embedders)
        self.width = sum(self.widths)
        self.keep_layers = tuple(sorted({layer for each in embedders for layer in each.features.keep_layers}))

    def forward(self, batch: PackedBatch) -> Float[Tensor, "texts widths"]:
        """The vectors of all, in the order of the embedders."""
        states = self.encoder(batch, keep_layers=self.keep_layers)
        return torch.cat([each.finish(each.features(states, batch)) for each in self._each()], dim=1)

    def _each(self) -> list[SentenceEmbedder]:
        return [each for each in self.embedders if isinstance(each, SentenceEmbedder)]


def _require_width(asked: int | None, width: int, setting: str) -> None:
    if asked is not None and asked > width:
        raise UserError(
            f"{setting} is {asked}, but the vectors have {width} dimensions; choose {width} or fewer",
            code="bad_setting",
        )
