"""The objectives of the papers by name, each with the paper's values; every value can be set otherwise."""

from bertsmith.encoder import Causal, Permutation, PrefixLM, RightToLeft
from bertsmith.pretraining.arrangement import (
    Block,
    DocumentSentences,
    FullSentences,
    NextSentence,
    SentenceOrder,
    SourceTarget,
)
from bertsmith.pretraining.corruption import Corruption
from bertsmith.pretraining.generator import ReplacedTokens
from bertsmith.pretraining.lengths import Geometric, Ngrams, Repeated, Spaced
from bertsmith.pretraining.loss_heads import MaskedTokens, NextToken, PairRelation, SpanBoundary
from bertsmith.pretraining.objective import Losses, Objective, Variant
from bertsmith.pretraining.replacement import Replace
from bertsmith.pretraining.selection import Select

_TOKENS = Losses(masked_tokens=MaskedTokens())
_TOKENS_AND_PAIRS = Losses(masked_tokens=MaskedTokens(), pair_relation=PairRelation())
_WORDS = Corruption(select=Select(units="words"))
_ENTITIES = Corruption(select=Select(units="entities"))

OBJECTIVES: dict[str, Objective] = {
    "bert": Objective(
        # Devlin et al. 2019, arXiv 1810.04805 §3.1: single tokens, static masks in ten copies, next sentence
        arrange=NextSentence(),
        corrupt=Corruption(),
        losses=_TOKENS_AND_PAIRS,
        copies=10,
    ),
    "roberta": Objective(
        # Liu et al. 2019, arXiv 1907.11692 §4: dynamic masks, full sentences, nothing else
        arrange=FullSentences(),
        corrupt=Corruption(),
        losses=_TOKENS,
    ),
    "wwm": Objective(
        # Cui et al. 2021, arXiv 1906.08101: whole words, replaced piece by piece; without next sentence, as
        # RoBERTa-wwm-ext, which reads pairs all the same where this reads full sentences
        arrange=FullSentences(),
        corrupt=_WORDS,
        losses=_TOKENS,
    ),
    "ernie": Objective(
        # Sun et al. 2019, arXiv 1904.09223 §3.2: basic units, then phrases, then entities; phrases are
        # the segmenter's words, and word lists of phrases and names have their turn in the last stage
        arrange=DocumentSentences(),
        corrupt=Corruption(select=Select(units="characters")),
        losses=_TOKENS,
        stages={
            "basic": Variant(share=1 / 3),
            "phrase": Variant(share=1 / 3, corrupt=_WORDS),
            "entity": Variant(share=1 / 3, corrupt=_ENTITIES),
        },
    ),
    "spanbert": Objective(
        # Joshi et al. 2020, arXiv 1907.10529 §3: spans of words, replaced as a whole, and their borders
        arrange=Block(),
        corrupt=Corruption(
            select=Select(units="words", length=Geometric(), budget="ceiling"),
            replace=Replace(each="span"),
        ),
        losses=Losses(masked_tokens=MaskedTokens(), span_boundary=SpanBoundary()),
    ),
    "macbert": Objective(
        # Cui et al. 2020, arXiv 2004.13922 §3.2: n-grams of words, each replaced by a similar word; sentence order
        arrange=SentenceOrder(),
        corrupt=Corruption(
            select=Select(units="words", length=Ngrams(shares=(0.4, 0.3, 0.2, 0.1))),
            replace=Replace(mask=0.0, similar=0.8, random=0.1, same=0.1, each="unit"),
        ),
        losses=_TOKENS_AND_PAIRS,
    ),
    "electra": Objective(
        # Clark et al. 2020, arXiv 2003.10555 §2, and the authors' code: 85 % masked, the rest as it is
        arrange=DocumentSentences(),
        corrupt=Corruption(select=Select(length=Repeated()), replace=Replace(mask=0.85, random=0.0, same=0.15)),
        losses=Losses(replaced_tokens=ReplacedTokens()),
    ),
    "albert": Objective(
        # Lan et al. 2020, arXiv 1909.11942 §3.1 and §4.1: n-grams of words with shares 1/n, sentence order; drawn
        # anew in every epoch instead of 40 copies, and without their cap of 20 places, which binds above 133 tokens
        arrange=SentenceOrder(),
        corrupt=Corruption(select=Select(units="words", length=Ngrams(shares=(1.0, 1 / 2, 1 / 3)))),
        losses=_TOKENS_AND_PAIRS,
    ),
    "unilm": Objective(
        # Dong et al. 2019, arXiv 1905.03197 §2.3 and §2.4: one encoder under four masks; segments are 0
        # and 1 in all of them, so that BERT's two can be gone on with, where the paper has six
        arrange=NextSentence(),
        corrupt=Corruption(select=Select(length=Ngrams(shares=(0.8, 0.1, 0.1)))),
        losses=_TOKENS_AND_PAIRS,
        mixture={
            "bidirectional": Variant(share=1 / 3),
            "sequence_to_sequence": Variant(share=1 / 3, arrange=SourceTarget(), attend=PrefixLM(), losses=_TOKENS),
            "left_to_right": Variant(share=1 / 6, arrange=DocumentSentences(), attend=Causal(), losses=_TOKENS),
            "right_to_left": Variant(share=1 / 6, arrange=DocumentSentences(), attend=RightToLeft(), losses=_TOKENS),
        },
    ),
    "permutation": Objective(
        # Yang et al. 2019, arXiv 1906.08237 §2.3: a sixth of the tokens, asked for in a random order
        arrange=DocumentSentences(),
        corrupt=Corruption(
            select=Select(rate=1 / 6, length=Spaced(longest=5)),
            replace=Replace(mask=0.0, random=0.0, same=1.0),
        ),
        attend=Permutation(),
        losses=_TOKENS,
    ),
    "gpt": Objective(
        # Radford et al. 2018: every token from those before it
        arrange=FullSentences(),
        corrupt=None,
        attend=Causal(),
        losses=Losses(next_token=NextToken()),
    ),
}
"""Every named objective."""
