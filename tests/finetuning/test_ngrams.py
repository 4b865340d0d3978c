import re
from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.batch import Example
from bertsmith.errors import UserError
from bertsmith.finetuning import (
    Ngrams,
    NgramScorer,
    Reading,
    Sides,
    fitted_ngrams,
    renumbered_ngrams,
    require_room,
)
from bertsmith.finetuning.ngram_counts import (
    FIRST_EXCHANGED,
    KINDS,
    MOST_CROSSED,
    MOST_IDS_OF_TWO,
    ONE,
    found_in,
    most_counted,
)
from bertsmith.finetuning.ngrams import MOST_WEIGHTS

IDS = 50
TEXTS = st.lists(
    st.lists(st.lists(st.integers(0, IDS - 1), min_size=1, max_size=9), min_size=1, max_size=3), min_size=1, max_size=6
)


def reading(*sequences: list[int]) -> Reading:
    return Reading(tuple(Example(np.array(ids), np.zeros(len(ids), dtype=np.int64)) for ids in sequences))


def pair(first: list[int], second: list[int]) -> Reading:
    segments = np.repeat([0, 1], [len(first), len(second)])
    return Reading((Example(np.array([*first, *second]), segments),))


def fitted(
    readings: list[Reading],
    labels: np.ndarray,
    weights: tuple[float, ...] = (1.0, 1.0),
    sides: Sides = "one",
    **config,
) -> NgramScorer:
    scorer = fitted_ngrams(readings, labels, config=Ngrams(**config), ids=IDS, weights=weights, sides=sides)
    assert scorer is not None
    return scorer


def sampled(texts: int, seed: int) -> tuple[list[Reading], np.ndarray]:
    """Texts of two topics, which differ in how often some tokens occur; the last token never does."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, texts)
    odds = np.ones((2, IDS - 1))
    odds[0, :5], odds[1, 5:10] = 4, 4
    odds /= odds.sum(1, keepdims=True)
    drawn = [reading(random.choice(IDS - 1, size=random.integers(4, 12), p=odds[label]).tolist()) for label in labels]
    return drawn, labels


def sampled_pairs(pairs: int, seed: int) -> tuple[list[Reading], np.ndarray]:
    """Pairs that share most of their tokens, or few; where they share few, the first has some tokens of its own."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, pairs)
    made = []
    for label in labels:
        first = random.choice(IDS - 1, size=random.integers(4, 9), replace=False)
        second = np.where(random.random(len(first)) < (0.8 if label else 0.3), first, random.integers(10, IDS - 1))
        if not label:
            first[0] = random.integers(0, 5)
        made.append(pair(first.tolist(), second.tolist()))
    return made, labels


@given(TEXTS, st.integers(1, 3))
def test_n_grams_are_counted_within_sequences(texts, longest):
    found = found_in([reading(*sequences) for sequences in texts], longest=longest, ids=IDS)
    expected: Counter[tuple[int, int]] = Counter()
    for row, sequences in enumerate(texts):
        for ids in sequences:
            for size in range(1, longest + 1):
                for start in range(len(ids) - size + 1):
                    key = 0
                    for each in ids[start : start + size]:
                        key = key * (IDS + 1) + each + 1
                    expected[row, key] += 1
    given_back = list(zip(found.rows.tolist(), found.keys.tolist(), strict=True))
    assert dict(zip(given_back, found.counts.tolist(), strict=True)) == expected
    assert all(one < other for one, other in pairwise(given_back))


@pytest.mark.parametrize("labels", [2, 3])
def test_it_is_scikit_learns_linear_svm_on_its_tf_idf(labels):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    readings, truth = sampled(200, 0)
    if labels == 3:
        truth = np.where(np.arange(200) % 7 == 0, 2, truth)
    fresh, _ = sampled(40, 1)

    def words(these: list[Reading]) -> list[str]:
        return [" ".join(f"t{id}" for id in each.sequences[0].token_ids) for each in these]

    vectorizer = TfidfVectorizer(ngram_range=(1, 3), sublinear_tf=True, min_df=2, token_pattern=r"\S+")
    matrix = vectorizer.fit_transform(words(readings))
    # their bias is punished like a weight; one of a thousand is hardly so
    theirs = LinearSVC(C=0.7, intercept_scaling=1000.0, tol=1e-9, max_iter=100_000, dual=False).fit(matrix, truth)
    ours = fitted(readings, truth, (1.0,) * labels, strength=0.7, min_texts=2)
    assert ours.part.features == len(vectorizer.vocabulary_)
    scores = theirs.decision_function(vectorizer.transform(words(fresh)))
    expected = np.stack([-scores, scores], 1) if labels == 2 else scores
    assert ours(fresh).numpy() == pytest.approx(expected, abs=5e-3)
    sharp = np.exp(4 * expected)
    assert ours.chances(fresh) == pytest.approx(sharp / sharp.sum(1, keepdims=True), abs=1e-2)


