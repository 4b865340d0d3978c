"""Writing a tokenizer in the Hugging Face layout, the same bytes every time."""

import json
from pathlib import Path
from typing import Any

from bertsmith.files import write_text
from bertsmith.text.definition import Definition


def save_folder(definition: Definition, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json, special_tokens_map.json and, for WordPiece, vocab.txt.

    Raises:
        UserError: the folder cannot be written.
    """
    _write_json(folder / "tokenizer.json", definition.backend)
    _write_json(folder / "tokenizer_config.json", settings(definition))
    _write_json(folder / "special_tokens_map.json", special_names(definition))
    if definition.kind == "WordPiece":
        write_text(folder / "vocab.txt", "".join(f"{name}\n" for name in definition.names))


def settings(definition: Definition) -> dict[str, Any]:
    """The content of tokenizer_config.json."""
    chosen = {**definition.settings, **special_names(definition), "tokenizer_class": tokenizer_class(definition)}
    if _is_bert(definition):
        normalizer = definition.backend["normalizer"]
        chosen["do_lower_case"] = normalizer["lowercase"]
        chosen["strip_accents"] = normalizer["strip_accents"]
        chosen["tokenize_chinese_chars"] = normalizer["handle_chinese_chars"]
    return dict(sorted(chosen.items()))


def tokenizer_class(definition: Definition) -> str:
    """The class of transformers that makes the same tokens of the folder."""
    if definition.level == "word":
        return "RoFormerTokenizer"
    if _is_bert(definition):
        return "BertTokenizer"
    if definition.kind == "WordPiece":
        return "PreTrainedTokenizerFast"
    return str(definition.settings.get("tokenizer_class", "PreTrainedTokenizerFast"))


def special_names(definition: Definition) -> dict[str, str]:
    """The names of the special tokens in the spelling of transformers."""
    numbers = definition.special.model_dump()
    return {f"{role}_token": definition.names[number] for role, number in numbers.items() if number is not None}


def _is_bert(definition: Definition) -> bool:
    normalizer, splitter = definition.backend.get("normalizer"), definition.backend.get("pre_tokenizer")
    return (
        definition.kind == "WordPiece"
        and (normalizer or {}).get("type") == "BertNormalizer"
        and (splitter or {}).get("type") == "BertPreTokenizer"
    )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
