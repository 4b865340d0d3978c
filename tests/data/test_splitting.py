from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.data import Record, split_records, stratified_split
from bertsmith.data.splitting import tied

LABELS = st.lists(st.sampled_from("aabbbbbbc"), min_size=1, max_size=120)


@given(LABELS, st.floats(0.02, 0.5), st.integers(0, 1000))
def test_every_row_once_and_every_class_on_both_sides(labels, share, seed):
    train, dev = stratified_split(labels, share=share, seed=seed)
    assert sorted([*train, *dev]) == list(range(len(labels)))
    for label, count in Counter(labels).items():
        aside = sum(labels[row] == label for row in dev)
        assert aside == (0 if count == 1 else min(count - 1, max(1, round(share * count))))


@given(LABELS, st.integers(1, 30), st.integers(0, 1000), st.data())
def test_groups_are_never_parted(labels, number, seed, data):
    groups = data.draw(st.lists(st.integers(0, number), min_size=len(labels), max_size=len(labels)))
    train, dev = stratified_split(labels, share=0.3, seed=seed, groups=groups)
    assert sorted([*train, *dev]) == list(range(len(labels)))
    assert not {groups[row] for row in train} & {groups[row] for row in dev}
    assert {labels[row] for row in train} == set(labels)


def test_classes_of_uneven_groups_stand_on_both_sides():
    groups = ["a1"] * 7 + ["a2"] * 5 + ["b1"] * 3 + ["b2"] * 2 + ["b3"]
    labels = [group[0] for group in groups]
    for seed in range(20):
        train, dev = stratified_split(labels, share=0.1, seed=seed, groups=groups)
        assert {labels[row] for row in train} == {labels[row] for row in dev} == {"a", "b"}


def test_share_is_kept_per_class():
    labels = ["a"] * 1000 + ["b"] * 100
    _, dev = stratified_split(labels, share=0.1, seed=7)
    assert Counter(labels[row] for row in dev) == {"a": 100, "b": 10}


@given(LABELS, st.floats(0.02, 0.5), st.integers(0, 1000))
def test_few_different_numbers_are_stratified_as_labels_are(labels, share, seed):
    numbers = [float("abc".index(label)) for label in labels]
    ours, theirs = (stratified_split(each, share=share, seed=seed) for each in (numbers, labels))
    count = Counter(numbers)
    assert [Counter(numbers[row] for row in rows) for rows in ours] == [
        Counter(numbers[row] for row in rows) for rows in theirs
    ]
    assert all(any(numbers[row] == value for row in ours[1]) for value in count if count[value] > 1)


@given(
    rare=st.lists(st.floats(-9, 9, allow_nan=False), min_size=11, max_size=60, unique=True),
    common=st.floats(-9, 9, allow_nan=False),
    share=st.floats(0.02, 0.5),
    seed=st.integers(0, 1000),
)
def test_a_common_number_swallows_no_other(rare, common, share, seed):
    numbers = [*rare, *[common] * 4 * len(rare)]
    for rows in stratified_split(numbers, share=share, seed=seed):
        assert {common} < {numbers[row] for row in rows}


def test_numbers_are_stratified_in_bands():
    scores = np.random.default_rng(5).random(1000).tolist()
    _, dev = stratified_split(scores, share=0.1, seed=1)
    assert [sum(low <= scores[row] < low + 0.1 for row in dev) for low in np.arange(10) / 10] == pytest.approx(
        [10] * 10, abs=3
    )


def test_split_is_a_pure_function_of_the_seed():
    labels = ["a", "b"] * 50
    draws = [stratified_split(labels, share=0.2, seed=seed)[1].tolist() for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


def test_several_labels():
    labels = [("x",), ("x", "y"), ("y",), ("y", "z"), ("z",), ()] * 10
    _, dev = stratified_split(labels, share=0.2, seed=0)
    assert 10 <= len(dev) <= 18
    assert {label for row in dev for label in labels[row]} == {"x", "y", "z"}


def test_rows_that_share_a_key_are_tied_through_others():
    names = tied([["a", 1], ["b", 1], ["b", 2], ["c", 3]])
    assert names[0] == names[1] == names[2] != names[3]


def records(seed):
    random = np.random.default_rng(seed)
    rows = [
        Record(f"text {number // 2}", label="ab"[number % 4 // 2], row={"group": number // 8}) for number in range(160)
    ]
    return [rows[i] for i in random.permutation(len(rows))]


def test_equal_texts_and_groups_stay_together_in_any_row_order():
    split = split_records(records(0), share=0.2, seed=5, group_column="group")
    again = split_records(records(1), share=0.2, seed=5, group_column="group")
    assert {record.text for record in split.dev} == {record.text for record in again.dev}
    assert not {record.row["group"] for record in split.dev} & {record.row["group"] for record in split.train}
    assert len(split.dev) == 32
    plain = split_records(records(0), share=0.2, seed=5)
    assert not {record.text for record in plain.dev} & {record.text for record in plain.train}


def test_label_of_one_text_stays_in_training_and_is_reported():
    texts = [Record(f"t{i}", label="a") for i in range(10)] + [Record("lonely", label="b")]
    split = split_records(texts, share=0.2, seed=0)
    assert split.undivided == ("b",)
    assert "lonely" in {record.text for record in split.train}
