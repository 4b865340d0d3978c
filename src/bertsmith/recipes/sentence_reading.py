"""The settings of sentence-transformers' modules, old spelling or new, as settings of ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bertsmith.encoder.weights import read_json
from bertsmith.errors import UserError
from bertsmith.features import Average, Features, One
from bertsmith.recipes.sentence_layout import ACTIVATIONS, MODES, PROMPTS, READING

TOKENIZER = "tokenizer_config.json"

_READINGS = ("roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
_NO_LIMIT = 1e6


def pooled_by(settings: Mapping[str, Any], where: str) -> Features:
    """The features of their Pooling, old spelling or new.

    Raises:
        UserError: it pools as bertsmith cannot.
    """
    modes = settings.get("pooling_mode")
    if modes is None:
        modes = [mode for mode in MODES if settings.get(f"pooling_mode_{mode}")] or ["mean_tokens"]
    names = [str(mode).removesuffix("_token").removesuffix("_tokens") for mode in _as_list(modes)]
    if len(names) != 1 or names[0] not in ("cls", "mean", "max"):
        raise _unread(f"pools by {' and '.join(map(str, _as_list(modes)))}; cls, mean and max can be read", where)
    return Features(pooling=names[0])


def layers_by(settings: Mapping[str, Any], weights: Tensor, where: str) -> One | Average:
    """The layers of their WeightedLayerPooling, as far as it is a plain mean of some.

    Raises:
        UserError: the weights differ, which bertsmith cannot read.
    """
    first = int(settings.get("layer_start", 4))
    chosen = weights.nonzero().flatten()
    if not len(chosen) or not torch.equal(weights[chosen], weights[chosen[:1]].expand(len(chosen))):
        raise _unread(f"weighs layers by {weights.tolist()}; means of layers can be read", where)
    numbers = tuple(int(place) + first for place in chosen)
    return One(number=numbers[0]) if len(numbers) == 1 else Average(numbers=numbers)


def activation_by(settings: Mapping[str, Any], where: str) -> str:
    """The activation of their Dense, by our name.

    Raises:
        UserError: it has one that bertsmith has not, or is more than a dense layer.
    """
    name = str(settings.get("activation_function", ACTIVATIONS["tanh"])).rpartition(".")[2]
    known = {"Identity": "none", "Tanh": "tanh"}
    if (
        name not in known
        or settings.get("use_residual")
        or settings.get("module_input_name")
        not in (
            None,
            "sentence_embedding",
        )
    ):
        raise _unread(f"has a dense layer with {name}; Identity and Tanh on the sentence's vector can be read", where)
    return known[name]


def read_prompts(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Prompts and similarity of config_sentence_transformers.json as fields of a task, and what to say of them."""
    path = folder / PROMPTS
    told = read_json(path) if path.is_file() else {}
    prompts = {str(name): str(text) for name, text in (told.get("prompts") or {}).items() if text}
    default = told.get("default_prompt_name")
    fields: dict[str, Any] = {"prompts": prompts, "default_prompt": default if default in prompts else None}
    similarity = told.get("similarity_fn_name") or "cosine"
    if similarity in ("cosine", "dot"):
        return {**fields, "similarity": similarity}, ()
    return fields, (f"{path} wants {similarity} distances; bertsmith compares by cosine",)


def read_length(folder: Path) -> tuple[int | None, bool]:
    """The longest text of the encoder in this folder, and whether texts are put into small letters first.

    New versions write the length into tokenizer_config.json, old ones into a file of their own.
    """
    names = [READING, *(f"sentence_{name}_config.json" for name in _READINGS)]
    told = next((read_json(folder / name) for name in names if (folder / name).is_file()), {})
    length = told.get("max_seq_length")
    if length is None and (folder / TOKENIZER).is_file():
        length = read_json(folder / TOKENIZER).get("model_max_length")
    return (int(length) if isinstance(length, int | float) and length < _NO_LIMIT else None), bool(
        told.get("do_lower_case")
    )


def _unread(what: str, where: str) -> UserError:
    return UserError(f"{where} {what}; load this model with sentence-transformers", code="unknown_module", where=where)


def _as_list(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else [values]
