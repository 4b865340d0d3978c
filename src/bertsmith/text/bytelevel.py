"""Byte-level BPE from vocab.json and merges.txt (RoBERTa, Liu et al. 2019; GPT-2's encoding)."""

from pathlib import Path
from typing import Any

from bertsmith.errors import UserError
from bertsmith.text.definition import Definition, added_specials, find_special, names_by_id
from bertsmith.text.hints import Hints, read_object, read_text
from bertsmith.text.template import roberta, write_template


def from_vocab_and_merges(vocab: Path, merges: Path, hints: Hints) -> Definition:
    """A byte-level BPE tokenizer with RoBERTa's template.

    Raises:
        UserError: a file is unreadable, or a special token is missing.
    """
    table = read_object(vocab)
    if not table or not all(isinstance(number, int) for number in table.values()):
        raise UserError(f"{vocab}: an object of token: id is needed", code="bad_vocabulary", where=str(vocab))
    names = names_by_id(table)
    special = find_special(table, hints.special_names, where=str(vocab))
    spaced = {"add_prefix_space": hints.flag("add_prefix_space") is True, "trim_offsets": True}
    backend = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_specials(names, special),
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", **spaced, "use_regex": True},
        "post_processor": write_template(roberta(special), names),
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": _model(table, merges, unk=None),
    }
    return Definition(backend, names, special)


def _model(table: dict[str, int], merges: Path, *, unk: str | None) -> dict[str, Any]:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": unk,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": table,
        "merges": _read_merges(merges),
    }


def _read_merges(path: Path) -> list[list[str]]:
    rules = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or (number == 1 and line.startswith("#version")):
            continue
        pair = line.split(" ")
        if len(pair) != 2:
            where = f"{path}:{number}"
            raise UserError(
                f"{where}: a merge is two tokens and one space, got {line!r}", code="bad_vocabulary", where=where
            )
        rules.append(pair)
    return rules
