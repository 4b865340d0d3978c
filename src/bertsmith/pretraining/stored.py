"""Heads of a pre-training model as a checkpoint keeps them, and back."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bertsmith.encoder import Encoder
from bertsmith.encoder.checkpoint import EXTRA
from bertsmith.errors import UserError
from bertsmith.heads import VocabularyHead
from bertsmith.pretraining.generator import TokenGenerator
from bertsmith.pretraining.model import Pretrainer
from bertsmith.pretraining.reading import head_of

_BESIDE = {"span_boundary"}
_NEW = {
    "mlm": "the head over the vocabulary (mlm) is new: its output is the encoder's own token table, the rest random",
    "pooler": "the pooler is new: random weights",
    "relation": "the head for pairs of segments (relation) is new: random weights",
    "rtd": "the head for replaced tokens (rtd) is new: random weights",
    "span_boundary": "the span boundary head is new: its output is the encoder's own token table, the rest random",
    "generator": "the generator is new: random weights on the encoder's own embeddings",
}


def pretrained_heads(model: Pretrainer) -> dict[str, dict[str, Tensor]]:
    """The heads for `save_checkpoint`: `mlm`, `pooler`, `relation`, `rtd`; others under `extra` with their own names.

    A generator is a model of its own: see `generator_checkpoint`.
    """
    heads = {name: dict(module.state_dict()) for name, module in _spelled(model).items()}
    beside = {
        f"{name}.{key}": tensor
        for name in _BESIDE & set(model.heads)
        for key, tensor in model.heads[name].state_dict().items()
    }
    return {**heads, EXTRA: beside} if beside else heads


def generator_checkpoint(model: Pretrainer) -> tuple[Encoder, dict[str, dict[str, Tensor]]] | None:
    """The generator as an encoder and its heads for `save_checkpoint` in the ELECTRA layout; None: there is none."""
    if "generator" not in model.heads:
        return None
    generator = head_of(model.heads, "generator", TokenGenerator)
    return generator.encoder, {"mlm": dict(generator.mlm.state_dict())}


def load_heads(model: Pretrainer, stored: Mapping[str, Mapping[str, Tensor]]) -> tuple[str, ...]:
    """Put the heads of a checkpoint (`Checkpoint.heads`) where the objective needs them; the notes say what is new.

    Raises:
        UserError: a head has another shape than this encoder needs.
    """
    notes = []
    beside = {name: model.heads[name] for name in _BESIDE & set(model.heads)}
    for name, module in (_spelled(model) | beside).items():
        found = stored.get(name) or _among_extras(stored, name)
        if found:
            put_head(module, found, name)
        else:
            notes.append(_NEW[name])
    if "generator" in model.heads:
        notes.append(_NEW["generator"])
    return tuple(notes)


def load_generator(model: Pretrainer, encoder: Encoder, heads: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Go on with a saved generator: its layers and its head; the embeddings stay those of the model's encoder.

    Raises:
        UserError: it has another shape, or no head.
    """
    own = head_of(model.heads, "generator", TokenGenerator)
    shared = ("embeddings.token.", "embeddings.segment.", "embeddings.position.", "embeddings.norm.")
    state = {name: tensor for name, tensor in encoder.state_dict().items() if not name.startswith(shared)}
    kept = {name: tensor for name, tensor in own.encoder.state_dict().items() if name.startswith(shared)}
    put_head(own.encoder, {**state, **kept}, "generator")
    if "mlm" not in heads:
        raise UserError("the saved generator has no head over the vocabulary", code="missing_weights")
    put_head(own.mlm, heads["mlm"], "generator")


def _spelled(model: Pretrainer) -> dict[str, nn.Module]:
    """The modules of heads that a checkpoint has names for."""
    heads = {name: model.heads[name] for name in ("mlm", "rtd") if name in model.heads}
    if "relation" in model.heads:
        heads |= dict(model.heads["relation"].named_children())
    return heads


def _among_extras(stored: Mapping[str, Mapping[str, Tensor]], name: str) -> dict[str, Tensor]:
    """A head that the family of the checkpoint has no name for stands there under its own."""
    extras = stored.get(EXTRA, {})
    return {key.removeprefix(f"{name}."): tensor for key, tensor in extras.items() if key.startswith(f"{name}.")}


def put_head(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Load a head of a checkpoint.

    Raises:
        UserError: it has another shape.
    """
    if isinstance(module, VocabularyHead) and "decoder" in tensors:
        module.decoder = nn.Parameter(torch.empty_like(tensors["decoder"], device=module.bias.device))
    own = module.state_dict()
    for key in own.keys() | tensors.keys():
        if key not in own or key not in tensors or own[key].shape != tensors[key].shape:
            raise UserError(
                f"the {name} head of the checkpoint does not fit: {key} has shape {_shape(tensors, key)}, but "
                f"this encoder and objective need {_shape(own, key)}; start from a checkpoint of the same shape",
                code="shape_mismatch",
            )
    module.load_state_dict(tensors)


def _shape(tensors: Mapping[str, Tensor], key: str) -> str:
    return str(list(tensors[key].shape)) if key in tensors else "none"
