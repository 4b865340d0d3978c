"""Finding each tensor of a file its place, and saying in the file's words what does not fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bertsmith.encoder.encoder import Encoder
from bertsmith.encoder.naming import Family, split
from bertsmith.errors import UserError


@dataclass(slots=True)
class Placed:
    """Tensors by our names with their names in the file, whole heads, and what is left."""

    origins: dict[str, str] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    heads: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    unexpected: dict[str, Tensor] = field(default_factory=dict)


def spelled(encoder: Encoder, family: Family, settings: Mapping[str, Any]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The encoder's weights as the family divides them, under our names, and what changed on the way."""
    weights = split(encoder.state_dict(), encoder.config, family)
    notes: tuple[str, ...] = ()
    for edit in family.edits:
        notes += edit.write(weights, settings)
    return weights, notes


def place(tensors: Mapping[str, Tensor], family: Family) -> Placed:
    """Give every tensor our name, and set whole heads apart; a head in parts is unexpected.

    Raises:
        UserError: the file spells one tensor twice, with different values.
    """
    placed = Placed()
    for theirs, tensor in tensors.items():
        ours = family.ours(theirs)
        if ours is None:
            if not family.is_buffer(theirs):
                placed.unexpected[theirs] = tensor
        elif ours not in placed.weights:
            placed.weights[ours], placed.origins[ours] = tensor, theirs
        elif not torch.equal(placed.weights[ours], tensor):
            raise UserError(
                f"{placed.origins[ours]} and {theirs} are two spellings of one tensor, but their values differ",
                code="broken_weights",
            )
    for head in family.head_names:
        _set_apart(head, placed, family)
    return placed


def _set_apart(head: str, placed: Placed, family: Family) -> None:
    members = {name: name.partition(".")[2] for name in family.heads if name.startswith(f"{head}.")}
    present = {name: placed.weights.pop(name) for name in members if name in placed.weights}
    if all(name in present or part == "decoder" for name, part in members.items()):
        placed.heads[head] = {members[name]: tensor.clone() for name, tensor in present.items()}
    else:
        placed.unexpected.update({placed.origins[name]: tensor for name, tensor in present.items()})


def matched(
    placed: Placed, expected: Mapping[str, Tensor], family: Family, files: Mapping[str, str]
) -> dict[str, Tensor]:
    """Compare names and shapes with what the config asks for; layers beyond it become unexpected.

    Raises:
        UserError: a tensor of the encoder is missing or has another shape.
    """
    optional = {name for edit in family.edits for name in edit.optional}
    missing = [family.theirs(name) for name in expected if name not in placed.weights and name not in optional]
    if missing:
        raise UserError(
            f"the weights lack {len(missing)} of the encoder's {len(expected)} tensors: {_first(missing)}; "
            "they are not the weights of this config.json",
            code="missing_weights",
        )
    for name, wanted in expected.items():
        if name not in optional and placed.weights[name].shape != wanted.shape:
            _refuse_shape(placed, name, wanted, files)
    for name in placed.weights.keys() - expected.keys() - optional:
        placed.unexpected[placed.origins[name]] = placed.weights.pop(name)
    return placed.weights


def _refuse_shape(placed: Placed, name: str, wanted: Tensor, files: Mapping[str, str]) -> None:
    theirs = placed.origins[name]
    raise UserError(
        f"{files[theirs]}: {theirs} has shape {list(placed.weights[name].shape)}, but config.json asks for "
        f"{list(wanted.shape)}; config and weights are not of the same model",
        code="shape_mismatch",
        where=files[theirs],
    )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
