"""The one encoder: packed tokens in, hidden states out. It has no memory of where its weights came from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from bertsmith.batch import PackedBatch, in_order
from bertsmith.encoder.attention import Plan
from bertsmith.encoder.attention import plan as planned
from bertsmith.encoder.buckets import Kernel
from bertsmith.encoder.config import EncoderConfig, Rotary
from bertsmith.encoder.embeddings import Embeddings
from bertsmith.encoder.layer import Attention, FeedForward, Remember
from bertsmith.encoder.masks import AttentionMask, Bidirectional
from bertsmith.encoder.paths import AttentionPath, Need
from bertsmith.encoder.paths import chosen as chosen_path
from bertsmith.encoder.positions import Rotation, rotation, sinusoids
from bertsmith.encoder.rounding import spare_rows
from bertsmith.errors import UserError

E = TypeVar("E", bound="Encoder")

Activations = Literal["kept", "recomputed"]
"""What training does with what the layers compute on the way: keep it, or compute it again going back."""


FirstPositions = Literal["random", "sinusoidal"]
"""What a table of learned positions begins as. Sinusoids, as large as random rows are, let a neighbour be found by a
linear map from the start; from random rows that must be learned first. Rotary positions have no table."""


class HiddenStates(Mapping[int, Tensor]):
    """The hidden states asked for, by layer: 0 is what the first layer reads, `num_layers` the last.

    Negative numbers count from the end, as in a list. The highest holds the rows asked for alone, if any
    were. `padded_tokens` is what was added by rounding, in each layer: lengths in attention, and the
    rows of the batch where that pays.
    """

    def __init__(self, states: Mapping[int, Tensor], *, num_layers: int, padded_tokens: int) -> None:
        self._states = dict(states)
        self.num_layers = num_layers
        self.padded_tokens = padded_tokens

    def __getitem__(self, layer: int) -> Float[Tensor, "rows hidden"]:
        number = layer_number(layer, self.num_layers)
        if number not in self._states:
            raise KeyError(f"layer {layer} was not kept; ask for it with keep_layers, kept: {sorted(self._states)}")
        return self._states[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    @property
    def last(self) -> Float[Tensor, "rows hidden"]:
        """Output of the last layer."""
        return self[-1]


@dataclass(frozen=True, slots=True)
class Pass:
    """What a layer is told of one pass through the encoder."""

    plan: Plan
    turn: Rotation | None
    rows: Tensor | None
    remember: Remember | None


class Encoder(nn.Module):
    """A post-LN transformer encoder (Devlin et al. 2019, arXiv 1810.04805) on packed tokens.

    Weights come as two lists, `attention` and `feed_forward`; layers that share weights (ALBERT)
    share an entry of one or both.

    `activations` is a choice of the run, not of the architecture: with `recomputed`, training keeps
    only what each layer reads and computes the layer again going back, with the same dropout
    (Chen et al. 2016, arXiv 1604.06174). Gradients are the same, memory is lower, an update takes
    about a third longer. `attention_path` names the kernel of attention (`encoder/paths.py`); `auto` takes
    the first that can do what a pass asks.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.activations: Activations = "kept"
        self.attention_path: AttentionPath = "auto"
        self.embeddings = Embeddings(config)
        self.attention = nn.ModuleList(Attention(config) for _ in range(max(config.attention_of) + 1))
        self.feed_forward = nn.ModuleList(FeedForward(config) for _ in range(max(config.feed_forward_of) + 1))
        initialise(self)

    def forward(
        self,
        batch: PackedBatch,
        mask: AttentionMask | None = None,
        *,
        keep_layers: Sequence[int] = (-1,),
        rows: Int[Tensor, "rows"] | None = None,
        remember: Callable[[int, Tensor], None] | None = None,
    ) -> HiddenStates:
        """Encode a batch; only the layers asked for are kept, and none above the highest is computed.

        Where only some tokens are read of the highest layer, `rows` names them: all others merely serve
        there as keys and values, which saves most of that layer. `remember` is told the number of each layer
        and its keys and values, `[tokens, 2, heads, size]`, sequences in ascending order of length.

        Raises:
            UserError: a text is too long for this encoder, an id lies outside its table, or the path asked for
                cannot compute this pass.
        """
        config = self.config
        wanted = {layer_number(layer, config.num_layers) for layer in keep_layers}
        need = self._need(mask or Bidirectional(), batch.token_ids.device)
        path = chosen_path(self.attention_path, need)
        places = None
        if path in get_args(Kernel) or remember is not None:
            batch, places = _by_length(batch)
        plan = planned(batch, need, path)
        answering = not (self.training or torch.is_grad_enabled())
        states = self.embeddings(batch)
        if spare := max(spare_rows(batch.num_tokens, states.device, answering=answering), plan.rows - batch.num_tokens):
            states = F.pad(states, (0, 0, 0, spare))
        turn = None
        if isinstance(config.position, Rotary):
            turn = rotation(config.position, F.pad(batch.position_ids, (0, spare)), config.head_size, states.dtype)
        asked = rows if rows is None or places is None else places[rows]
        kept = {0: states} if 0 in wanted else {}
        top = max(wanted, default=0)
        for layer in range(top):
            chosen = _rounded(asked, answering=answering) if asked is not None and layer + 1 == top else None
            told = None if remember is None else partial(_told, remember, layer, batch.num_tokens)
            states = self._layer(layer, states, Pass(plan, turn, chosen, told))
            if layer + 1 in wanted:
                kept[layer + 1] = states
        for layer, found in kept.items():
            if asked is None or layer < top:
                kept[layer] = found[: batch.num_tokens] if places is None else found.index_select(0, places)
            else:
                kept[layer] = found[: len(asked)] if top else found.index_select(0, asked)
        return HiddenStates(kept, num_layers=config.num_layers, padded_tokens=plan.padded_tokens + spare)

    def _need(self, mask: AttentionMask, device: torch.device) -> Need:
        """What this pass asks of attention."""
        mixed = torch.is_autocast_enabled(device.type)
        return Need(
            device=device,
            dtype=torch.get_autocast_dtype(device.type) if mixed else self.embeddings.token.weight.dtype,
            head_size=self.config.head_size,
            mask=mask,
            dropout=self.config.attention_dropout if self.training else 0.0,
            learning=torch.is_grad_enabled(),
        )

    def _layer(self, layer: int, states: Tensor, passing: "Pass") -> Tensor:
        attention = self.attention[self.config.attention_of[layer]]
        feed_forward = self.feed_forward[self.config.feed_forward_of[layer]]

        def computed(states: Tensor) -> Tensor:
            mixed = attention(states, passing.plan, passing.turn, passing.rows, remember=passing.remember)
            result: Tensor = feed_forward(mixed)
            return result

        if self.activations == "kept" or not torch.is_grad_enabled():
            return computed(states)
        recomputed: Tensor = checkpoint(computed, states, use_reentrant=False)
        return recomputed

    def run_as(self, other: "Encoder") -> None:
        """Take over from another encoder what is no part of its weights or shape: how it is computed."""
        self.activations, self.attention_path = other.activations, other.attention_path
        self.train(other.training)

    def depth_of(self, parameter: str) -> int:
        """How high a parameter sits: 0 for the embeddings, `i + 1` for layer `i`.

        Shared weights sit as high as the highest layer that uses them. Layer-wise decay, freezing
        and re-initialisation all read this one statement.
        """
        part, _, rest = parameter.partition(".")
        if part == "embeddings":
            return 0
        users = {"attention": self.config.attention_of, "feed_forward": self.config.feed_forward_of}
        if part not in users:
            raise ValueError(f"{parameter!r} is no parameter of an encoder")
        number = int(rest.partition(".")[0])
        return max(layer for layer, used in enumerate(users[part]) if used == number) + 1

    @classmethod
    def from_pretrained(cls: type[E], source: str | Path) -> "Encoder":
        """Load the encoder of a checkpoint (a bundled name, a local folder or a hub id), in eval mode.

        Raises:
            UserError: there is no such checkpoint, or it cannot be read.
        """
        from bertsmith.encoder.checkpoint import load_checkpoint
        from bertsmith.encoder.hub import resolve

        return load_checkpoint(resolve(str(source))).encoder

    def save_pretrained(self, folder: str | Path, *, family: str | None = None) -> None:
        """Write config.json and model.safetensors in the Hugging Face layout of a family.

        Without a family, the plainest that can spell this encoder is taken.

        Raises:
            UserError: the family cannot spell this encoder, or the folder cannot be written.
        """
        from bertsmith.encoder.checkpoint import save_checkpoint

        save_checkpoint(Path(folder), self, family=family)


