from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.data.grams import comparable, gram_set
from bertsmith.data.twins import find_twins


@cache
def grams_of(text):
    return gram_set(comparable(text))


def jaccard(one, other):
    first, second = grams_of(one), grams_of(other)
    return len(first & second) / len(first | second)


def brute_force(texts, sides, threshold):
    found = np.zeros((len(texts), sides.max() + 1), dtype=bool)
    for i, one in enumerate(texts):
        for j, other in enumerate(texts):
            if i != j and jaccard(one, other) >= threshold - 1e-12:
                found[i, sides[j]] = True
    return found


def assert_exact(texts, sides, threshold):
    twins = find_twins(texts, sides, threshold=threshold)
    np.testing.assert_array_equal(twins >= 0, brute_force(texts, sides, threshold))
    for row, side in zip(*np.nonzero(twins >= 0), strict=True):
        twin = twins[row, side]
        assert twin != row
        assert sides[twin] == side
        assert jaccard(texts[row], texts[twin]) >= threshold - 1e-12


def edited(text, random, edits):
    characters = list(text)
    for _ in range(edits):
        place = random.integers(len(characters) + 1)
        characters[place : place + random.integers(2)] = random.choice(list("的一是了xyz 7"), random.integers(3))
    return "".join(characters)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("length", [6, 23, 150, 700])
def test_every_twin_is_found(length, threshold):
    random = np.random.default_rng(length)
    alphabet = list("天地玄黄宇宙洪荒日月盈昃辰宿列张")
    texts = []
    for _ in range(40):
        text = "".join(random.choice(alphabet, max(1, round(length * random.uniform(0.3, 1)))))
        texts += [edited(text, random, random.integers(0, 1 + length // 20)) for _ in range(random.integers(1, 5))]
    assert_exact(texts, random.integers(0, 3, len(texts)), threshold)


@given(
    st.lists(st.tuples(st.text("ab ", max_size=12), st.integers(0, 2)), min_size=1, max_size=30),
    st.sampled_from([0.3, 0.6, 0.8]),
)
def test_every_twin_is_found_among_short_and_repetitive_texts(rows, threshold):
    assert_exact([text for text, _ in rows], np.array([side for _, side in rows]), threshold)


def test_width_case_and_spaces_do_not_count():
    twins = find_twins(["Ｈｅｌｌｏ  World 你好", "hello world 你好 ", "something else"], np.array([0, 1, 1]))
    assert twins.tolist() == [[-1, 1], [0, -1], [-1, -1]]


def test_no_texts():
    assert find_twins([], np.array([], dtype=np.int64)).shape == (0, 1)


def test_a_template_repeated_many_times_is_quick():
    start, end = (
        "尊敬的客户，您的订单 ",
        " 已经由仓库打包完毕并交给快递公司发出，预计三天之内送达，请您耐心等待，谢谢您的支持",
    )
    texts = [f"{start}{number}{end}" for number in range(20_000)]
    twins = find_twins(texts, np.arange(20_000) % 2)
    assert (twins >= 0).all()


def test_surrogates_do_not_break_the_comparison():
    twins = find_twins(["\ud83d broken text here", "\ud83d broken text here!"], np.array([0, 1]))
    assert twins[0, 1] == 1
