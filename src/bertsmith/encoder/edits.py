"""Weights that differ between a family's files and our encoder in more than their name.

An edit changes weights (under our names) and config values (under theirs) when a file is read, and
changes them back when one is written, so that the outputs of both sides are equal.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from bertsmith.config import Config
from bertsmith.errors import UserError

Weights = dict[str, Tensor]


class DropRows(Config):
    """Positions that start behind the padding id (RoBERTa): the rows up to it are never read by a token.

    Written back, they are zeros; no real token reads them.
    """

    kind: Literal["drop_rows"] = "drop_rows"
    weight: str = "embeddings.position.weight"
    size: str = "max_position_embeddings"

    @property
    def optional(self) -> tuple[str, ...]:
        """Tensors a file may have or lack."""
        return ()

    def read_settings(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Count only the positions that tokens use."""
        for key in (self.size, "pad_token_id"):
            if not isinstance(raw[key], int) or raw[key] < 0:
                raise UserError(f"config.json: {key} must be a whole number, got {raw[key]!r}", code="bad_setting")
        return {**raw, self.size: raw[self.size] - raw["pad_token_id"] - 1}

    def write_settings(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Count the unused positions again."""
        return {**raw, self.size: raw[self.size] + raw["pad_token_id"] + 1}

    def read(self, weights: Weights, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """Cut the rows off."""
        count = raw["pad_token_id"] + 1
        weights[self.weight] = weights[self.weight][count:]
        return (f"positions counted from 0: the {count} rows before the first token's were left out",)

    def write(self, weights: Weights, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """Put rows of zeros there."""
        table, count = weights[self.weight], raw["pad_token_id"] + 1
        weights[self.weight] = torch.cat([table.new_zeros(count, table.shape[1]), table])
        return (f"the {count} position rows that no token reads were written as zeros",)


class FoldRow(Config):
    """A table of which every token reads row 0 (the task ids of ERNIE 2.0 and 3.0), added to another.

    Written back, the sum stays where it is and the config says that there is no such table.
    """

    kind: Literal["fold_row"] = "fold_row"
    weight: str = "embeddings.task.weight"
    into: str = "embeddings.segment.weight"
    switch: str = "use_task_id"

    @property
    def optional(self) -> tuple[str, ...]:
        """Tensors a file may have or lack."""
        return (self.weight,)

    def read_settings(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing changes: the table is no part of our config."""
        return dict(raw)

    def write_settings(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Say that the table is not used."""
        return {**raw, self.switch: False}

    def read(self, weights: Weights, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """Add row 0 to every row of the other table."""
        table = weights.pop(self.weight, None)
        if not raw.get(self.switch):
            return () if table is None else (f"{self.weight} left out: the config does not use it",)
        if table is None:
            raise UserError(
                f"the config sets {self.switch}, but the weights have no such table", code="missing_weights"
            )
        weights[self.into] = weights[self.into] + table[0]
        return (f"row 0 of {self.weight}, which every token reads, was added to {self.into}",)

    def write(self, weights: Weights, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """Leave the sum in place."""
        return (f"{self.weight} stays added to {self.into}: outputs are equal, {self.switch} is false",)


class Sinusoid(Config):
    """A table of sines and cosines kept among the weights (RoFormer), though it follows from its shape."""

    kind: Literal["sinusoid"] = "sinusoid"
    weight: str = "embeddings.sinusoid.weight"

    @property
    def optional(self) -> tuple[str, ...]:
        """Tensors a file may have or lack."""
        return (self.weight,)

    def read_settings(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing changes."""
        return dict(raw)

    def write_settings(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing changes."""
        return dict(raw)

    def read(self, weights: Weights, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """Make sure the table is the one we compute, and leave it out."""
        table = weights.pop(self.weight, None)
        if table is not None and not torch.allclose(table, _sinusoid(*table.shape), atol=1e-2):
            raise UserError(f"{self.weight} is not the sinusoid of Su et al. 2021", code="unsupported_model")
        return ()

    def write(self, weights: Weights, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """Compute the table."""
        size = raw["hidden_size"] // raw["num_attention_heads"]
        weights[self.weight] = _sinusoid(raw["max_position_embeddings"], size)
        return ()


Edit = DropRows | FoldRow | Sinusoid


def _sinusoid(rows: int, size: int) -> Tensor:
    """All sines of a position, then all cosines, as the published files have them."""
    pairs = torch.arange((size + 1) // 2, dtype=torch.float64)
    angles = torch.arange(rows, dtype=torch.float64)[:, None] / 10000.0 ** (2 * pairs / size)
    return torch.cat([angles.sin(), angles[:, : size // 2].cos()], dim=1).float()
