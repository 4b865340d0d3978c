"""How a family spells the config and the weights of the encoder, read and written by the same table."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from bertsmith.config import Config, parse_config
from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.edits import Edit
from bertsmith.errors import UserError

_ACTIVATIONS = {
    "gelu": ("gelu", "gelu_python"),
    "gelu_tanh": ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python_tanh", "gelu_tanh"),
    "relu": ("relu",),
    "silu": ("silu", "swish"),
}
_OLD_LEAVES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
_UNSAID = (None, False, "all")
_BUFFERS = ("position_ids", "token_type_ids")


class Family(Config):
    """One architecture as its files spell it: tables only, no computation.

    `modules` pairs our modules with theirs inside `prefixes` (the first is written), `{}` standing
    for a layer, or a group of layers under `numbering: groups`. `heads` pairs whole tensor names;
    all but the pooler's stand beside the prefix. `fields` pairs our config fields with their keys,
    `defaults` holds what transformers assumes for a missing key, `fixed` the values of keys that
    would change the function and that the encoder has only one way to compute.
    """

    model_types: tuple[str, ...]
    prefixes: tuple[str, ...]
    modules: dict[str, str]
    heads: dict[str, str]
    aliases: dict[str, str]
    fields: dict[str, str]
    defaults: dict[str, Any]
    fixed: dict[str, Any]
    position: Literal["learned", "rotary"] = "learned"
    numbering: Literal["layers", "groups"] = "layers"
    projects: Literal["always", "when_different"] = "when_different"
    edits: tuple[Edit, ...] = ()
    architectures: dict[str, str]
    """The transformers class by the heads it has, joined by `+`."""
    foreign: str | None = None
    """Why transformers cannot load a factorised encoder of this family, where it cannot."""

    @property
    def head_names(self) -> tuple[str, ...]:
        """The heads this family may have."""
        return tuple(dict.fromkeys(name.partition(".")[0] for name in self.heads))

    def read_settings(self, raw: Mapping[str, Any], where: str) -> EncoderConfig:
        """Turn their config into ours.

        Raises:
            UserError: a value is wrong, or asks for something the encoder does not compute.
        """
        raw = self.with_defaults(raw)
        for key, value in self.fixed.items():
            if raw.get(key, value) not in (value, None):
                raise UserError(
                    f"{where}: {key} is {raw[key]!r}, but bertsmith computes only {key} = {value!r}; "
                    "this checkpoint cannot be loaded",
                    code="unsupported_model",
                    where=where,
                )
        for edit in self.edits:
            raw = edit.read_settings(raw)
        values: dict[str, Any] = {"position": {"kind": self.position}}
        for path, key in self.fields.items():
            if raw.get(key) is not None:
                *parents, field = path.split(".")
                (values[parents[0]] if parents else values)[field] = raw[key]
        values["activation"] = _activation(values.get("activation"), where)
        if self.projects == "when_different" and values.get("embedding_size") == values.get("hidden_size"):
            values["embedding_size"] = None
        return parse_config(EncoderConfig, values, where=where)

    def write_settings(self, config: EncoderConfig, extras: Mapping[str, Any]) -> dict[str, Any]:
        """Turn our config into theirs, on top of other keys of config.json.

        Raises:
            UserError: the family has no words for this encoder.
        """
        raw = self.with_defaults(extras)
        for path, key in self.fields.items():
            value: Any = config
            for part in path.split("."):
                value = getattr(value, part, None)
            if path == "activation":
                value = _ACTIVATIONS[value][0]
            if path == "embedding_size" and value is None and key in self.defaults:
                value = config.table_size
            raw[key] = value
            if key not in self.defaults and value in _UNSAID:
                del raw[key]
        for edit in self.edits:
            raw = edit.write_settings(raw)
        self._require_same(config, raw)
        return raw

    def _require_same(self, config: EncoderConfig, raw: Mapping[str, Any]) -> None:
        again = self.read_settings(raw, "config.json").model_dump()
        lost = [name for name, value in config.model_dump().items() if again[name] != value]
        if lost:
            raise UserError(
                f"the {self.model_types[0]} layout has no words for this encoder's {', '.join(lost)}; "
                "save it as another family",
                code="unsupported_model",
            )

    def with_defaults(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Their config with what transformers assumes for the keys that are missing."""
        return {**raw, **{key: value for key, value in self.defaults.items() if raw.get(key) is None}}

    def ours(self, name: str) -> str | None:
        """Our name for one of their tensors; None: it has no place in the encoder or a known head."""
        for old, new in _OLD_LEAVES.items():
            name = name.replace(old, new)
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        for other, usual in self.aliases.items():
            name = name.replace(other, usual)
        for mine, theirs in self.heads.items():
            if name == theirs:
                return mine
        module, leaf = self.parted(name)
        for mine, theirs in self.modules.items():
            match = re.fullmatch(re.escape(theirs).replace(r"\{\}", r"(\d+)"), module)
            if match and leaf in ("weight", "bias"):
                return f"{mine.format(*match.groups())}.{leaf}"
        return None

    def theirs(self, name: str) -> str:
        """Their name, without the prefix, for one of our tensors."""
        if name in self.heads:
            return self.heads[name]
        module, _, leaf = name.rpartition(".")
        numbers = re.findall(r"(?<=\.)\d+(?=\.|$)", module)
        pattern = re.sub(r"(?<=\.)\d+(?=\.|$)", "{}", module)
        if pattern not in self.modules:
            raise UserError(f"the {self.model_types[0]} layout has no name for {name}", code="unsupported_model")
        return self.joined(pattern, self.modules[pattern].format(*numbers), leaf)

    def parted(self, name: str) -> tuple[str, str]:
        """One of their tensors as their module and our name of what it is there: `weight`, `bias`."""
        module, _, leaf = name.rpartition(".")
        return module, leaf

    def joined(self, ours: str, theirs: str, leaf: str) -> str:
        """The inverse: the tensor `leaf` of their module, which is ours of this pattern."""
        return f"{theirs}.{leaf}"

    @staticmethod
    def is_buffer(name: str) -> bool:
        """Whether a tensor is a stored counter that says nothing."""
        return name.rpartition(".")[2] in _BUFFERS


