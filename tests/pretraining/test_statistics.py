"""Every scheme over more than 100,000 tokens, against the numbers of its paper."""

import math
from functools import cache

import numpy as np
import pytest

from bertsmith.pretraining.corruption import Corruption, rng_for
from bertsmith.pretraining.lengths import Geometric, Ngrams, One, Repeated, Spaced
from bertsmith.pretraining.replacement import KINDS, OUTCOMES, Replace, degraded_share
from bertsmith.pretraining.selection import Select
from bertsmith.pretraining.units import units_of
from bertsmith.text.similar import SimilarWords

from .mixed_passages import CHINESE, ENGLISH, TOKENIZER, VOCABULARY, long_passage, many_passages

MASK = TOKENIZER.special.mask
SIMILAR = SimilarWords(
    {word: [each for each in CHINESE + ENGLISH if each != word][row % 5 :: 5] for row, word in enumerate(CHINESE)}
).in_tokens(TOKENIZER)
SPANBERT = Corruption(select=Select(units="words", length=Geometric(), budget="ceiling"), replace=Replace(each="span"))
MACBERT = Corruption(
    select=Select(units="words", length=Ngrams(shares=(0.4, 0.3, 0.2, 0.1))),
    replace=Replace(mask=0, similar=0.8, each="unit"),
)
SCHEMES = {
    "bert": Corruption(),
    "electra": Corruption(select=Select(length=Repeated()), replace=Replace(mask=0.85, random=0, same=0.15)),
    "wwm": Corruption(select=Select(units="words")),
    "basic": Corruption(select=Select(units="characters")),
    "entities": Corruption(select=Select(units="entities")),
    "spanbert": SPANBERT,
    "macbert": MACBERT,
    "albert": Corruption(select=Select(units="words", length=Ngrams(shares=(1, 1 / 2, 1 / 3)))),
    "unilm": Corruption(select=Select(length=Ngrams(shares=(0.8, 0.1, 0.1)))),
    "permutation": Corruption(
        select=Select(rate=1 / 6, length=Spaced()), replace=Replace(mask=0, random=0, same=1, similar=0)
    ),
}
WHOLE = ("wwm", "basic", "entities", "macbert", "albert")


@cache
def corrupted(name):
    return [
        (passage, SCHEMES[name].corrupt(passage, VOCABULARY, rng_for(11, 0, row), SIMILAR))
        for row, passage in enumerate(many_passages())
    ]


def assert_shares(counts, expected, *, deviations=4.0):
    """Each count of a sample lies within some standard deviations of its expected share."""
    total, expected = np.sum(counts), np.asarray(expected)
    spread = np.sqrt(total * expected * (1 - expected))
    assert np.all(np.abs(np.asarray(counts) - total * expected) <= deviations * spread + 1), (counts, expected * total)


def test_the_text_is_long_enough():
    assert sum(map(len, many_passages())) > 100_000
    assert len(long_passage()) > 100_000
    assert sum(len(passage.entities) for passage in many_passages()) > 500


@pytest.mark.parametrize("name", SCHEMES)
def test_nothing_special_nothing_twice_nothing_else_changed(name):
    for passage, result in corrupted(name):
        tokens = passage.example.token_ids
        assert (np.diff(result.targets) > 0).all()
        assert (result.labels == tokens[result.targets]).all()
        assert not np.isin(result.labels, list(VOCABULARY.special_ids)).any()
        rest = np.delete(np.arange(len(tokens)), result.targets)
        assert (result.token_ids[rest] == tokens[rest]).all()
        assert set(result.token_ids[result.targets]) <= {MASK, *VOCABULARY.random_ids.tolist()}
        assert (result.token_ids[result.targets[result.outcomes == KINDS.index("mask")]] == MASK).all()
        same = result.outcomes == KINDS.index("same")
        assert (result.token_ids[result.targets[same]] == result.labels[same]).all()
        assert sum(result.counts.values()) == len(result.targets) == len(result.outcomes)


@pytest.mark.parametrize("name", SCHEMES)
def test_spans_are_the_stretches_of_targets(name):
    for _, result in corrupted(name):
        covered = [place for start, end in result.spans.tolist() for place in range(start, end)]
        assert covered == result.targets.tolist()
        assert (result.spans[1:, 0] > result.spans[:-1, 1]).all()


@pytest.mark.parametrize("name", ["bert", "unilm"])
def test_the_budget_of_bert_is_met_exactly(name):
    for passage, result in corrupted(name):
        assert len(result.targets) == max(1, round(0.15 * len(passage)))


