"""An encoder and its heads from an original TensorFlow checkpoint, without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bertsmith.encoder.checkpoint import Checkpoint, Origin, assemble
from bertsmith.encoder.families.tensorflow import (
    KERNEL,
    ORIGINALS,
    OTHER_PART,
    Original,
    Part,
    is_slot,
    original_of,
)
from bertsmith.encoder.tensorbundle import TensorBundle, is_bundle, prefixes
from bertsmith.encoder.weights import read_json
from bertsmith.errors import UserError

_TRANSPOSED = ("/" + KERNEL,)
_CONFIGS = ("bert_config.json", "albert_config.json", "electra_config.json", "config.json")


@dataclass(frozen=True, slots=True)
class Converted:
    """What an original checkpoint held: the encoder with its heads, and how much of the rest was left out."""

    checkpoint: Checkpoint
    variables: int
    shards: int
    partitioned: int
    slots: int
    """Variables of the optimizer, and counters of steps."""
    other_part: int
    """Variables of the encoder that was not asked for."""


def find_bundle(source: Path) -> Path:
    """The checkpoint meant by a folder, a prefix, or the name of one of its files.

    Raises:
        UserError: there is none, or there are several.
    """
    if is_bundle(source):
        return source
    for ending in (".index", ".meta", ".data-"):
        stem, found, _ = source.name.rpartition(ending)
        if found and is_bundle(source.with_name(stem)):
            return source.with_name(stem)
    if not source.is_dir():
        raise UserError(
            f"no TensorFlow checkpoint {source}: neither a folder nor the beginning of PREFIX.index",
            code="not_found",
            where=str(source),
        )
    found_here = prefixes(source)
    if len(found_here) == 1:
        return found_here[0]
    names = ", ".join(path.name for path in found_here)
    fact = f"it holds several checkpoints ({names}); name one" if names else "there is no *.index with data beside it"
    raise UserError(f"{source}: {fact}", code="missing_weights", where=str(source))


def load_original(
    prefix: Path,
    *,
    config: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    part: Part = "discriminator",
) -> Converted:
    """Read the variables of a checkpoint into the encoder its config describes; kernels are transposed.

    `config` is their bert_config.json, None: the one beside the checkpoint; `settings` win over it.
    Optimizer slots, and ELECTRA's other encoder, are counted and never read.

    Raises:
        UserError: index or data are damaged, the model is not known, or config and weights do not fit.
    """
    bundle = TensorBundle(prefix)
    variables = bundle.variables
    where = f"{prefix}.index"
    weights = [name for name in variables if not is_slot(name)]
    family = original_of(weights, part, where)
    spelling = next(name for name, other in ORIGINALS.items() if other is family)
    wanted = [name for name in weights if not name.startswith(OTHER_PART.get(spelling, ()))]
    path = config or _config_beside(prefix, spelling)
    read = read_json(path) if path else {}
    _require_sizes(read | dict(settings or {}), family, {name: variables[name].shape for name in wanted}, where)
    raw, notes = family.translated(read | dict(settings or {}))
    if spelling == "roformer":
        _refuse_relative(raw, where)
        notes += ("no position table: read as RoFormer, positions are rotated",)
    tensors = {name: _tensor(bundle.read(name), name) for name in wanted}
    files = dict.fromkeys(tensors, where)
    origin = Origin(str(path or "the settings given"), str(prefix), family.model_types[0], notes)
    return Converted(
        checkpoint=assemble(tensors, files, family, raw, origin),
        variables=len(variables),
        shards=bundle.shards,
        partitioned=sum(variables[name].parts > 1 for name in wanted),
        slots=len(variables) - len(weights),
        other_part=len(weights) - len(wanted),
    )


def _tensor(values: np.ndarray, name: str) -> Tensor:
    """Floating numbers as float32, matrices with outputs first."""
    exact = values.astype(np.float32) if values.dtype.kind == "f" else values
    turned = exact.T if name.endswith(_TRANSPOSED) else exact
    return torch.from_numpy(np.ascontiguousarray(turned))


def _config_beside(prefix: Path, spelling: str) -> Path | None:
    parts = {"electra": "discriminator", "generator": "generator"}
    own = (f"{parts[spelling]}.json", f"{parts[spelling]}_config.json") if spelling in parts else ()
    for name in (*own, *(_CONFIGS if spelling != "generator" else ())):
        if prefix.with_name(name).is_file():
            return prefix.with_name(name)
    others = sorted(prefix.parent.glob("*_config*.json"))
    return others[0] if len(others) == 1 and spelling != "generator" else None


def _require_sizes(raw: Mapping[str, Any], family: Original, shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Make sure that the shape of the encoder was said: how many heads there are cannot be seen in weights.

    Raises:
        UserError: names the sizes the weights do show.
    """
    needed = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    missing = [key for key in needed if key not in raw]
    if not missing:
        return
    seen = _sizes(family, shapes)
    told = ", ".join(f"{key} {value}" for key, value in seen.items())
    given = " ".join(f"--set settings.{key}={seen.get(key, 'N')}" for key in missing)
    raise UserError(
        f"{where}: no config beside it says {', '.join(missing)} (looked for {', '.join(_CONFIGS)}); "
        f"the weights show {told}, but not how many attention heads there are: name the config with --config, "
        f"or say it with {given}",
        code="missing_config",
        where=where,
    )


def _sizes(family: Original, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """What can be seen."""
    by_ours = {family.ours(name): shape for name, shape in shapes.items()}
    layers = [int(name.split(".")[1]) for name in by_ours if name and name.startswith("feed_forward.")]
    result = {"num_hidden_layers": max(layers, default=-1) + 1} if family.numbering == "layers" else {}
    for key, name, axis in (
        ("vocab_size", "embeddings.token.weight", 0),
        ("embedding_size", "embeddings.token.weight", 1),
        ("hidden_size", "attention.0.query.weight", 0),
        ("intermediate_size", "feed_forward.0.up.weight", 1),
        ("max_position_embeddings", "embeddings.position.weight", 0),
        ("type_vocab_size", "embeddings.segment.weight", 0),
    ):
        if name in by_ours:
            result[key] = by_ours[name][axis]
    return result


def _refuse_relative(raw: Mapping[str, Any], where: str) -> None:
    if raw.get("use_relative_position"):
        raise UserError(
            f"{where}: its config says use_relative_position (NEZHA), which bertsmith does not compute",
            code="unsupported_model",
            where=where,
        )
