"""A sentence encoder as a chain of modules in files: sentence-transformers' layout, written and read without it.

The layout of its versions up to 5 is written, which all versions read; of what they wrote, both the old
and the new spelling are read. What their modules cannot compute is given a module of a name that they
do not have, so that they refuse the folder instead of giving other vectors.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bertsmith.errors import UserError
from bertsmith.features import Average, One
from bertsmith.files import write_tensors, write_text
from bertsmith.recipes.folder_kind import MODULES
from bertsmith.sentences import Projector, SentenceEmbedder, SentenceTask

PROMPTS, READING = "config_sentence_transformers.json", "sentence_bert_config.json"
UNKNOWN_THERE = "bertsmith.sentences.FeaturesUnknownToSentenceTransformers"
"""The module of vectors that sentence-transformers cannot make."""

_POOLINGS = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens", "pooler": "cls_token"}
MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


@dataclass(frozen=True, slots=True)
class Module:
    """One link of the chain: its class there, its settings and its weights."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


def write_layout(folder: Path, embedder: SentenceEmbedder, *, max_length: int) -> tuple[str, ...]:
    """Write everything but the encoder and the tokenizer; returns what the user should know.

    Raises:
        UserError: the folder cannot be written.
    """
    task, chain = embedder.task, chain_of(embedder)
    listed = [{"idx": 0, "name": "0", "path": "", "type": f"{_HOME}Transformer"}]
    for number, module in enumerate(chain, start=1):
        path = f"{number}_{module.kind.rpartition('.')[2]}"
        kind = module.kind if "." in module.kind else _HOME + module.kind
        listed.append({"idx": number, "name": str(number), "path": path, "type": kind})
        _write_json(folder / path / "config.json", module.settings)
        if module.tensors:
            write_tensors(folder / path / "model.safetensors", module.tensors)
    _write_json(folder / MODULES, listed)
    _write_json(folder / READING, {"max_seq_length": max_length, "do_lower_case": False})
    told = {
        "__version__": {"bertsmith": version("bertsmith")},
        "prompts": task.prompts,
        "default_prompt_name": task.default_prompt,
        "similarity_fn_name": task.similarity,
    }
    _write_json(folder / PROMPTS, told)
    if any(module.kind == UNKNOWN_THERE for module in chain):
        return (
            f"sentence-transformers has no module for pooling {task.pooling!r} and will refuse {folder}; "
            "bertsmith reads it",
        )
    return ()


def chain_of(embedder: SentenceEmbedder) -> list[Module]:
    """What follows the encoder, in order; a whitening is two dense layers, so that both sides round alike."""
    task = embedder.task
    chain = _pooling(embedder)
    for projector in embedder.projections:
        assert isinstance(projector, Projector)
        linear = projector.linear
        chain.append(_dense(linear.weight, linear.bias, tanh=projector.activation == "tanh"))
    if embedder.whitening is not None:
        mean, matrix = embedder.whitening.mean, embedder.whitening.matrix
        chain += [_dense(torch.eye(len(mean)), -mean), _dense(matrix.T)]
    if task.dim is not None:
        chain.append(_dense(torch.eye(task.whitening or embedder.projected_width)[: task.dim]))
    return chain + ([Module("Normalize")] if task.normalize else [])


def on_top_of(task: SentenceTask, dense: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of the dense layers of `chain_of`, read back, by the names of `SentenceEmbedder`."""
    layers = list(dense)[1:] if task.features.pooling == "pooler" else list(dense)
    tensors = {
        f"projections.{number}.{name}": tensor
        for number, layer in enumerate(layers[: len(task.projections)])
        for name, tensor in layer.items()
    }
    whitening = layers[len(task.projections) :][:2]
    if task.whitening is not None and len(whitening) == 2:
        tensors |= {
            "whitening.mean": -whitening[0].get("linear.bias", torch.zeros(0)),
            "whitening.matrix": whitening[1]["linear.weight"].T,
        }
    return tensors


_HOME = "sentence_transformers.models."


def _pooling(embedder: SentenceEmbedder) -> list[Module]:
    pooler = embedder.features.pooler
    on_top = [] if pooler is None else [_dense(pooler.dense.weight, pooler.dense.bias, tanh=True)]
    return [*_pooled(embedder), *on_top]


def _pooled(embedder: SentenceEmbedder) -> list[Module]:
    features, layers = embedder.task.features, embedder.features.keep_layers
    settings = {"word_embedding_dimension": embedder.pooled_width}
    if not isinstance(features.layers, One | Average):
        return [Module(UNKNOWN_THERE, settings)]
    chosen = {f"pooling_mode_{mode}": mode == _POOLINGS[features.pooling] for mode in MODES}
    pooling = Module("Pooling", settings | chosen | {"include_prompt": True})
    top = embedder.encoder.config.num_layers
    if set(layers) == {top}:
        return [pooling]
    weights = torch.zeros(top + 1)
    for layer in layers:
        weights[layer] += 1
    sizes = {**settings, "layer_start": 0, "num_hidden_layers": top}
    return [Module("WeightedLayerPooling", sizes, {"layer_weights": weights}), pooling]


def needs_all_layers(embedder: SentenceEmbedder) -> bool:
    """Whether their encoder must give out its layers, which config.json then says."""
    return any(module.kind == "WeightedLayerPooling" for module in chain_of(embedder))


def _dense(weight: Tensor, bias: Tensor | None = None, *, tanh: bool = False) -> Module:
    settings = {
        "in_features": weight.shape[1],
        "out_features": weight.shape[0],
        "bias": bias is not None,
        "activation_function": ACTIVATIONS["tanh" if tanh else "none"],
    }
    tensors = {"linear.weight": weight} if bias is None else {"linear.weight": weight, "linear.bias": bias}
    return Module("Dense", settings, {name: tensor.detach().float() for name, tensor in tensors.items()})


ACTIVATIONS = {"none": "torch.nn.modules.linear.Identity", "tanh": "torch.nn.modules.activation.Tanh"}


@dataclass(frozen=True, slots=True)
class Found:
    """A folder of this layout, read: the task, where its encoder lies, and the weights on top by our names."""

    task: SentenceTask
    encoder: Path
    tensors: Mapping[str, Tensor]
    lowercase: bool = False
    notes: tuple[str, ...] = ()


def read_listed(folder: Path) -> list[tuple[str, Path]]:
    """The class (without its home) and the folder of each module, in order.

    Raises:
        UserError: modules.json is damaged, or leads out of the folder.
    """
    path = folder / MODULES
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        found = [(str(one["type"]).rpartition(".")[2], folder / str(one["path"])) for one in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no list of modules: {error}", code="broken_json", where=str(path)) from None
    for _, place in found:
        if not place.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{path} names {place}, outside its folder", code="broken_json", where=str(path))
    return found


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