def test_the_budget_of_spanbert_is_met_exactly():
    for passage, result in corrupted("spanbert"):
        assert len(result.targets) == math.ceil(0.15 * (len(passage) - 2))


@pytest.mark.parametrize("name", WHOLE)
def test_whole_units_come_close_below_the_budget(name):
    results = corrupted(name)
    assert all(len(result.targets) <= round(0.15 * len(passage)) for passage, result in results)
    rate = sum(len(result.targets) for _, result in results) / sum(len(passage) for passage, _ in results)
    assert 0.148 < rate <= 0.152


def test_electra_draws_with_replacement():
    results = corrupted("electra")
    expected = sum(
        candidates * (1 - (1 - 1 / candidates) ** round(0.15 * len(passage)))
        for passage, _ in results
        for candidates in [len(passage) - 2]
    )
    assert sum(len(result.targets) for _, result in results) == pytest.approx(expected, rel=0.01)


def test_xlnet_predicts_a_sixth():
    results = corrupted("permutation")
    rate = sum(len(result.targets) for _, result in results) / sum(len(passage) - 2 for passage, _ in results)
    assert rate == pytest.approx(1 / 6, rel=0.02)


@pytest.mark.parametrize("name", WHOLE)
def test_units_are_whole(name):
    for passage, result in corrupted(name):
        chosen = np.zeros(len(passage), dtype=int)
        chosen[result.targets] = 1
        units = units_of(passage, SCHEMES[name].select.units, VOCABULARY)
        inside = np.array([chosen[start:end].sum() for start, end in zip(units.starts, units.ends, strict=True)])
        assert ((inside == 0) | (inside == units.sizes)).all()


def test_spanbert_cuts_one_word_at_most():
    for passage, result in corrupted("spanbert"):
        chosen = np.zeros(len(passage), dtype=int)
        chosen[result.targets] = 1
        inside = [(chosen[start:end].sum(), end - start) for start, end in passage.words]
        assert sum(0 < count < size for count, size in inside) <= 1


def test_every_token_is_equally_likely():
    passage = many_passages()[0]
    times = np.zeros(len(passage))
    for epoch in range(2_000):
        times[SCHEMES["bert"].corrupt(passage, VOCABULARY, rng_for(3, epoch, 0)).targets] += 1
    share = round(0.15 * len(passage)) / (len(passage) - 2)
    assert times[0] == times[-1] == 0
    assert np.abs(times[1:-1] - 2_000 * share).max() < 5 * math.sqrt(2_000 * share * (1 - share))


def lengths_in_units(length, kind, rate=0.15):
    """How many units each drawn span of one very long passage has; the last one may be shortened."""
    passage = long_passage()
    units = units_of(passage, kind, VOCABULARY)
    spans = length.place(units, int(rate * len(passage)), np.random.default_rng(5))[:-1]
    first, last = np.searchsorted(units.starts, spans[:, 0]), np.searchsorted(units.ends, spans[:, 1])
    assert (units.starts[first] == spans[:, 0]).all()
    assert (units.ends[last] == spans[:, 1]).all()
    return last - first + 1, spans


def test_geometric_lengths():
    counts, _ = lengths_in_units(Geometric(stop=0.2, longest=10), "words")
    published = np.array([0.2241, 0.1792, 0.1434, 0.1147, 0.0918, 0.0734, 0.0587, 0.0470, 0.0376, 0.0301])
    assert_shares(np.bincount(counts, minlength=11)[1:], published)
    assert counts.mean() == pytest.approx(3.80, abs=0.12)


@pytest.mark.parametrize(
    ("shares", "kind", "expected"),
    [
        ((0.4, 0.3, 0.2, 0.1), "words", (0.4, 0.3, 0.2, 0.1)),
        ((1, 1 / 2, 1 / 3), "words", (0.5455, 0.2727, 0.1818)),
        ((0.8, 0.1, 0.1), "tokens", (0.8, 0.1, 0.1)),
    ],
    ids=["macbert", "albert", "unilm"],
)
def test_ngram_lengths(shares, kind, expected):
    counts, spans = lengths_in_units(Ngrams(shares=shares), kind)
    assert_shares(np.bincount(counts, minlength=len(shares) + 1)[1:], expected)
    ordered = spans[np.argsort(spans[:, 0])]
    assert (ordered[1:, 0] >= ordered[:-1, 1]).all()


