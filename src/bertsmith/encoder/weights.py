"""Reading tensors from the files of a checkpoint folder, and nothing but tensors."""

import json
import pickle  # noqa: TID251  only for the name of the error with which torch refuses code
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bertsmith.errors import UserError

_NAMES = ("model.safetensors", "pytorch_model.bin")


def read_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors of a folder, floating ones as float32, and the file each came from.

    `model.safetensors` comes before `pytorch_model.bin`, either in one piece or in parts with an
    index; the latter is read by torch's restricted unpickler only, which runs no code.

    Raises:
        UserError: no weights, a part is missing, or a file is damaged or holds more than tensors.
    """
    tensors: dict[str, Tensor] = {}
    files: dict[str, str] = {}
    for path in _parts(folder):
        for name, tensor in _read(path).items():
            tensors[name] = tensor.float() if tensor.is_floating_point() else tensor
            files[name] = path.name
    return tensors, files


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: the file cannot be read or is no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", code="missing_file", where=str(path)) from None
    except ValueError as error:
        raise UserError(f"{path} is no valid JSON: {error}", code="broken_json", where=str(path)) from None
    if not isinstance(value, dict):
        raise UserError(
            f"{path} must hold a JSON object, found {type(value).__name__}", code="broken_json", where=str(path)
        )
    return value


def has_weights(folder: Path) -> bool:
    """Whether there is anything that `read_weights` would try to read."""
    return any((folder / name).is_file() or (folder / f"{name}.index.json").is_file() for name in _NAMES)


def _parts(folder: Path) -> list[Path]:
    for name in _NAMES:
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            return _indexed(folder, index)
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ["no such folder"]
    found = ", ".join(names[:12]) or "nothing"
    raise UserError(
        f"{folder} has no weights: expected {' or '.join(_NAMES)} (in one piece or with an index), found {found}",
        code="missing_weights",
        where=str(folder),
    )


def _indexed(folder: Path, index: Path) -> list[Path]:
    table = read_json(index).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise UserError(f"{index} has no weight_map", code="broken_weights", where=str(index))
    paths = [folder / str(name) for name in sorted(set(table.values()))]
    for path in paths:
        if path.parent != folder:
            raise UserError(f"{index} names {path}, outside its folder", code="broken_weights", where=str(index))
        if not path.is_file():
            raise UserError(f"{path} is missing, but {index.name} names it; download it again", code="missing_weights")
    return paths


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} holds more than tensors and is refused, for it could run code ({reason}); "
            "ask for model.safetensors instead",
            code="unsafe_weights",
            where=str(path),
        ) from None
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise UserError(
            f"{path} is damaged or cut short ({str(error).splitlines()[0]}); copy or download it again",
            code="broken_weights",
            where=str(path),
        ) from None
    return _only_tensors(content, path)


def _unpickled(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _only_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    items: Iterable[Any] = content.items() if isinstance(content, dict) else [(None, content)]
    for name, value in items:
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(
                f"{path} must hold named tensors, found {type(value).__name__} under {name!r}",
                code="broken_weights",
                where=str(path),
            )
    result: dict[str, Tensor] = content
    return result
