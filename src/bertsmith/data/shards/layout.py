"""What a folder of shards holds.

A shard is a part of the corpus: `shard-00000.bin` token ids, `.flags` one byte a token, `.lines`
the first token of every sentence, `.documents` the first sentence of every document. `meta.json`,
written last, says what they were made from and how to prove them whole. No special tokens inside.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Integer, UInt8

from bertsmith.config import Config

FORMAT = 1
META = "meta.json"

WORD = 1
"""First token of a word."""
LINE = 2
"""First token of a sentence: of a line of the corpus, or of a sentence inside it."""
DOCUMENT = 4
"""First token of a document."""
ENTITY = 8
"""First token of a phrase or named entity."""
INSIDE = 16
"""Token of a phrase or named entity, the first one too."""

FilePart = Literal["bin", "flags", "lines", "documents"]
PLACES = np.dtype("<u4")
"""How `.lines` and `.documents` count, within the shard."""


@dataclass(frozen=True, slots=True)
class TokenRun:
    """Consecutive tokens of a corpus, and what begins at each of them."""

    token_ids: Integer[np.ndarray, "tokens"]
    flags: UInt8[np.ndarray, "tokens"]

    def __len__(self) -> int:
        return len(self.token_ids)

    def __getitem__(self, place: slice) -> "TokenRun":
        return TokenRun(self.token_ids[place], self.flags[place])


class ShardEntry(Config):
    """One shard: how much is in it, a hash of the text it was made of, and the hashes of its files.

    `documents` are those that begin in it, `pieces` also the rest of one that began in the shard before.
    """

    recipe: str
    text: str
    tokens: int
    sentences: int
    paragraphs: int
    documents: int
    pieces: int
    checksums: dict[FilePart, str]


class SourceEntry(Config):
    """A file of the corpus as it was read."""

    name: str
    size: int
    checksum: str


class ShardMeta(Config):
    """What the shards were made from. `recipe` stands for all that decides their content but the texts.

    `excluded` paragraphs of the corpus were left out.
    """

    format: int
    tokenizer: str
    token_type: Literal["<u2", "<u4"]
    words: str
    entities: str | None
    recipe: str
    tokens: int
    paragraphs: int
    documents: int
    excluded: int = 0
    sources: tuple[SourceEntry, ...]
    shards: tuple[ShardEntry, ...]


def shard_name(number: int, part: str) -> str:
    """The name of one file of a shard."""
    return f"shard-{number:05d}.{part}"


def token_type(vocab_size: int) -> Literal["<u2", "<u4"]:
    """Two bytes a token where they suffice, else four."""
    return "<u2" if vocab_size < 1 << 16 else "<u4"
