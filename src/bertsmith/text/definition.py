"""What makes a tokenizer, as data: the content of a tokenizer.json and what it leaves unsaid."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from bertsmith.errors import UserError
from bertsmith.text.tokenized import SpecialTokens

Level = Literal["character", "word"]
"""What a Chinese token is: one character (BERT), or a word by segmentation (WoBERT, RoFormer)."""

ROLES: dict[str, tuple[str, ...]] = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
}
"""The usual names of the special tokens."""


@dataclass(frozen=True)
class Definition:
    """A tokenizer before it is built.

    `backend` is a tokenizer.json without truncation and padding; `names` the name of every id, the
    lines of vocab.txt where there is one (a name may stand twice, ERNIE; or be empty, WoBERT);
    `settings` the tokenizer_config.json to write; `assumptions` what the files left unsaid.
    """

    backend: dict[str, Any]
    names: tuple[str, ...]
    special: SpecialTokens
    level: Level = "character"
    settings: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The model inside: WordPiece, BPE, Unigram, WordLevel."""
        return model_kind(self.backend)

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Every id that no user text may ever become."""
        added = self.backend.get("added_tokens") or ()
        return self.special.ids() | {int(token["id"]) for token in added if token.get("special")}

    @cached_property
    def fingerprint(self) -> str:
        """Equal for equal behaviour: a hash of the backend, the names, the special tokens and the level."""
        content = [self.backend, self.names, self.special.model_dump(), self.level]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def model_kind(backend: Mapping[str, Any]) -> str:
    """The model inside a tokenizer.json; older files do not name it."""
    model = backend["model"]
    if model.get("type"):
        return str(model["type"])
    if "merges" in model:
        return "BPE"
    return "Unigram" if isinstance(model.get("vocab"), list) else "WordPiece"


def token_table(backend: Mapping[str, Any]) -> dict[str, int]:
    """Token -> id, added tokens included."""
    vocabulary = backend["model"]["vocab"]
    if isinstance(vocabulary, list):
        table = {str(entry[0]): number for number, entry in enumerate(vocabulary)}
    else:
        table = {str(token): int(number) for token, number in vocabulary.items()}
    return table | {str(token["content"]): int(token["id"]) for token in backend.get("added_tokens") or ()}


def names_by_id(table: Mapping[str, int]) -> tuple[str, ...]:
    """The name of every id up to the largest; an id without a token has the empty name."""
    names = [""] * (max(table.values(), default=-1) + 1)
    for token, number in table.items():
        names[number] = token
    return tuple(names)


def find_special(table: Mapping[str, int], named: Mapping[str, str], *, where: str) -> SpecialTokens:
    """The special tokens by the names the files give (`{"cls": "[CLS]"}`), else by their usual names.

    Raises:
        UserError: one that an encoder needs is not in the vocabulary.
    """
    found: dict[str, int | None] = {}
    for role, usual in ROLES.items():
        candidates = ((named[role],) if role in named else ()) + usual
        found[role] = next((table[name] for name in candidates if name in table), None)
    missing = [role for role, number in found.items() if number is None and role != "mask"]
    if missing:
        wanted = ", ".join(f"{role} ({' or '.join(ROLES[role])})" for role in missing)
        raise UserError(
            f"{where}: the vocabulary has no token for {wanted}; "
            "an encoder needs them: add them, or name them in special_tokens_map.json",
            code="bad_vocabulary",
            where=where,
        )
    return SpecialTokens.model_validate(found)


def added_token(content: str, number: int) -> dict[str, Any]:
    """A special token in the spelling of tokenizer.json."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": content, **flags, "special": True}


def added_specials(names: tuple[str, ...], special: SpecialTokens) -> list[dict[str, Any]]:
    """The special tokens in the order of their ids, in the spelling of tokenizer.json."""
    return [added_token(names[number], number) for number in sorted(special.ids())]