def test_spaced_lengths():
    passage = long_passage()
    chosen = Select(rate=1 / 6, length=Spaced(longest=5)).choose(passage, VOCABULARY, np.random.default_rng(5))
    sizes = np.bincount(np.diff(chosen.spans, axis=1)[:, 0])
    assert sizes[1:6] / sizes.sum() == pytest.approx([0.2] * 5, abs=0.02)
    assert sizes[6:].sum() / sizes.sum() < 0.02  # the spans of two contexts seldom touch
    assert len(chosen.places) / len(passage) == pytest.approx(1 / 6, rel=0.01)


@pytest.mark.parametrize("name", ["bert", "electra", "wwm", "albert", "unilm"])
def test_shares_for_each_token(name):
    replace = SCHEMES[name].replace
    counts = [sum(result.counts[kind] for _, result in corrupted(name)) for kind in KINDS]
    assert_shares(counts, [replace.mask, replace.random, replace.same, replace.similar])
    mixed = sum(
        0 < (result.token_ids[start:end] == MASK).sum() < end - start
        for _, result in corrupted(name)
        for start, end in result.spans
        if end - start > 1
    )
    assert mixed > 100


def test_random_tokens_come_from_the_whole_vocabulary():
    shares = Corruption(select=Select(rate=0.5), replace=Replace(mask=0, random=1, same=0))
    drawn = np.concatenate(
        [
            result.token_ids[result.targets]
            for row, passage in enumerate(many_passages())
            for result in [shares.corrupt(passage, VOCABULARY, rng_for(0, 0, row))]
        ]
    )
    counts = np.bincount(drawn, minlength=VOCABULARY.vocab_size)
    allowed = VOCABULARY.random_ids
    assert counts.sum() == counts[allowed].sum() > 50_000
    assert_shares(counts[allowed], np.full(len(allowed), 1 / len(allowed)), deviations=5)


def test_shares_for_each_span():
    masked = same = changed = 0
    for passage, result in corrupted("spanbert"):
        for start, end in result.spans:
            old, new = passage.example.token_ids[start:end], result.token_ids[start:end]
            if (new == MASK).any():
                assert (new == MASK).all()
                masked += 1
            elif (new == old).all():
                same += 1
            else:
                assert end - start < 4 or (new != old).mean() > 0.5
                changed += 1
    assert_shares([masked, changed, same], [0.8, 0.1, 0.1], deviations=5)


def test_shares_for_each_word():
    kinds = np.zeros(3, dtype=int)
    for passage, result in corrupted("macbert"):
        chosen = set(result.targets.tolist())
        assert MASK not in result.token_ids
        for start, end in passage.words.tolist():
            if start not in chosen:
                continue
            choices = SIMILAR.of(passage.example.token_ids[start:end])
            if choices is None or end - start == 1:
                continue
            new = result.token_ids[start:end]
            similar = (choices == new).all(axis=1).any()
            kinds[0 if similar else 1 + bool((new == passage.example.token_ids[start:end]).all())] += 1
    assert kinds.sum() > 3_000
    assert_shares(kinds, [0.8, 0.1, 0.1])


def test_words_without_a_similar_one_are_counted():
    total = dict.fromkeys(OUTCOMES, 0)
    without = targets = 0
    for passage, result in corrupted("macbert"):
        chosen = set(result.targets.tolist())
        targets += len(chosen)
        lonely = [word for word in passage.words if SIMILAR.of(passage.example.token_ids[slice(*word)]) is None]
        without += sum(end - start for start, end in lonely if start in chosen)
        total = {kind: total[kind] + result.counts[kind] for kind in total}
    assert 0 < without < targets
    assert total["degraded"] == pytest.approx(0.8 * without, rel=0.05)
    assert degraded_share(total) == total["degraded"] / (total["degraded"] + total["similar"])
    assert total["mask"] == 0


@pytest.mark.parametrize("name", SCHEMES)
def test_a_row_is_a_function_of_seed_epoch_and_row(name):
    passage = many_passages()[0]

    def targets(*key):
        return SCHEMES[name].corrupt(passage, VOCABULARY, rng_for(*key), SIMILAR).targets.tolist()

    assert targets(1, 2, 3) == targets(1, 2, 3)
    assert len({tuple(targets(*key)) for key in [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (2, 1, 3)]}) == 5


def test_single_units_equal_ngrams_of_one():
    counts, _ = lengths_in_units(One(), "words")
    assert set(counts) == {1}
