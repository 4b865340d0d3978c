"""From sentence-transformers' chain of modules to a task of ours with its weights."""

from pathlib import Path
from typing import Any

from torch import Tensor

from bertsmith.config import parse_config
from bertsmith.encoder.weights import read_json, read_weights
from bertsmith.errors import UserError
from bertsmith.features import Features
from bertsmith.recipes.sentence_layout import Found, read_listed
from bertsmith.recipes.sentence_reading import activation_by, layers_by, pooled_by, read_length, read_prompts
from bertsmith.sentences import SentenceTask

_UNWRITTEN = ("Dropout",)
"""Modules without an effect outside of training."""


def read_chain(folder: Path) -> Found:
    """Read a folder that sentence-transformers wrote.

    Raises:
        UserError: a module is one that bertsmith has not, stands where it cannot, or a file is damaged.
    """
    reader = _Reader(folder)
    listed = read_listed(folder)
    if not listed or listed[0][0] != "Transformer":
        raise reader.unread(f"begins with {listed[0][0] if listed else 'nothing'}, not with a Transformer")
    for kind, place in listed[1:]:
        reader.take(kind, place)
    return reader.found(listed[0][1])


class _Reader:
    """Goes down the chain; what stands in an order that a task has not is refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fields: dict[str, Any] = {"normalize": False, "projections": []}
        self.tensors: dict[str, Tensor] = {}
        self.layers: Any = None

    def take(self, kind: str, place: Path) -> None:
        """One module."""
        takers = {
            "Pooling": self._pooling,
            "WeightedLayerPooling": self._layers,
            "Dense": self._dense,
            "Normalize": self._normalize,
        }
        if kind in _UNWRITTEN:
            return
        if kind not in takers:
            raise self.unread(f"has a module {kind}; {', '.join(takers)} can be read")
        if self.fields["normalize"]:
            raise self.unread(f"has {kind} after Normalize")
        takers[kind](place)

    def _pooling(self, place: Path) -> None:
        settings = read_json(place / "config.json")
        if settings.get("include_prompt") is False:
            raise self.unread("leaves the prompt out of its pooling")
        features = pooled_by(settings, str(place / "config.json"))
        self.fields["features"] = (
            features if self.layers is None else Features(layers=self.layers, pooling=features.pooling)
        )

    def _layers(self, place: Path) -> None:
        weights = read_weights(place)[0]["layer_weights"]
        self.layers = layers_by(read_json(place / "config.json"), weights, str(place / "config.json"))

    def _dense(self, place: Path) -> None:
        if "features" not in self.fields:
            raise self.unread("has a dense layer before its Pooling")
        settings, number = read_json(place / "config.json"), len(self.fields["projections"])
        tensors = read_weights(place)[0]
        self.fields["projections"].append(
            {
                "width": int(tensors["linear.weight"].shape[0]),
                "activation": activation_by(settings, str(place / "config.json")),
                "bias": "linear.bias" in tensors,
            }
        )
        self.tensors |= {f"projections.{number}.{name}": tensor for name, tensor in tensors.items()}

    def _normalize(self, place: Path) -> None:
        self.fields["normalize"] = True

    def found(self, encoder: Path) -> Found:
        """The task, once all modules are read."""
        if "features" not in self.fields:
            raise self.unread("has no Pooling")
        prompts, notes = read_prompts(self.folder)
        length, lowercase = read_length(encoder)
        fields = {**self.fields, **prompts, "max_length": length}
        task = parse_config(SentenceTask, fields, where=str(self.folder))
        return Found(task, encoder, self.tensors, lowercase, notes)

    def unread(self, what: str) -> UserError:
        """A refusal that names the folder."""
        return UserError(
            f"{self.folder} {what}; load this model with sentence-transformers",
            code="unknown_module",
            where=str(self.folder),
        )
