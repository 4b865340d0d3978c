"""Paragraphs to tokens, and what begins at each of them: words, sentences, documents, entities."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.config import Config
from bertsmith.data.corpus import Paragraph
from bertsmith.data.shards.layout import DOCUMENT, ENTITY, FORMAT, INSIDE, LINE, WORD, TokenRun, token_type
from bertsmith.text import Segmenter, Tokenized, Tokenizer, word_spans
from bertsmith.text.entities import EntityLexicon, entity_spans
from bertsmith.text.sentences import sentence_starts

_CHARACTERS_AT_ONCE = 100_000


@dataclass(frozen=True)
class Annotator:
    """What a token, a word and an entity is in these shards."""

    tokenizer: Tokenizer
    segmenter: Segmenter
    entities: EntityLexicon | None = None

    @property
    def words(self) -> str:
        """The segmenter as a text, equal for equal ones."""
        return self.segmenter.model_dump_json() if isinstance(self.segmenter, Config) else repr(self.segmenter)

    @property
    def fingerprint(self) -> str:
        """Equal for annotators that do the same."""
        entities = self.entities.fingerprint if self.entities else ""
        content = f"{FORMAT}\n{self.tokenizer.fingerprint}\n{self.words}\n{entities}"
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()

    def annotate(self, paragraphs: Sequence[Paragraph]) -> TokenRun:
        """Tokenize paragraphs and mark where units begin; a paragraph without a token leaves no trace."""
        texts = [paragraph.text for paragraph in paragraphs]
        batches = [self._annotated(batch) for batch in _batches(texts)]
        token_ids = np.concatenate([run.token_ids for run, _ in batches])
        flags = np.concatenate([run.flags for run, _ in batches])
        lengths = np.concatenate([lengths for _, lengths in batches])
        begins = (np.cumsum(lengths) - lengths)[[paragraph.opens for paragraph in paragraphs]]
        flags[begins[begins < len(flags)]] |= DOCUMENT
        return TokenRun(token_ids, flags)

    def _annotated(self, texts: Sequence[str]) -> tuple[TokenRun, Int[np.ndarray, "texts"]]:
        """All texts in one sweep, joined by line ends, which no word and no entity crosses; and their lengths."""
        tokenized = self.tokenizer.tokenize(texts)
        bases = np.cumsum([0, *(len(text) + 1 for text in texts[:-1])])
        joined, text = _joined(tokenized, bases), "\n".join(texts)
        flags = np.zeros(len(joined), dtype=np.uint8)
        flags[word_spans(text, joined, self.segmenter)[:, 0]] |= WORD
        flags[_sentences(texts, bases, joined)] |= LINE
        if self.entities is not None:
            _mark_entities(flags, entity_spans(text, joined, self.entities))
        token_ids = joined.token_ids.astype(token_type(self.tokenizer.vocab_size))
        return TokenRun(token_ids, flags), np.array([len(part) for part in tokenized])


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = size = 0
    for number, text in enumerate(texts):
        size += len(text)
        if size >= _CHARACTERS_AT_ONCE or number == len(texts) - 1:
            yield texts[start : number + 1]
            start, size = number + 1, 0


def _joined(tokenized: Sequence[Tokenized], bases: Int[np.ndarray, "texts"]) -> Tokenized:
    offsets = [part.offsets + np.int32(base) for part, base in zip(tokenized, bases, strict=True)]
    return Tokenized(np.concatenate([part.token_ids for part in tokenized]), np.concatenate(offsets))


def _sentences(
    texts: Sequence[str], bases: Int[np.ndarray, "texts"], tokenized: Tokenized
) -> Int[np.ndarray, "sentences"]:
    """The first token of every sentence; marks that are no token (control characters) do not count."""
    starts = [base + start for text, base in zip(texts, bases.tolist(), strict=True) for start in sentence_starts(text)]
    tokens = np.searchsorted(tokenized.offsets[:, 0], starts)
    return tokens[tokens < len(tokenized)]


def _mark_entities(flags: np.ndarray, spans: Int[np.ndarray, "entities 2"]) -> None:
    flags[spans[:, 0]] |= ENTITY
    depth = np.zeros(len(flags) + 1, dtype=np.int32)
    depth[spans[:, 0]] += 1
    np.subtract.at(depth, spans[:, 1], 1)
    flags[np.cumsum(depth[:-1]) > 0] |= INSIDE
