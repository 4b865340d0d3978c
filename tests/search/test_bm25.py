"""BM25 by hand, as bm25s has it, and the same however the texts came in."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import UserError
from bertsmith.search.bm25 import Bm25, Postings
from bertsmith.search.settings import USUAL_WORDS, Words
from bertsmith.search.terms import terms

TEXTS = ["red red fox", "red dog runs far", "a cat", "狐狸和狗"]


def made(texts, settings=USUAL_WORDS, *, cuts=(), alive=None) -> Bm25:
    bounds = [0, *cuts, len(texts)]
    parts = [Postings.of(texts[a:b], a, settings) for a, b in itertools.pairwise(bounds)]
    return Bm25(parts, settings, rows=len(texts), alive=alive)


def test_scores_by_hand():
    scores = made(TEXTS).scores("red fox")
    mean = (3 + 4 + 2 + 3) / 4
    red, fox = math.log(1 + 2.5 / 2.5), math.log(1 + 3.5 / 1.5)

    def part(rarity, count, length):
        return rarity * count / (count + 1.2 * (1 - 0.75 + 0.75 * length / mean))

    np.testing.assert_allclose(scores, [part(red, 2, 3) + part(fox, 1, 3), part(red, 1, 4), 0, 0], rtol=1e-6)


def test_a_term_asked_twice_counts_twice():
    np.testing.assert_allclose(made(TEXTS).scores("fox fox"), 2 * made(TEXTS).scores("fox"), rtol=1e-6)


def test_agrees_with_bm25s():
    bm25s = pytest.importorskip("bm25s")
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.zipf(1.5, size=rng.integers(1, 30)) % 50) for _ in range(200)]
    theirs = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    theirs.index([text.split() for text in texts], show_progress=False)
    ours = made(texts, cuts=(50, 51))
    for query in texts[:20]:
        words = list(dict.fromkeys(query.split()))
        np.testing.assert_allclose(ours.scores(" ".join(words)), theirs.get_scores(words), rtol=2e-5, atol=1e-6)


@given(
    st.lists(st.lists(st.sampled_from("abcde"), max_size=6), min_size=2, max_size=20),
    st.data(),
)
def test_parts_and_deletions_score_as_made_afresh(lines, data):
    texts = [" ".join(line) for line in lines]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(texts) - 1))))
    alive = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))))
    kept = [text for text, alive_ in zip(texts, alive, strict=True) if alive_]
    scores = made(texts, cuts=cuts, alive=alive).scores("a b b")
    if kept:
        np.testing.assert_allclose(scores[alive], made(kept).scores("a b b"), rtol=1e-5, atol=1e-7)
    assert not scores[~alive].any()


def test_written_and_read(tmp_path):
    first, second = Postings.of(TEXTS[:3], 0, Words()), Postings.of(TEXTS[3:], 3, Words())
    first.write(tmp_path / "a")
    second.write(tmp_path / "b")
    read = Bm25([Postings.read(tmp_path / name) for name in "ab"], Words(), rows=4)
    np.testing.assert_array_equal(read.scores("狐狸 red"), made(TEXTS).scores("狐狸 red"))
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-1])
    with pytest.raises(UserError, match="is not as long as it says") as told:
        Postings.read(tmp_path / "a")
    assert told.value.code == "damaged_index"


def test_only_texts_with_a_word_are_found():
    found = made(TEXTS).nearest(["red", "nothing at all", "狐狸"], top=3)
    assert found.rows.tolist() == [[0, 1, -1], [-1, -1, -1], [3, -1, -1]]


@pytest.mark.parametrize(
    ("text", "units", "expected"),
    [
        ("Red FOX, ｆｏｘ 3.5kg", "bigrams", ["red", "fox", "fox", "3", "5kg"]),
        ("北京大学 好", "bigrams", ["北京", "京大", "大学", "好"]),
        ("我爱北京大学!", "words", ["我", "爱", "北京大学"]),
        ("iPhone15手机壳", "bigrams", ["iphone15", "手机", "机壳"]),
        ("カメラ", "bigrams", ["カメ", "メラ"]),
        ("😀 …", "bigrams", []),
        ("snake_case", "words", ["snake", "case"]),
    ],
)
def test_terms(text, units, expected):
    assert terms(text, units) == expected
