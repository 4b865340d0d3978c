"""Characters -> token ids with their places in the text, and back."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Integer
from tokenizers.normalizers import BertNormalizer

from bertsmith.batch.example import Example
from bertsmith.text.backend import Backend
from bertsmith.text.characters import HAN
from bertsmith.text.definition import Definition, Level, token_table
from bertsmith.text.pieces import batches, joined
from bertsmith.text.reading import read_folder
from bertsmith.text.saving import save_folder
from bertsmith.text.template import Template, read_template
from bertsmith.text.tokenized import SpecialTokens, Tokenized
from bertsmith.text.wordlevel import WordLookup

MUCH_UNKNOWN = 0.01
"""Share of unknown tokens that is worth saying."""
_SPACE_BESIDE_CHINESE = re.compile(rf"(?<=[{HAN}，。！？；：、]) | (?=[{HAN}，。！？；：、])")


class Tokenizer:
    """One family's way from texts to token ids, the special tokens, and the way back.

    A special token written in a text ("[SEP]") is text like any other: only `assemble` ever places
    special tokens, so nobody can inject one. Lone surrogates count as U+FFFD. Texts of any length
    are tokenized; truncation is the business of others.
    """

    def __init__(self, definition: Definition, *, where: str = "tokenizer") -> None:
        self.definition = definition
        self.template: Template = read_template(definition.backend, definition.special)
        backend = Backend(definition, where=where)
        self._decoder = backend.tokenizer.decoder
        self._encode: Backend | WordLookup = backend
        if definition.level == "word":
            self._encode = WordLookup(backend, token_table(definition.backend), _unspaced(definition))

    @classmethod
    def from_folder(cls, folder: Path, *, level: Level | None = None) -> "Tokenizer":
        """Read the tokenizer of a folder in the Hugging Face layout.

        `level` says whether Chinese is cut into characters or, as WoBERT and RoFormer want it,
        into words; None asks the files. What had to be assumed stands in `assumptions`.

        Raises:
            UserError: there is no tokenizer, a file is damaged, or a special token is missing.
        """
        return cls(read_folder(Path(folder), level), where=str(folder))

    @property
    def vocab_size(self) -> int:
        """The largest id plus one; empty and repeated lines of a vocab.txt count."""
        return len(self.definition.names)

    @property
    def special(self) -> SpecialTokens:
        """The ids of the special tokens by role."""
        return self.definition.special

    @property
    def special_ids(self) -> frozenset[int]:
        """Every id that stands for no text."""
        return self.definition.special_ids

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the files left unsaid, and what was assumed."""
        return self.definition.assumptions

    @property
    def fingerprint(self) -> str:
        """Equal for tokenizers that do the same."""
        return self.definition.fingerprint

    def tokenize(self, texts: Sequence[str]) -> list[Tokenized]:
        """Tokenize texts, without special tokens and without truncation."""
        parts: list[list[tuple[int, Tokenized]]] = [[] for _ in texts]
        for batch in batches(texts, self._encode.cut):
            made = self._encode([piece.text for piece in batch])
            for piece, tokenized in zip(batch, made, strict=True):
                parts[piece.number].append((piece.start, tokenized))
        return [joined(part) for part in parts]

    def assemble(self, first: np.ndarray, second: np.ndarray | None = None) -> Example:
        """Put the special tokens around the token ids of one text or of a pair."""
        return self.template.assemble(first, second)

    def assemble_target(self, source: np.ndarray, target: np.ndarray) -> Example:
        """A text and what is to be written after it: `[CLS] source [SEP]` in segment 0, `target [SEP]` in segment 1.

        In every family, whatever its pairs look like (Dong et al. 2019, arXiv 1905.03197 §2.3): a prefix mask
        tells the two apart by their segments alone.
        """
        before = self.template.assemble(source).token_ids
        token_ids = np.concatenate([before, target, [self.special.sep]]).astype(np.int32)
        return Example(token_ids, (np.arange(len(token_ids)) >= len(before)).astype(np.int32))

    def overhead(self, *, pair: bool) -> int:
        """How many special tokens `assemble` adds."""
        return self.template.overhead(pair=pair)

    def tokens(self, token_ids: Sequence[int] | np.ndarray) -> list[str]:
        """The name of every id.

        Raises:
            IndexError: an id is not of this vocabulary.
        """
        numbers = [int(number) for number in token_ids]
        if numbers and min(numbers) < 0:
            raise IndexError(f"no token has the id {min(numbers)}")
        return [self.definition.names[number] for number in numbers]

    def decode(self, token_ids: Sequence[int] | np.ndarray) -> str:
        """Text for people to read: no [CLS], [SEP] and [PAD], no spaces between Chinese characters."""
        left_out = {self.special.pad, self.special.cls, self.special.sep}
        shown = [int(number) for number in token_ids if int(number) not in left_out]
        return _SPACE_BESIDE_CHINESE.sub("", self._decoder.decode(self.tokens(shown)))

    def save(self, folder: Path) -> None:
        """Write the folder so that transformers, and `from_folder`, make the same tokens of it.

        Raises:
            UserError: the folder cannot be written.
        """
        save_folder(self.definition, Path(folder))


def unknown_share(texts: Iterable[Integer[np.ndarray, "_"]], tokenizer: Tokenizer) -> float:
    """The share of tokens the vocabulary does not know, over the token ids of all texts; 0 where there are none."""
    total = unknown = 0
    for token_ids in texts:
        total += len(token_ids)
        unknown += int((token_ids == tokenizer.special.unk).sum())
    return unknown / total if total else 0.0


def unknown_notes(name: str, texts: Iterable[Integer[np.ndarray, "_"]], tokenizer: Tokenizer) -> tuple[str, ...]:
    """What to say where more than `MUCH_UNKNOWN` of the tokens are unknown: the model cannot tell them apart."""
    share = unknown_share(texts, tokenizer)
    if share <= MUCH_UNKNOWN:
        return ()
    return (
        f"{name}: {100 * share:.2g} % of the tokens are unknown to the vocabulary, which the model cannot tell apart; "
        "take a model made for this language and script, or add tokens (bertsmith vocabulary extend)",
    )


def _unspaced(definition: Definition) -> BertNormalizer:
    """The tokenizer's normaliser without the spaces around Chinese characters: words are still to be found."""
    normalizer = definition.backend["normalizer"]
    return BertNormalizer(
        clean_text=normalizer["clean_text"],
        handle_chinese_chars=False,
        strip_accents=normalizer["strip_accents"],
        lowercase=normalizer["lowercase"],
    )
