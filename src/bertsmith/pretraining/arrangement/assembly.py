"""Runs of tokens with the special ones around them: a passage with its units."""

from typing import Literal

import numpy as np

from bertsmith.data.shards import TokenRun
from bertsmith.pretraining.arrangement.cuts import Kind
from bertsmith.pretraining.arrangement.units import separated, units_of
from bertsmith.pretraining.passage import Passage
from bertsmith.text import Tokenizer
from bertsmith.text.template import Slot


def single(run: TokenRun, tokenizer: Tokenizer) -> Passage:
    """One text, a separator between documents."""
    units = separated(run, tokenizer.special.sep)
    lead = _place(tokenizer.template.single, "first")
    return Passage(tokenizer.assemble(units.token_ids), units.words + lead, units.entities + lead)


def pair(here: TokenRun, there: TokenRun, kind: Kind, tokenizer: Tokenizer) -> Passage:
    """Two segments as they stand, and how they are related."""
    first, second = units_of(here), units_of(there)
    template = tokenizer.template.pair
    lead, behind = _place(template, "first"), _place(template, "second") + len(here) - 1
    example = tokenizer.assemble(first.token_ids, second.token_ids)
    words = np.concatenate([first.words + lead, second.words + behind]).astype(np.int32)
    entities = np.concatenate([first.entities + lead, second.entities + behind]).astype(np.int32)
    return Passage(example, words, entities, int(kind != Kind.PAIR))


def source_and_target(here: TokenRun, there: TokenRun, tokenizer: Tokenizer) -> Passage:
    """Two segments, 0 and 1 in every family, without a relation.

    The last separator counts as the last word of the target: asked for like others, it teaches where to stop
    (Dong et al. 2019, arXiv 1905.03197 §2.5; only there are targets written, so here it is learned beforehand).
    """
    first, second = units_of(here), units_of(there)
    example = tokenizer.assemble_target(first.token_ids, second.token_ids)
    lead, end = tokenizer.template.before, len(example)
    behind = end - len(there) - 1
    words = np.concatenate([first.words + lead, second.words + behind, [[end - 1, end]]]).astype(np.int32)
    entities = np.concatenate([first.entities + lead, second.entities + behind]).astype(np.int32)
    return Passage(example, words, entities)


def _place(template: tuple[Slot, ...], content: Literal["first", "second"]) -> int:
    return [slot.content for slot in template].index(content)
