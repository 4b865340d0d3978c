"""From a folder to a tokenizer: tokenizer.json, vocab.txt, vocab.json with merges.txt, or a SentencePiece model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertsmith.errors import UserError
from bertsmith.text.bytelevel import from_vocab_and_merges
from bertsmith.text.definition import Definition, Level, find_special, model_kind, names_by_id, token_table
from bertsmith.text.hints import Hints, read_object
from bertsmith.text.sentencepiece import from_model
from bertsmith.text.template import bert, roberta, write_template
from bertsmith.text.wordpiece import decide_level, from_vocab_txt, read_vocab_txt

_BERT_CLASSES = {"BertTokenizer", "RoFormerTokenizer", "ElectraTokenizer", "DistilBertTokenizer"}


def read_folder(folder: Path, level: Level | None = None) -> Definition:
    """Read the tokenizer of a folder; the first of the four kinds of files that exists counts.

    `level` None asks the files whether Chinese is cut into characters or words.

    Raises:
        UserError: there is no such folder, no tokenizer in it, or a file of it is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder} to read a tokenizer from", code="not_found", where=str(folder))
    hints = Hints.from_folder(folder)
    definition = _read(folder, hints, level)
    kept = {name: hints.settings[name] for name in ("model_max_length",) if name in hints.settings}
    if hints.tokenizer_class is not None:
        kept["tokenizer_class"] = hints.tokenizer_class
    return replace(definition, settings=kept)


def _read(folder: Path, hints: Hints, level: Level | None) -> Definition:
    if (folder / "tokenizer.json").is_file():
        return from_tokenizer_json(folder / "tokenizer.json", hints, level)
    if (folder / "vocab.txt").is_file():
        return from_vocab_txt(folder / "vocab.txt", hints, level)
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return from_vocab_and_merges(folder / "vocab.json", folder / "merges.txt", hints)
    models = [folder / name for name in ("spiece.model", "sentencepiece.bpe.model") if (folder / name).is_file()]
    models += sorted(folder.glob("*.model"))
    if models:
        return from_model(models[0], hints)
    present = ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing"
    raise UserError(
        f"{folder}: no tokenizer there; looked for tokenizer.json, vocab.txt, vocab.json with merges.txt, "
        f"spiece.model and *.model, found {present}",
        code="no_tokenizer",
        where=str(folder),
    )


def from_tokenizer_json(path: Path, hints: Hints, level: Level | None = None) -> Definition:
    """A tokenizer.json, its truncation and padding left out.

    Where tokenizer_config.json contradicts it about lower-casing, that counts, as in transformers.

    Raises:
        UserError: the file is not a tokenizer, or lacks a special token.
    """
    backend = {**read_object(path), "truncation": None, "padding": None}
    if not isinstance(backend.get("model"), dict) or not backend["model"].get("vocab"):
        raise UserError(
            f"{path}: not a tokenizer.json: no model with a vocabulary in it", code="bad_tokenizer", where=str(path)
        )
    table = token_table(backend)
    special = find_special(table, hints.special_names, where=str(path))
    names = _with_vocab_txt(names_by_id(table), path.with_name("vocab.txt"), table)
    if backend.get("post_processor") is None:
        template = roberta(special) if names[special.cls] == "<s>" else bert(special)
        backend["post_processor"] = write_template(template, names)
    backend["normalizer"] = _as_configured(backend.get("normalizer"), hints)
    if model_kind(backend) != "WordPiece":
        return Definition(backend, names, special)
    level, assumptions = decide_level(names, hints, level, where=path.name)
    if level == "word" and (backend["normalizer"] or {}).get("type") != "BertNormalizer":
        message = f"{path}: words can only be found with BERT's normaliser, this file has another; use level character"
        raise UserError(message, code="bad_tokenizer", where=str(path))
    return Definition(backend, names, special, level, assumptions=assumptions)


def _with_vocab_txt(names: tuple[str, ...], vocab: Path, table: Mapping[str, int]) -> tuple[str, ...]:
    """Take the names a tokenizer.json cannot hold, those that stand twice, from the vocab.txt beside it."""
    if not vocab.is_file():
        return names
    lines = read_vocab_txt(vocab)
    agree = {name: number for number, name in enumerate(lines)}.items() <= table.items()
    return lines + names[len(lines) :] if agree else names


def _as_configured(normalizer: dict[str, Any] | None, hints: Hints) -> dict[str, Any] | None:
    if normalizer is None or normalizer["type"] != "BertNormalizer" or hints.tokenizer_class not in _BERT_CLASSES:
        return normalizer
    spelled = {
        "lowercase": "do_lower_case",
        "handle_chinese_chars": "tokenize_chinese_chars",
        "strip_accents": "strip_accents",
    }
    said = {
        name: hints.settings[spelling] for name, spelling in spelled.items() if hints.settings.get(spelling) is not None
    }
    return {**normalizer, **said}
