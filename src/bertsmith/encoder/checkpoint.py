"""An encoder and its heads, read from and written to a folder in the Hugging Face layout."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.encoder import Encoder, without_weights
from bertsmith.encoder.families import family_of, plainest_family
from bertsmith.encoder.matching import matched, place, spelled
from bertsmith.encoder.naming import Family, fuse
from bertsmith.encoder.tensorbundle import prefixes
from bertsmith.encoder.weights import has_weights, read_json, read_weights
from bertsmith.errors import UserError
from bertsmith.files import write_bytes, write_text

EXTRA = "extra"
_PROVENANCE = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What loading found: nothing is left out, added or changed in silence."""

    source: str
    found: tuple[str, ...]
    """Heads on top of the encoder."""
    missing: tuple[str, ...]
    """Heads this family may have and the file has not."""
    unexpected: tuple[str, ...]
    """Tensors without a place in the encoder or a whole head."""
    initialised: tuple[str, ...] = ()
    """What got random weights, as whoever made it says."""
    notes: tuple[str, ...] = ()
    """What was changed at the door."""

    def __str__(self) -> str:
        lines = [f"encoder from {self.source}"]
        for name in ("found", "missing", "unexpected", "initialised", "notes"):
            values = getattr(self, name)
            if values:
                lines.append(f"  {name}: {'; '.join(values) if name == 'notes' else ', '.join(values)}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An encoder with what stood beside it.

    `heads` holds tensors by head: `pooler` and `relation` (weight, bias), `mlm` (dense, norm, bias;
    `decoder` only where it is not the token table), `rtd` (dense, output); tensors without a place
    stand under `extra` with the names of the file.
    """

    encoder: Encoder
    family: str
    heads: dict[str, dict[str, Tensor]]
    report: LoadReport
    raw_config: dict[str, Any] = field(default_factory=dict)

    @property
    def config_extras(self) -> dict[str, Any]:
        """The keys of config.json worth carrying over to what is saved next."""
        return {key: value for key, value in self.raw_config.items() if key not in _PROVENANCE}


def read_config(folder: Path) -> EncoderConfig:
    """Read the shape of a checkpoint's encoder, without its weights.

    Raises:
        UserError: there is no config.json, or it describes something bertsmith does not know.
    """
    where = str(folder / "config.json")
    refuse_tensorflow(folder)
    raw = read_json(folder / "config.json")
    return family_of(_model_type(raw)[0], where=where).read_settings(raw, where)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read config.json and the weights of a folder into one encoder, in eval mode, and its heads.

    Raises:
        UserError: a file is missing or damaged, the model is of a kind bertsmith does not know, or
            the weights are not those of the config. An encoder with random weights is never returned.
    """
    where = str(folder / "config.json")
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder with a checkpoint", code="missing_model", where=str(folder))
    refuse_tensorflow(folder)
    raw = read_json(folder / "config.json")
    model_type, notes = _model_type(raw)
    family = family_of(model_type, where=where)
    family.read_settings(raw, where)  # a wrong config is said before large files are read
    tensors, files = read_weights(folder)
    return assemble(tensors, files, family, raw, Origin(where, str(folder), model_type, notes))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where weights come from: the config file, the name of the whole, its model type, what was noticed so far."""

    config: str
    source: str
    model_type: str
    notes: tuple[str, ...] = ()


def assemble(
    tensors: Mapping[str, Tensor], files: Mapping[str, str], family: Family, raw: Mapping[str, Any], origin: Origin
) -> Checkpoint:
    """Put the tensors of a file (`files` names it for each) into the encoder its config describes, in eval mode.

    Raises:
        UserError: the weights are not those of the config.
    """
    config = family.read_settings(raw, origin.config)
    notes = origin.notes
    placed = place(tensors, family)
    encoder = without_weights(config)
    weights = matched(placed, spelled(encoder, family, family.with_defaults(raw))[0], family, files)
    for edit in family.edits:
        notes += edit.read(weights, family.with_defaults(raw))
    state = {name: tensor.clone() for name, tensor in fuse(weights, config, family).items()}
    encoder.load_state_dict(state, assign=True)
    notes += _untied(placed.heads, encoder)
    report = LoadReport(
        source=origin.source,
        found=tuple(placed.heads),
        missing=tuple(name for name in family.head_names if name not in placed.heads),
        unexpected=tuple(placed.unexpected),
        notes=notes,
    )
    heads = {**placed.heads, EXTRA: placed.unexpected} if placed.unexpected else placed.heads
    return Checkpoint(encoder.eval(), origin.model_type, heads, report, dict(raw))


def refuse_tensorflow(folder: Path) -> None:
    """Say how an original TensorFlow checkpoint becomes a folder that can be loaded.

    Raises:
        UserError: the folder holds one, and no other weights.
    """
    found = prefixes(folder)
    if found and not has_weights(folder):
        raise UserError(
            f"{folder} holds a TensorFlow checkpoint ({found[0].name}); turn it into a folder that every command "
            f"reads: bertsmith convert --from {found[0] if len(found) > 1 else folder} --out DIR",
            code="tensorflow_checkpoint",
            where=str(folder),
        )


def save_checkpoint(
    folder: Path,
    encoder: Encoder,
    *,
    family: str | None = None,
    heads: Mapping[str, Mapping[str, Tensor]] | None = None,
    extra_tensors: Mapping[str, Tensor] | None = None,
    config_extras: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Write config.json and model.safetensors as a family spells them; equal weights give equal bytes.

    `family` is a model type; without one, the plainest that can spell this encoder. `extra_tensors`
    (a task head) are written under their own names, `config_extras` (id2label, architectures, ...)
    into config.json. Returns what the reader of the folder should know.

    Raises:
        UserError: the family cannot spell this encoder, or the folder cannot be written.
    """
    model_type = family or plainest_family(encoder.config)
    spelling = family_of(model_type)
    heads, extras = dict(heads or {}), dict(config_extras or {})
    settings = spelling.write_settings(encoder.config, extras)
    weights, notes = spelled(encoder, spelling, settings)
    beside = {**heads.pop(EXTRA, {}), **(extra_tensors or {})}
    weights |= {f"{head}.{name}": tensor for head, parts in heads.items() for name, tensor in parts.items()}
    settings |= {
        "model_type": model_type,
        "architectures": extras.get("architectures", [_architecture(spelling, heads)]),
        "dtype": str(encoder.embeddings.token.weight.dtype).removeprefix("torch."),
        "tie_word_embeddings": "decoder" not in heads.get("mlm", {}),
    }
    if spelling.foreign and encoder.config.embedding_size is not None:
        notes += (spelling.foreign,)
    tensors = {**_with_prefix(weights, spelling, bare=not beside), **beside}
    stored = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    write_bytes(folder / "model.safetensors", save(stored, metadata={"format": "pt"}))
    write_text(folder / "config.json", json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return notes


def _with_prefix(weights: Mapping[str, Tensor], family: Family, *, bare: bool) -> dict[str, Tensor]:
    """Their names; a prefix tells encoder and pooler from what stands beside them, if anything does."""
    inside = {name for name in weights if name not in family.heads or name.startswith("pooler.")}
    prefix = "" if bare and len(inside) == len(weights) else family.prefixes[0]
    return {(prefix if name in inside else "") + family.theirs(name): tensor for name, tensor in weights.items()}


def _model_type(raw: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Old files name no model type; the notes then say which was taken."""
    if raw.get("model_type") is not None:
        return raw["model_type"], ()
    guess = "albert" if "num_hidden_groups" in raw else "bert"
    return guess, (f"config.json names no model_type; read as {guess}",)


def _untied(heads: dict[str, dict[str, Tensor]], encoder: Encoder) -> tuple[str, ...]:
    """Forget an output table that is the token table; keep one that is not, and say so."""
    decoder = heads.get("mlm", {}).get("decoder")
    if decoder is None:
        return ()
    if torch.equal(decoder, encoder.embeddings.token.weight):
        del heads["mlm"]["decoder"]
        return ()
    return ("the output table of the mlm head is not the token table, both are kept",)


def _architecture(family: Family, heads: Mapping[str, Any]) -> str:
    names = "+".join(name for name in ("mlm", "relation", "rtd") if name in heads)
    return family.architectures.get(names, family.architectures[""])
