"""What the files beside a vocabulary say about it: tokenizer_config.json, special_tokens_map.json, config.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.errors import UserError
from bertsmith.text.definition import ROLES, Level

_WORD_LEVEL_CLASSES = {"RoFormerTokenizer", "WoBertTokenizer", "WoBERTTokenizer"}


@dataclass(frozen=True, slots=True)
class Hints:
    """The settings beside a vocabulary; what is not said is None."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_folder(cls, folder: Path) -> "Hints":
        """Read the files of a folder; none of them has to exist.

        Raises:
            UserError: one of them is not JSON.
        """
        named = read_object(folder / "special_tokens_map.json")
        settings = read_object(folder / "tokenizer_config.json")
        return cls(settings={**named, **settings}, model=read_object(folder / "config.json"))

    def flag(self, name: str) -> bool | None:
        """A yes or no, from tokenizer_config.json before config.json."""
        for source in (self.settings, self.model):
            if source.get(name) is not None:
                return bool(source[name])
        return None

    @property
    def tokenizer_class(self) -> str | None:
        """The tokenizer's class in transformers, BertTokenizerFast as BertTokenizer."""
        named = self.settings.get("tokenizer_class") or self.model.get("tokenizer_class")
        return named if named in (None, "PreTrainedTokenizerFast") else str(named).removesuffix("Fast")

    @property
    def model_type(self) -> str | None:
        """The family in the spelling of config.json."""
        return self.model.get("model_type")

    @property
    def level(self) -> Level | None:
        """Whether Chinese is cut into words or characters, if the files say so."""
        if self.tokenizer_class is None:
            return None
        return "word" if self.tokenizer_class in _WORD_LEVEL_CLASSES else "character"

    @property
    def special_names(self) -> dict[str, str]:
        """The names of the special tokens by role: `{"cls": "[CLS]"}`."""
        found = {role: self.settings.get(f"{role}_token") for role in ROLES}
        contents = {role: name.get("content") if isinstance(name, dict) else name for role, name in found.items()}
        return {role: name for role, name in contents.items() if name is not None}


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file, empty if there is no such file.

    Raises:
        UserError: the file is not a JSON object.
    """
    if not path.is_file():
        return {}
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        raise UserError(
            f"{where}: not valid JSON: {error.msg}; fetch the file again", code="bad_json", where=where
        ) from None
    if not isinstance(value, dict):
        raise UserError(
            f"{path}: a JSON object is needed, got {type(value).__name__}", code="bad_json", where=str(path)
        )
    return value


def read_text(path: Path) -> str:
    """A small UTF-8 file as text, line ends as they are.

    Raises:
        UserError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}; save it as UTF-8"
        raise UserError(message, code="bad_encoding", where=str(path)) from None
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise UserError(message, code="unreadable", where=str(path)) from error
