"""The arrangements of the papers: which consecutive tokens become one training text."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from bertsmith.config import Config
from bertsmith.data.shards import ShardSet
from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement.cuts import Kind, PairRule, blocks, pairs, runs
from bertsmith.pretraining.arrangement.sentences import Sentences
from bertsmith.pretraining.arrangement.source import PassageSource
from bertsmith.text import Tokenizer

Share = Annotated[float, Field(ge=0, le=1)]


class _Arranged(Config, ABC):
    """What all arrangements have in common: they cut shard by shard, and put special tokens around what they cut."""

    pair: ClassVar[bool] = False
    documents_needed: ClassVar[int] = 1

    def passages(
        self, shards: ShardSet, tokenizer: Tokenizer, *, max_length: int, seed: int, epoch: int
    ) -> PassageSource:
        """The texts of one epoch, none longer than `max_length` tokens with the special ones.

        Raises:
            UserError: `max_length` leaves no room for text, or the corpus has too few documents.
        """
        if shards.documents < self.documents_needed:
            names = ", ".join(source.name for source in shards.meta.sources)
            raise UserError(
                f"{names}: the second segment comes from another document, but the corpus has only one; "
                "put blank lines between documents, or say --set corpus.documents=line if every line is one",
                code="too_few_documents",
                where=names,
            )
        room = max_length - tokenizer.overhead(pair=self.pair)
        if room < 2:
            raise UserError(
                f"max_length {max_length} leaves room for {max(room, 0)} tokens of text beside the special tokens; "
                "choose more, 128 or 512 are usual",
                code="bad_setting",
            )
        return PassageSource(shards, tokenizer, self.cut, room, (seed, epoch))

    @abstractmethod
    def cut(self, sentences: Sentences, room: int, random: np.random.Generator) -> np.ndarray:
        """Cut the sentences of a shard into texts of at most `room` tokens."""


class FullSentences(_Arranged):
    """Whole sentences until the text is full, over the ends of documents, where a separator is put between.

    Liu et al. 2019 (RoBERTa, arXiv 1907.11692 §4.2, FULL-SENTENCES). Every token is in exactly one
    text of an epoch: a sentence longer than a text is cut.
    """

    kind: Literal["full_sentences"] = "full_sentences"

    def cut(self, sentences: Sentences, room: int, random: np.random.Generator) -> np.ndarray:
        """Cut the sentences of a shard into texts of at most `room` tokens."""
        return runs(sentences, room, between=1)


class DocumentSentences(_Arranged):
    """Whole sentences of one document until the text is full (RoBERTa §4.2, DOC-SENTENCES).

    The last text of a document is shorter; packing by tokens, not by texts, keeps batches full.
    """

    kind: Literal["document_sentences"] = "document_sentences"

    def cut(self, sentences: Sentences, room: int, random: np.random.Generator) -> np.ndarray:
        """Cut the sentences of a shard into texts of at most `room` tokens."""
        return runs(sentences, room, between=room + 1)


class Block(_Arranged):
    """One run of tokens, full to the last place, cut only where the document ends.

    Joshi et al. 2020 (SpanBERT, TACL 8 §4.2): single segments, no second sentence, none cut short by chance.
    """

    kind: Literal["block"] = "block"

    def cut(self, sentences: Sentences, room: int, random: np.random.Generator) -> np.ndarray:
        """Cut the documents of a shard into texts of at most `room` tokens."""
        return blocks(sentences, room)


class NextSentence(_Arranged):
    """Two segments: the second follows the first, or is from another document (Devlin et al. 2019 §3.1, appendix A.2).

    `random_share` of the pairs are random (relation 1), and those whose first segment is all there
    is left of its document. `short_share` of the documents are cut to a random shorter length.
    What a random segment stood in for is used next. Too long a pair loses tokens at the ends of its
    longer segment.
    """

    kind: Literal["next_sentence"] = "next_sentence"
    pair: ClassVar[bool] = True
    documents_needed: ClassVar[int] = 2
    short_share: Share = 0.1
    random_share: Share = 0.5

    def cut(self, sentences: Sentences, room: int, random: np.random.Generator) -> np.ndarray:
        """Cut the documents of a shard into pairs of at most `room` tokens."""
        rule = PairRule(Kind.PAIR, Kind.RANDOM, self.random_share, Kind.RANDOM, self.short_share)
        return pairs(sentences, room, rule, random)


class SentenceOrder(_Arranged):
    """Two consecutive segments, in their order or swapped (Lan et al. 2020, ALBERT §3.1; Cui et al. 2020, MacBERT).

    `swapped_share` of the pairs are swapped (relation 1). As in ALBERT's code, a sentence that is
    all there is left of its document is paired with one from another document (of its own, if there is no other),
    and counts as relation 1 too. Lengths as in `NextSentence`.
    """

    kind: Literal["sentence_order"] = "sentence_order"
    pair: ClassVar[bool] = True
    short_share: Share = 0.1
    swapped_share: Share = 0.5

    def cut(self, sentences: Sentences, room: int, random: np.random.Generator) -> np.ndarray:
        """Cut the documents of a shard into pairs of at most `room` tokens."""
        rule = PairRule(Kind.PAIR, Kind.SWAPPED, self.swapped_share, Kind.RANDOM, self.short_share)
        return pairs(sentences, room, rule, random)


class SourceTarget(_Arranged):
    """Two consecutive segments as source and target (Dong et al. 2019, UniLM, arXiv 1905.03197 §2.3).

    The source with its separator is in segment 0, the target in segment 1, whatever the family
    does, since the attention mask reads it there. A sentence that is all there is left of its
    document is halved.
    """

    kind: Literal["source_target"] = "source_target"
    pair: ClassVar[bool] = True
    short_share: Share = 0.0

    def cut(self, sentences: Sentences, room: int, random: np.random.Generator) -> np.ndarray:
        """Cut the documents of a shard into pairs of at most `room` tokens."""
        return pairs(sentences, room, PairRule(Kind.SOURCE, Kind.SOURCE, 0.0, None, self.short_share), random)


Arrangement = Annotated[
    FullSentences | DocumentSentences | Block | NextSentence | SentenceOrder | SourceTarget,
    Field(discriminator="kind"),
]