def told(first: list[int], second: list[int], *, longest: int, sides: Sides, exchanged: int = 1) -> set[str]:
    """What is counted in a pair, written out."""

    def runs(text: list[int], size: int) -> set[tuple[int, ...]]:
        return {tuple(text[start : start + size]) for start in range(len(text) - size + 1)}

    said = set()
    for size in range(1, longest + 1):
        one, other = runs(first, size), runs(second, size)
        said |= {f"both {run}" for run in one & other} | {f"one {run}" for run in one ^ other}
        if sides == "ordered":
            said |= {f"first {run}" for run in one - other} | {f"second {run}" for run in other - one}
        if size <= exchanged:
            said |= {f"exchanged {sorted(two)}" for two in product(one - other, other - one)}
            if sides == "ordered":
                said |= {f"first_exchanged {list(two)}" for two in product(one - other, other - one)}
    one, other = set(first), set(second)
    said |= {f"beside {token} {shared}" for token, shared in product(one ^ other, one & other)}
    if sides == "ordered":
        said |= {f"first_beside {token} {shared}" for token, shared in product(one - other, one & other)}
        said |= {f"second_beside {token} {shared}" for token, shared in product(other - one, one & other)}
    return said


def keys_of(said: set[str]) -> set[int]:
    """The keys of what is counted, spelled by hand."""
    kinds = [
        "both",
        "one",
        "first",
        "second",
        "exchanged",
        "first_exchanged",
        "beside",
        "first_beside",
        "second_beside",
    ]
    keys = set()
    for each in said:
        number = 0
        for token in re.findall(r"\d+", each):
            number = number * (IDS + 1) + int(token) + 1
        keys.add(number * KINDS + kinds.index(each.split()[0]))
    return keys


def parts_of(one: Reading) -> tuple[list[int], list[int]]:
    (example,) = one.sequences
    first, second = (example.token_ids[example.segment_ids == side].tolist() for side in (0, 1))
    return first, second


SIDES: list[Sides] = ["symmetric", "ordered"]
TEXT = st.lists(st.integers(0, 6), min_size=1, max_size=6)
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5)
COUNTED = st.tuples(st.integers(1, 3), st.sampled_from(SIDES), st.integers(1, 2)).map(
    lambda drawn: {"longest": drawn[0], "sides": drawn[1], "exchanged": min(drawn[0], drawn[2])}
)


@given(PAIRS, COUNTED)
def test_of_pairs_what_both_have_one_has_and_two_runs_that_differ_are_counted(pairs, counted):
    found = found_in([pair(*texts) for texts in pairs], ids=IDS, **counted)
    expected = [(row, key) for row, texts in enumerate(pairs) for key in sorted(keys_of(told(*texts, **counted)))]
    assert list(zip(found.rows.tolist(), found.keys.tolist(), strict=True)) == expected
    assert (found.counts == 1).all()


@pytest.mark.parametrize(("sides", "exchanged"), [("symmetric", 1), ("ordered", 2)])
def test_of_pairs_it_is_scikit_learns_on_what_is_counted(sides, exchanged):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    readings, truth = sampled_pairs(200, 0)
    fresh, _ = sampled_pairs(40, 1)
    counted = {"longest": 3, "sides": sides, "exchanged": exchanged}
    vectorizer = TfidfVectorizer(analyzer=lambda one: told(*parts_of(one), **counted), min_df=2)
    matrix = vectorizer.fit_transform(readings)
    theirs = LinearSVC(C=0.3, intercept_scaling=1000.0, tol=1e-9, max_iter=100_000, dual=False).fit(matrix, truth)
    ours = fitted(readings, truth, sides=sides, min_texts=2, exchanged=exchanged, strength=0.3)
    assert ours.part.features == len(vectorizer.vocabulary_)
    scores = theirs.decision_function(vectorizer.transform(fresh))
    assert ours(fresh).numpy() == pytest.approx(np.stack([-scores, scores], 1), abs=5e-3)
    assert (ours(fresh).argmax(1).numpy() == sampled_pairs(40, 1)[1]).mean() > 0.7


def test_what_stands_in_place_of_what_decides_where_single_tokens_do_not():
    """Pairs of one frame, whose two words mean the same or not: each word is there as often with either label."""
    random = np.random.default_rng(0)

    def drawn(pairs: int) -> tuple[list[Reading], np.ndarray]:
        words, labels = random.permutation(8)[random.integers(0, 8, pairs)], random.integers(0, 2, pairs)
        partners = np.where(labels, words ^ 1, words ^ 2)  # 0 and 1, 2 and 3, ... mean the same
        made = [pair([20, word, 21], [20, other, 21]) for word, other in zip(words, partners, strict=True)]
        return made, labels

    scorer = fitted(*drawn(300), sides="symmetric")
    fresh, truth = drawn(100)
    assert (scorer.chances(fresh).argmax(1) == truth).all()


