"""Runs of tokens with the special ones around them: a passage with its units."""

from typing import Literal

import numpy as np

from bertsmith.batch import Example
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
    """Two segments as they stand; a SOURCE has no relation, and its segments are 0 and 1 in every family."""
    first, second = units_of(here), units_of(there)
    template = tokenizer.template.pair
    lead, behind = _place(template, "first"), _place(template, "second") + len(here) - 1
    example = tokenizer.assemble(first.token_ids, second.token_ids)
    if kind == Kind.SOURCE:
        example = Example(example.token_ids, (np.arange(len(example)) >= behind).astype(np.int32))
    return Passage(
        example,
        np.concatenate([first.words + lead, second.words + behind]).astype(np.int32),
        np.concatenate([first.entities + lead, second.entities + behind]).astype(np.int32),
        None if kind == Kind.SOURCE else int(kind != Kind.PAIR),
    )


def _place(template: tuple[Slot, ...], content: Literal["first", "second"]) -> int:
    return [slot.content for slot in template].index(content)