def split(state: Mapping[str, Tensor], config: EncoderConfig, family: Family) -> dict[str, Tensor]:
    """One matrix for each of query, key and value, and one module a layer where the family numbers layers."""
    result: dict[str, Tensor] = {}
    for name, tensor in _by_layer(state, config, family).items():
        if ".qkv." in name:
            for part, piece in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                result[name.replace(".qkv.", f".{part}.")] = piece
        else:
            result[name] = tensor
    return result


def fuse(weights: Mapping[str, Tensor], config: EncoderConfig, family: Family) -> dict[str, Tensor]:
    """The inverse of `split`.

    Raises:
        UserError: layers that share their weights by the config have different ones.
    """
    result: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if ".query." in name:
            pieces = [weights[name.replace(".query.", f".{part}.")] for part in ("query", "key", "value")]
            result[name.replace(".query.", ".qkv.")] = torch.cat(pieces)
        elif ".key." not in name and ".value." not in name:
            result[name] = tensor
    return _by_group(result, config) if family.numbering == "layers" else result


def _by_layer(state: Mapping[str, Tensor], config: EncoderConfig, family: Family) -> dict[str, Tensor]:
    if family.numbering == "groups":
        return dict(state)
    result: dict[str, Tensor] = {}
    for name, tensor in state.items():
        part, _, rest = name.partition(".")
        if part == "embeddings":
            result[name] = tensor
            continue
        number, _, leaf = rest.partition(".")
        for layer, used in enumerate(_users(config, part)):
            if used == int(number):
                result[f"{part}.{layer}.{leaf}"] = tensor
    return result


def _by_group(weights: Mapping[str, Tensor], config: EncoderConfig) -> dict[str, Tensor]:
    result: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        part, _, rest = name.partition(".")
        if part != "embeddings":
            layer, _, leaf = rest.partition(".")
            name = f"{part}.{_users(config, part)[int(layer)]}.{leaf}"
        if name in result and not torch.equal(result[name], tensor):
            raise UserError(
                f"config.json says that layers share {name}, but their weights differ; remove distinct_layers "
                "from config.json to load every layer as it is",
                code="unsupported_model",
            )
        result[name] = tensor
    return result


def _users(config: EncoderConfig, part: str) -> tuple[int, ...]:
    return config.attention_of if part == "attention" else config.feed_forward_of


def _activation(name: Any, where: str) -> str:
    for ours, spellings in _ACTIVATIONS.items():
        if name in spellings:
            return ours
    known = ", ".join(spelling for spellings in _ACTIVATIONS.values() for spelling in spellings)
    raise UserError(f"{where}: hidden_act {name!r} is not known; known: {known}", code="unsupported_model", where=where)
