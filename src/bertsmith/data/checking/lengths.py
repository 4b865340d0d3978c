"""Texts as the model will see them: lengths in tokens, what truncation loses, what the vocabulary lacks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from bertsmith.data.checking.finding import Finding, LengthSummary, Level, Splits, count, shown
from bertsmith.data.record import Record

_BARS = 32
_TOGETHER = 1024  # texts tokenized at once
_UNKNOWN = 0.01  # share of unknown tokens worth a warning
_OTHER_VOCABULARY = "the vocabulary does not fit the language or script: take a model made for it"


@runtime_checkable
class TextTokenizer(Protocol):
    """What is asked of a tokenizer here; `bertsmith.text.Tokenizer` is one."""

    @property
    def special(self) -> Any:
        """The ids of the special tokens: `unk` among them."""
        ...

    def tokenize(self, texts: Sequence[str]) -> Sequence[Any]:
        """Objects with `token_ids`, without special tokens, not truncated."""
        ...

    def overhead(self, *, pair: bool) -> int:
        """How many special tokens are added."""
        ...


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """The tokenizer of a model, and the most tokens (special ones included) it will be given of one text."""

    tokenizer: TextTokenizer
    max_length: int


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of each text, special tokens included, and how many of them the vocabulary lacks."""

    lengths: Int[np.ndarray, "texts"]
    unknown: Int[np.ndarray, "texts"]


def count_tokens(records: Sequence[Record], tokenizer: TextTokenizer) -> TokenCounts:
    """Tokenize every text (or pair) and keep only the counts."""
    texts = _counts([record.text for record in records], tokenizer)
    pairs = _counts([record.text_pair or "" for record in records], tokenizer)
    single, double = tokenizer.overhead(pair=False), tokenizer.overhead(pair=True)
    added = np.array([single if record.text_pair is None else double for record in records], dtype=np.int64)
    return TokenCounts(texts.lengths + pairs.lengths + added, texts.unknown + pairs.unknown)


def summarize(lengths: Int[np.ndarray, "texts"], max_length: int) -> LengthSummary:
    """Sum lengths up: quantiles, a histogram, and what a limit of `max_length` would cut off."""
    longest = int(lengths.max(initial=1))
    width = max(1, -(-longest // _BARS))
    edges = np.arange(0, longest + width + 1, width)
    over = np.maximum(lengths - max_length, 0)
    return LengthSummary(
        texts=len(lengths),
        tokens=int(lengths.sum()),
        median=int(np.median(lengths)) if len(lengths) else 0,
        p95=int(np.quantile(lengths, 0.95)) if len(lengths) else 0,
        longest=longest,
        edges=tuple(edges.tolist()),
        counts=tuple(np.histogram(lengths, edges)[0].tolist()),
        max_length=max_length,
        truncated_texts=int((over > 0).sum()),
        truncated_tokens=int(over.sum()),
    )


def token_findings(splits: Splits, budget: TokenBudget) -> tuple[list[Finding], dict[str, LengthSummary]]:
    """Look at every split through the tokenizer."""
    findings: list[Finding] = []
    summaries: dict[str, LengthSummary] = {}
    for name, records in splits.items():
        counts = count_tokens(records, budget.tokenizer)
        summaries[name] = summarize(counts.lengths, budget.max_length)
        findings += _length(name, summaries[name])
        findings += _truncation(name, records, counts, summaries[name])
        findings += _unknown(name, records, counts)
    return findings, summaries


def _counts(texts: Sequence[str], tokenizer: TextTokenizer) -> TokenCounts:
    batches = (tokenizer.tokenize(texts[start : start + _TOGETHER]) for start in range(0, len(texts), _TOGETHER))
    pairs = [(len(t.token_ids), int((t.token_ids == tokenizer.special.unk).sum())) for t in chain(*batches)]
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return TokenCounts(both[:, 0], both[:, 1])


def _length(name: str, summary: LengthSummary) -> Iterator[Finding]:
    what = f"{name}: {count(summary.texts, 'text')}, {summary.tokens:,} tokens; half have at most {summary.median}, "
    what += f"95 % at most {summary.p95}, the longest has {summary.longest:,}"
    yield Finding("info", "lengths", what, "nothing to do")


def _truncation(name: str, records: Sequence[Record], counts: TokenCounts, summary: LengthSummary) -> Iterator[Finding]:
    texts, tokens = summary.truncated_texts, summary.truncated_tokens
    if texts:
        worst = [records[row] for row in np.argsort(-counts.lengths, kind="stable")[:3]]
        share = 100 * texts / summary.texts
        what = (
            f"{count(texts, 'text')} ({share:.2g} %) of {name} have more than {summary.max_length} tokens; truncation "
        )
        what += (
            f"loses {tokens:,} tokens ({100 * tokens / summary.tokens:.2g} %): their ends with head, their beginnings "
        )
        what += "with tail, their middles with head+tail"
        fix = "compare head, tail and head+tail on dev, or raise the limit if the model allows"
        yield Finding("warning" if share >= 1 else "info", "truncation", what, fix, worst[0].where, shown(worst))


def _unknown(name: str, records: Sequence[Record], counts: TokenCounts) -> Iterator[Finding]:
    unknown = int(counts.unknown.sum())
    share = unknown / max(1, int(counts.lengths.sum()))
    level: Level
    if unknown:
        worst = [records[row] for row in np.argsort(-counts.unknown / counts.lengths, kind="stable")[:3]]
        what = f"{unknown:,} tokens ({100 * share:.2g} %) of {name} are unknown to the vocabulary of the model"
        level, fix = ("warning", _OTHER_VOCABULARY) if share >= _UNKNOWN else ("info", "nothing to do")
        yield Finding(level, "unknown_tokens", what, fix, worst[0].where, shown(worst))
