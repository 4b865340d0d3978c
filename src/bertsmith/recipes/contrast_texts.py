"""Texts of a stage as the encoder reads them: tokens, what shortening cost, noise, and a teacher's vectors."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int

from bertsmith.batch import Example
from bertsmith.pretraining.corruption import Corruption
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.recipes.sentence_loading import load_sentence_bundle
from bertsmith.sentences.simbert import Noise
from bertsmith.text import ChineseSegmenter, Tokenizer
from bertsmith.text.shortening import Truncated, room_for, shorten
from bertsmith.text.words import word_spans


@dataclass(frozen=True, slots=True)
class ReadTexts:
    """The tokens of texts without special ones, at most as many as there is room for, and what that cost."""

    tokenizer: Tokenizer
    ids: list[Int[np.ndarray, "_"]]
    words: list[Int[np.ndarray, "_ 2"]] = field(default_factory=list)
    truncated: Truncated = field(default_factory=Truncated)
    full_lengths: Int[np.ndarray, "texts"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def examples(self) -> list[Example]:
        """Each text by itself, special tokens in place."""
        return [self.tokenizer.assemble(ids) for ids in self.ids]


def read_texts(
    texts: Sequence[str], tokenizer: Tokenizer, *, max_length: int, prompt: str = "", words: bool = False
) -> ReadTexts:
    """Tokenize texts and read their beginnings; `words` also finds the words, for noise.

    Raises:
        UserError: the length leaves no room for text.
    """
    room = room_for(max_length, tokenizer.overhead(pair=False), setting="max_length")
    tokenized = tokenizer.tokenize([prompt + text for text in texts] if prompt else texts)
    sizes = np.array([len(one.token_ids) for one in tokenized], dtype=np.int64)
    lost = np.maximum(sizes - room, 0)
    found: list[Int[np.ndarray, "_ 2"]] = []
    if words:
        segmenter = ChineseSegmenter()
        spans = (word_spans(prompt + text, one, segmenter) for text, one in zip(texts, tokenized, strict=True))
        found = [span[span[:, 1] <= room] for span in spans]
    return ReadTexts(
        tokenizer=tokenizer,
        ids=[shorten(one.token_ids, room, "head") for one in tokenized],
        words=found,
        truncated=Truncated(texts=int((lost > 0).sum()), tokens=int(lost.sum())),
        full_lengths=sizes + tokenizer.overhead(pair=False),
    )


def noise_for(corruption: Corruption | None, read: ReadTexts) -> Noise | None:
    """What spoils sources, with the words found by `read_texts`.

    Raises:
        UserError: the vocabulary has no [MASK], or similar words are wanted.
    """
    if corruption is None:
        return None
    vocabulary = VocabularyFacts.from_tokenizer(read.tokenizer)
    corruption.replace.require(vocabulary, None)
    none = np.zeros((0, 2), dtype=np.int64)

    def noise(text: int, rng: np.random.Generator) -> Int[np.ndarray, "_"]:
        ids = read.ids[text]
        if not len(ids):
            return ids
        passage = Passage(Example(ids, np.zeros(len(ids), dtype=np.int64)), read.words[text], none)
        return corruption.corrupt(passage, vocabulary, rng).token_ids

    return noise


def teacher_vectors(
    teacher: str, texts: Sequence[str], device: torch.device
) -> tuple[Float[np.ndarray, "texts width"], str]:
    """What a teacher makes of the texts, and a hash of it.

    Raises:
        UserError: there is no such teacher, or it cannot read them.
    """
    vectors = load_sentence_bundle(teacher).encode(texts, device=device).vectors
    return vectors, hashlib.sha256(np.ascontiguousarray(vectors).tobytes()).hexdigest()
