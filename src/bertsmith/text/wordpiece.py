"""WordPiece from a vocab.txt, where the number of a line is the id (Devlin et al. 2019)."""

import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertsmith.errors import UserError
from bertsmith.text.characters import HAN
from bertsmith.text.definition import Definition, Level, added_specials, find_special
from bertsmith.text.hints import Hints, read_text
from bertsmith.text.template import bert, write_template

_CHINESE_WORD = re.compile(rf"[{HAN}]{{2,}}")


def from_vocab_txt(path: Path, hints: Hints, level: Level | None = None) -> Definition:
    """A WordPiece tokenizer from a vocab.txt and what the files beside it say.

    Raises:
        UserError: the vocabulary is unreadable or lacks a special token.
    """
    names = read_vocab_txt(path)
    assumptions = []
    if (lower_case := hints.flag("do_lower_case")) is None:
        lower_case = not is_cased(names)
        found = "no capital letters: texts are lower-cased" if lower_case else "capital letters: texts keep theirs"
        assumptions.append(f"nothing beside {path.name} says whether to lower-case, but it has {found}")
    level, noted = decide_level(names, hints, level, where=path.name)
    return wordpiece(
        names,
        normalizer=bert_normalizer(
            lower_case=lower_case,
            strip_accents=hints.flag("strip_accents"),
            chinese_characters=hints.flag("tokenize_chinese_chars") is not False,
        ),
        level=level,
        special_names=hints.special_names,
        assumptions=(*assumptions, *noted),
        where=str(path),
    )


def decide_level(
    names: Sequence[str], hints: Hints, asked: Level | None, *, where: str
) -> tuple[Level, tuple[str, ...]]:
    """Whether Chinese is cut into characters or words: as asked, as the files say, or as the vocabulary shows."""
    said = asked or hints.level
    if said is not None:
        return said, ()
    if has_chinese_words(names):
        return "word", (f"{where} holds many Chinese words: Chinese is cut into words first (WoBERT, RoFormer)",)
    return "character", ()


def wordpiece(
    names: Sequence[str],
    *,
    normalizer: Mapping[str, Any],
    level: Level = "character",
    special_names: Mapping[str, str] | None = None,
    assumptions: tuple[str, ...] = (),
    where: str = "vocabulary",
) -> Definition:
    """A WordPiece tokenizer from the names of its ids; of a name that stands twice the last id counts.

    Raises:
        UserError: a special token is missing.
    """
    names = tuple(names)
    vocabulary = {name: number for number, name in enumerate(names)}
    special = find_special(vocabulary, special_names or {}, where=where)
    backend = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_specials(names, special),
        "normalizer": dict(normalizer),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": write_template(bert(special), names),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": names[special.unk],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }
    return Definition(backend, names, special, level, assumptions=assumptions)


def bert_normalizer(*, lower_case: bool, strip_accents: bool | None, chinese_characters: bool = True) -> dict[str, Any]:
    """BERT's normaliser in the spelling of tokenizer.json; `strip_accents` None follows `lower_case`."""
    return {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": chinese_characters,
        "strip_accents": strip_accents,
        "lowercase": lower_case,
    }


def read_vocab_txt(path: Path) -> tuple[str, ...]:
    """The lines of a vocab.txt, empty and repeated ones included: the line number is the id.

    Raises:
        UserError: the file is empty or not UTF-8.
    """
    lines = re.split(r"\r?\n", read_text(path))
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise UserError(f"{path}: the vocabulary is empty; fetch it again", code="bad_vocabulary", where=str(path))
    return tuple(lines)


def is_cased(names: Sequence[str]) -> bool:
    """Whether most capital letters are entries of their own: a lower-cased vocabulary has none."""
    return len(set(string.ascii_uppercase) & set(names)) > len(string.ascii_uppercase) // 2


def has_chinese_words(names: Sequence[str]) -> bool:
    """Whether more than one entry in twenty is a Chinese word, which cutting into characters never reaches."""
    return 20 * sum(_CHINESE_WORD.fullmatch(name) is not None for name in names) > len(names)