@pytest.mark.parametrize("sides", SIDES)
def test_what_is_the_same_in_every_pair_is_no_part_of_anything(sides):
    made, truth = sampled_pairs(100, 3)
    readings = [pair(*(np.minimum(part, 47).tolist() for part in parts_of(each))) for each in made]
    framed = [pair([48, *first, 49], [*second, 49]) for first, second in map(parts_of, readings)]  # [CLS] and [SEP]
    bare, whole = (fitted(these, truth, sides=sides) for these in (readings, framed))
    assert bare.keys.tolist() == whole.keys.tolist()
    assert whole.chances(framed) == pytest.approx(bare.chances(readings), abs=1e-6)


def test_of_long_pairs_the_tokens_that_come_first_are_crossed():
    first, second = list(range(40, 0, -1)), list(range(41, 81))
    found = found_in([pair(first, second)], longest=1, ids=100, sides="ordered")
    numbers, kinds = np.divmod(found.keys, KINDS)
    left, right = np.divmod(numbers[kinds == FIRST_EXCHANGED], 101)
    assert sorted(set((left - 1).tolist())) == sorted(first[:MOST_CROSSED])
    assert sorted(set((right - 1).tolist())) == second[:MOST_CROSSED]
    assert (kinds == ONE).sum() == 80
    both = found_in([pair(first, first[::-1]), pair(first[::-1], first)], longest=1, ids=100, sides="symmetric")
    assert (both.keys[both.rows == 0] == both.keys[both.rows == 1]).all()


@given(PAIRS, COUNTED)
def test_no_more_is_counted_than_was_said_before(pairs, counted):
    readings = [pair(*texts) for texts in pairs]
    rows = found_in(readings, ids=IDS, **counted).rows
    assert (np.bincount(rows, minlength=len(pairs)) <= most_counted(readings, **counted)).all()


