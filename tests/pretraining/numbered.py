"""Shards whose token ids say where the token stands in the corpus, so that every passage can be traced back."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bertsmith.data.corpus import Corpus
from bertsmith.data.shards import Annotator, ShardSet, TokenRun, build_shards
from bertsmith.pretraining.passage import Passage
from bertsmith.text import LatinSegmenter, Tokenizer
from bertsmith.text.template import roberta, write_template
from tests.data.corpora import tokenizer, write

FIRST = 10
"""The id of the corpus' first token; smaller ones are special."""


@dataclass(frozen=True)
class Numbering(Annotator):
    """Annotates as usual, then gives each token the number of its place."""

    count: list[int] = field(default_factory=lambda: [FIRST])

    def annotate(self, paragraphs):
        run = super().annotate(paragraphs)
        self.count[0] += len(run)
        return TokenRun(np.arange(self.count[0] - len(run), self.count[0]).astype(np.uint16), run.flags)


def numbered(folder: Path, texts: list[list[str]], *, characters: int = 1_000_000) -> ShardSet:
    corpus = Corpus(paths=(write(folder / "corpus.txt", texts),))
    made = build_shards(corpus, folder / "shards", Numbering(tokenizer(), LatinSegmenter()), characters=characters)
    assert made.tokens < 60_000
    return made


def without_segments() -> Tokenizer:
    """The same vocabulary under RoBERTa's template."""
    definition = tokenizer().definition
    template = write_template(roberta(definition.special), definition.names)
    return Tokenizer(replace(definition, backend={**definition.backend, "post_processor": template}))


def places(passage: Passage) -> np.ndarray:
    """Where the tokens stand in the corpus; -1 for special tokens."""
    ids = passage.example.token_ids
    return np.where(ids >= FIRST, ids - FIRST, -1)


def segments(passage: Passage) -> list[np.ndarray]:
    """The places of each text of a passage, parted where special tokens stand."""
    found = places(passage)
    texts = np.split(found, np.flatnonzero(found < 0))
    return [text[text >= 0] for text in texts if (text >= 0).any()]
