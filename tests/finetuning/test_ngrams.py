from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.batch import Example
from bertsmith.finetuning import Ngrams, NgramScorer, Reading, Sides, fitted_ngrams, renumbered_ngrams
from bertsmith.finetuning.ngrams import MOST_WEIGHTS, found_in

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


@pytest.mark.parametrize("sides", ["symmetric", "ordered"])
def test_of_pairs_it_is_scikit_learns_on_what_both_have_and_where_they_differ(sides):
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    readings, truth = sampled_pairs(200, 0)
    fresh, _ = sampled_pairs(40, 1)

    def words(these: list[Reading], side: int) -> list[str]:
        parts = [each.sequences[0].token_ids[each.sequences[0].segment_ids == side] for each in these]
        return [" ".join(f"t{id}" for id in part) for part in parts]

    vectorizer = TfidfVectorizer(ngram_range=(1, 3), sublinear_tf=True, min_df=2, token_pattern=r"\S+")
    vectorizer.fit([*words(readings, 0), *words(readings, 1)])

    def matrix(these: list[Reading]):
        first, second = (vectorizer.transform(words(these, side)) for side in (0, 1))
        if sides == "symmetric":
            return hstack([first.minimum(second), abs(first - second)])
        return hstack([first.minimum(second), (first - second).maximum(0), (second - first).maximum(0)])

    theirs = LinearSVC(C=0.1, intercept_scaling=1000.0, tol=1e-9, max_iter=100_000, dual=False)
    theirs.fit(matrix(readings), truth)
    ours = fitted(readings, truth, sides=sides, min_texts=2)
    assert ours.part.features == len(vectorizer.vocabulary_)
    scores = theirs.decision_function(matrix(fresh))
    assert ours(fresh).numpy() == pytest.approx(np.stack([-scores, scores], 1), abs=5e-3)
    assert (ours(fresh).argmax(1).numpy() == sampled_pairs(40, 1)[1]).mean() > 0.7


def test_the_texts_of_a_pair_have_rows_and_runs_of_their_own():
    found = found_in([pair([1, 2], [3]), pair([4], [1])], longest=2, ids=IDS, sides="ordered")
    two = 2 * (IDS + 1) + 3  # the run 1, 2: counted from 1
    assert found.rows.tolist() == [0, 0, 0, 1, 2, 3]
    assert found.keys.tolist() == [2, 3, two, 4, 5, 2]


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


def test_what_one_text_has_counts_where_texts_are_few():
    assert [Ngrams().least(texts) for texts in (9_999, 10_000)] == [1, 2]
    assert Ngrams(min_texts=3).least(10) == 3


def renumbered(scorer: NgramScorer, new: np.ndarray, ids: int) -> NgramScorer:
    keys, places = renumbered_ngrams(scorer.keys.numpy(), new, ids=ids)
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


def test_renumbered_tokens_keep_the_n_grams_of_pairs():
    readings, truth = sampled_pairs(100, 5)
    scorer = fitted(readings, truth, sides="ordered")
    new = np.random.default_rng(0).permutation(IDS)
    parts = [(each.sequences[0].token_ids, each.sequences[0].segment_ids) for each in readings]
    moved = [Reading((Example(new[ids], segments),)) for ids, segments in parts]
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
    none = renumbered(scorer, np.full(IDS, -1), 5)
    assert torch.equal(none([reading([1, 2])])[0], scorer.bias)