def new_encoder(config: EncoderConfig, *, seed: int, positions: FirstPositions = "random") -> Encoder:
    """Make an encoder with random weights, the same for the same seed; a table of positions may begin as sinusoids.

    Raises:
        UserError: sinusoids are asked for, and the positions are rotary.
    """
    encoder = without_weights(config).to_empty(device="cpu")
    initialise(encoder, torch.Generator().manual_seed(seed))
    if positions == "sinusoidal":
        if encoder.embeddings.position is None:
            message = (
                "positions=sinusoidal begins a table of learned positions; rotary positions have none: leave it out"
            )
            raise UserError(message, code="bad_setting")
        table = encoder.embeddings.position.weight
        with torch.no_grad():
            table.copy_(sinusoids(*table.shape) * config.initializer_range * 2**0.5)
    return encoder


def without_weights(config: EncoderConfig) -> Encoder:
    """An encoder that has shapes only; `load_state_dict(..., assign=True)` gives it its weights."""
    with torch.device("meta"), _NothingDrawn():
        return Encoder(config)


class _NothingDrawn(TorchFunctionMode):
    """Leaves out what `torch.nn.init` would write: on `meta` it is for nothing and loads the compiler of torch."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def initialise(encoder: Encoder, generator: torch.Generator | None = None, *, part: nn.Module | None = None) -> None:
    """Draw matrices and tables from a normal of `initializer_range`, as BERT does; biases start at zero.

    `part` leaves everything else as it is.
    """
    for module in (part or encoder).modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=encoder.config.initializer_range, generator=generator)
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
        if isinstance(module, nn.Linear | nn.LayerNorm):
            nn.init.zeros_(module.bias)


def layer_number(layer: int, num_layers: int) -> int:
    """Turn a layer counted from either end into one from 0 (embeddings) to `num_layers`."""
    if not -num_layers - 1 <= layer <= num_layers:
        raise ValueError(f"layer {layer} asked for, but there are layers 0 (embeddings) to {num_layers}")
    return layer % (num_layers + 1)


def _told(remember: Callable[[int, Tensor], None], layer: int, tokens: int, values: Tensor) -> None:
    """Without the rows that are rounding."""
    remember(layer, values[:tokens])


def _rounded(rows: Tensor, *, answering: bool) -> Tensor:
    """With rows to spare, so that the processor meets few different numbers; what comes of them is cut off."""
    return F.pad(rows, (0, spare_rows(len(rows), rows.device, answering=answering)))


def _by_length(batch: PackedBatch) -> tuple[PackedBatch, Tensor | None]:
    """Sort by length, so that buckets are slices; None: it was sorted already."""
    lengths = batch.lengths
    if all(left <= right for left, right in pairwise(lengths)):
        return batch, None
    return in_order(batch, sorted(range(len(lengths)), key=lengths.__getitem__))