def test_swapped_texts_are_the_same_pair_where_order_says_nothing():
    readings, truth = sampled_pairs(200, 2)
    halves = [np.split(each.sequences[0].token_ids, [len(each.sequences[0]) // 2]) for each in readings]
    swapped = [pair(second.tolist(), first.tolist()) for first, second in halves]
    alike, apart = (fitted(readings, truth, sides=sides) for sides in ("symmetric", "ordered"))
    assert np.array_equal(alike.chances(swapped), alike.chances(readings))
    assert np.abs(apart.chances(swapped) - apart.chances(readings)).max() > 0.05


def test_a_label_that_counts_twice_is_as_if_its_texts_were_there_twice():
    readings, labels = sampled(120, 2)
    rare = [each for each, label in zip(readings, labels, strict=True) if label]
    twice = np.r_[labels, np.ones(len(rare), dtype=np.int64)]
    weighted = fitted(readings, labels, (1.0, 2.0), longest=1, min_texts=1)
    doubled = fitted([*readings, *rare], twice, longest=1, min_texts=1)
    plain = fitted(readings, labels, longest=1, min_texts=1)
    apart = [np.abs(each.chances(readings) - weighted.chances(readings)).mean() for each in (doubled, plain)]
    assert apart[0] < 0.02 < apart[1]  # the texts there twice also change how rare an n-gram is


def test_the_same_texts_give_the_same_bits_and_the_kept_is_what_was_fitted():
    readings, labels = sampled(100, 3)
    one, other = fitted(readings, labels), fitted(readings, labels)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    again = NgramScorer(one.part, 2)
    again.load_state_dict(one.state_dict())
    assert np.array_equal(again.chances(readings), one.chances(readings))


def test_a_text_of_unknown_n_grams_gets_the_bias_alone():
    readings, labels = sampled(100, 4)
    scorer = fitted(readings, labels, min_texts=2)
    assert scorer.chances([]).shape == (0, 2)
    with torch.no_grad():
        assert torch.equal(scorer([reading([IDS - 1, IDS - 1, IDS - 1])])[0], scorer.bias)


def test_what_every_text_has_or_few_have_is_no_feature():
    texts = [reading([1, 2]), reading([1, 3]), reading([1, 3]), reading([1, 4])]
    labels = np.array([0, 1, 1, 0])
    scorer = fitted(texts, labels, longest=1, min_texts=2)
    assert scorer.keys.tolist() == [4]  # token 3: counted from 1
    assert fitted_ngrams(texts[:1] * 3, np.array([0, 1, 0]), config=Ngrams(), ids=IDS, weights=(1.0, 1.0)) is None


def test_of_too_many_n_grams_the_most_frequent_are_kept():
    texts = [reading([1, 2, 3]), reading([1, 2]), reading([1, 4]), reading([5])]
    many = (1.0,) * (MOST_WEIGHTS // 2)
    scorer = fitted(texts, np.array([0, 1, 2, 3]), many, longest=1, min_texts=1)
    assert scorer.keys.tolist() == [2, 3]


@pytest.mark.parametrize("longest", [0, 4])
def test_runs_are_of_one_to_three_tokens(longest):
    with pytest.raises(ValueError, match="longest"):
        Ngrams(longest=longest)


def test_of_pairs_dev_has_something_to_choose_from():
    def chosen(config: Ngrams, sides: Sides = "symmetric", ids: int = IDS) -> list[tuple[int | None, float | None]]:
        return [(each.exchanged, each.strength) for each in config.choices(sides, ids=ids)]

    assert chosen(Ngrams(), "one") == [(None, 1.0)]
    assert chosen(Ngrams()) == [(1, 0.3), (1, 1.0), (2, 0.3), (2, 1.0)]
    assert chosen(Ngrams(exchanged=1)) == [(1, 0.3), (1, 1.0)]
    assert chosen(Ngrams(strength=2.0)) == [(1, 2.0), (2, 2.0)]
    assert chosen(Ngrams(longest=1, strength=2.0)) == [(1, 2.0)]
    assert chosen(Ngrams(strength=2.0), ids=MOST_IDS_OF_TWO + 1) == [(1, 2.0)]
    assert (MOST_IDS_OF_TWO + 2) ** 4 * KINDS < 2**63 <= (MOST_IDS_OF_TWO + 3) ** 4 * KINDS


def test_runs_that_have_no_number_or_are_not_counted_are_refused():
    with pytest.raises(ValueError, match="exchanged=2 is longer than any run that is counted, longest=1"):
        Ngrams(longest=1, exchanged=2)
    require_room(2, ids=MOST_IDS_OF_TWO)
    require_room(None, ids=MOST_IDS_OF_TWO + 1)
    with pytest.raises(UserError, match=r"ngrams\.exchanged=2 take a vocabulary of at most 31,815 tokens, not 31,816"):
        require_room(2, ids=MOST_IDS_OF_TWO + 1)


def test_what_one_text_has_counts_where_texts_are_few():
    assert [Ngrams().least(texts) for texts in (9_999, 10_000)] == [1, 2]
    assert Ngrams(min_texts=3).least(10) == 3


def renumbered(scorer: NgramScorer, new: np.ndarray, ids: int) -> NgramScorer:
    keys, places = renumbered_ngrams(scorer.keys.numpy(), new, ids=ids, sides=scorer.part.sides)
    assert (np.diff(keys) > 0).all()
    made = NgramScorer(scorer.part.but(ids=ids, features=len(keys)), 2)
    rows = torch.from_numpy(places)
    stored = {"keys": torch.from_numpy(keys), "idf": scorer.idf[rows], "weight": scorer.weight[rows]}
    made.load_state_dict({**stored, "bias": scorer.bias})
    return made


def test_renumbered_tokens_keep_their_n_grams():
    readings, labels = sampled(100, 5)
    scorer = fitted(readings, labels)
    new = np.random.default_rng(0).permutation(IDS)
    moved = [reading(new[each.sequences[0].token_ids].tolist()) for each in readings]
    assert renumbered(scorer, new, IDS + 9).chances(moved) == pytest.approx(scorer.chances(readings), abs=1e-6)


@pytest.mark.parametrize("sides", SIDES)
def test_renumbered_tokens_keep_the_n_grams_of_pairs(sides):
    readings, truth = sampled_pairs(100, 5)
    scorer = fitted(readings, truth, sides=sides, exchanged=2)
    new = np.random.default_rng(0).permutation(IDS)
    moved = [pair(new[first].tolist(), new[second].tolist()) for first, second in map(parts_of, readings)]
    assert renumbered(scorer, new, IDS + 9).chances(moved) == pytest.approx(scorer.chances(readings), abs=1e-6)


def test_n_grams_of_tokens_that_are_gone_are_gone():
    readings, labels = sampled(100, 6)
    scorer = fitted(readings, labels)
    new = np.where(np.arange(IDS) < 20, np.arange(IDS), -1)
    kept = renumbered(scorer, new, 21)
    assert 0 < kept.part.features < scorer.part.features
    text, unknown = [3, 4, 7, 1], reading([3, 4, 7, 1, 20])
    assert kept.chances([reading(text)]) == pytest.approx(scorer.chances([reading(text)]), abs=1e-6)
    assert kept.chances([unknown]) == pytest.approx(kept.chances([reading(text)]), abs=1e-6)
    none = renumbered(renumbered(scorer, np.full(IDS, -1), 5), np.arange(5), 5)
    assert torch.equal(none([reading([1, 2])])[0], scorer.bias)
