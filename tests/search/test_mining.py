"""Similar pairs, clusters and negatives: as by comparing everything with everything."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.search import (
    ClusterSettings,
    Entry,
    Exact,
    Hnsw,
    IndexSettings,
    NegativeSettings,
    PairSettings,
    VectorIndex,
    build,
    clusters,
    delete,
    mine_negatives,
    mine_pairs,
    similar,
)
from bertsmith.search.mining import unite
from bertsmith.search.negatives import Groups

from .embedder import WordEmbedder, sentences


def silent(message):
    pass


def indexed(folder, texts, **chosen) -> VectorIndex:
    entries = [Entry(text) for text in texts]
    build(folder / "i", entries, WordEmbedder(), source="words", settings=IndexSettings(**chosen))
    return VectorIndex.open(folder / "i")


TEXTS = [*sentences(60, words=12), "w1 w2 w3", "w2 w1 w3", "w3 w2 w1 w1", "W1 W2 W3", "w1  w2 w3"]


@pytest.mark.parametrize("kind", [Exact(), Hnsw(links=8)], ids=lambda kind: kind.kind)
def test_pairs_are_the_best_of_all(kind, tmp_path, monkeypatch):
    if kind.kind == "hnsw":
        pytest.importorskip("faiss")
    monkeypatch.setattr("bertsmith.search.mining.ROWS_AT_ONCE", 7)
    indexed(tmp_path, TEXTS, neighbours=kind)
    delete(tmp_path / "i", [3])
    index = VectorIndex.open(tmp_path / "i")
    scores = index.vectors @ index.vectors.T
    every = [(a, b) for a, b in itertools.combinations(range(len(TEXTS)), 2) if 3 not in (a, b)]
    expected = sorted((round(float(scores[a, b]), 5) for a, b in every), reverse=True)[:20]
    found = mine_pairs(index, PairSettings(most=20, each=64), say=silent)
    np.testing.assert_allclose([pair.score for pair in found], expected, atol=2e-5)
    assert len({(pair.one, pair.other) for pair in found}) == 20
    assert all(pair.one < pair.other for pair in found)
    for pair in found:
        assert pair.score == pytest.approx(scores[pair.one, pair.other], abs=1e-5)


def test_pairs_above_a_score_and_without_mere_copies(tmp_path):
    index = indexed(tmp_path, TEXTS)
    same = [(60, 61), (60, 64), (61, 64)]
    found = mine_pairs(index, PairSettings(least=0.9999), say=silent)
    assert [(pair.one, pair.other) for pair in found] == same
    copies = mine_pairs(
        index,
        PairSettings(least=0.9999),
        same=lambda a, b: index.texts[a].split() == index.texts[b].split(),
        say=silent,
    )
    assert [(pair.one, pair.other) for pair in copies] == [(60, 61), (61, 64)]


def brute_connected(scores, threshold):
    near = scores >= threshold
    for middle in range(len(near)):
        near |= near[:, [middle]] & near[[middle]]
    return sorted({tuple(np.flatnonzero(row).tolist()) for row in near}, key=lambda group: (-len(group), group[0]))


@pytest.mark.parametrize("threshold", [0.6, 0.8, 1.0])
@pytest.mark.parametrize("kind", [Exact(), Hnsw(links=8)], ids=lambda kind: kind.kind)
def test_connected_clusters(threshold, kind, tmp_path, monkeypatch):
    if kind.kind == "hnsw":
        pytest.importorskip("faiss")
    monkeypatch.setattr("bertsmith.search.mining.ROWS_AT_ONCE", 7)
    index = indexed(tmp_path, TEXTS, neighbours=kind)
    scores = index.vectors @ index.vectors.T + np.eye(len(TEXTS))
    expected = [group for group in brute_connected(scores, threshold - 1e-6) if len(group) > 1]
    found = clusters(index, ClusterSettings(threshold=threshold, kind="connected"), say=silent)
    assert [tuple(group) for group in found] == expected


@pytest.mark.parametrize("rows", [7, 512])
def test_communities_are_like_their_centres_and_disjoint(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("bertsmith.search.mining.ROWS_AT_ONCE", rows)
    index = indexed(tmp_path, TEXTS)
    scores = index.vectors @ index.vectors.T
    found = clusters(index, ClusterSettings(threshold=0.7, least=3), say=silent)
    assert found
    assert {60, 61, 64} <= set(next(group for group in found if 60 in group))
    members = [row for group in found for row in group]
    assert len(members) == len(set(members))
    assert [len(group) for group in found] == sorted((len(group) for group in found), reverse=True)
    for centre, *others in found:
        assert len(others) >= 2
        assert (scores[centre, others] >= 0.7 - 1e-5).all()
    near = (scores >= 0.7 - 1e-6).sum(axis=1)
    assert len(found[0]) == near.max()


def test_every_like_row_is_seen_but_the_deleted(tmp_path):
    index = indexed(tmp_path, TEXTS)
    delete(tmp_path / "i", [61])
    index = VectorIndex.open(tmp_path / "i")
    found = similar.alike(index, np.array([60, 64]), threshold=0.99, most=10)
    assert list(zip(found.one.tolist(), found.other.tolist(), strict=True)) == [(60, 64), (64, 60)]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=30), st.integers(1, 5))
def test_sets_are_joined(pairs, parts):
    leaders = np.arange(16)
    for part in range(parts):
        some = np.array(pairs[part::parts], dtype=np.int64).reshape(-1, 2)
        unite(leaders, some[:, 0], some[:, 1])
    expected = list(range(16))
    for _ in range(16):
        for one, other in pairs:
            expected[one] = expected[other] = min(expected[one], expected[other])
    assert [min(np.flatnonzero(leaders == leader)) for leader in leaders] == expected


# Negatives.

PAIRS = [("w1 w2 w3", "w2 w1 w3"), ("w1 w2 w3", "w3 w2 w1 w1"), ("w5 w6 q", "w5 w6 a")]


def mined(index, **chosen):
    chosen = {"share": None, "known": "direct", **chosen}
    return list(mine_negatives(index, PAIRS, WordEmbedder(), NegativeSettings(**chosen), seed=3))


def test_negatives_are_the_nearest_that_are_not_known(tmp_path):
    index = indexed(tmp_path, [*TEXTS, "w5 w6 a"])
    found = mined(index, negatives=4, depth=60)
    assert [(one.query, one.positive) for one in found] == PAIRS
    known = {"w1 w2 w3", "w2 w1 w3", "w3 w2 w1 w1", "W1 W2 W3", "w1  w2 w3"}
    for one in found[:2]:
        assert not known & set(one.negatives)
        assert one.scores == tuple(sorted(one.scores, reverse=True))
    assert "w5 w6 a" not in found[2].negatives
    asked = WordEmbedder().encode(["w5 w6 q"])[0]
    scores = index.vectors @ (asked / np.linalg.norm(asked))
    best = [index.texts[int(row)] for row in np.argsort(-scores)]
    assert list(found[2].negatives) == [text for text in best if text != "w5 w6 a"][:4]


def test_a_share_and_a_margin_keep_unmarked_positives_out(tmp_path):
    index = indexed(tmp_path, TEXTS)
    loose, tight = mined(index, negatives=5, depth=60), mined(index, negatives=5, depth=60, share=0.5, margin=0.1)
    assert any(score > one.score * 0.5 for one in loose for score in one.scores)
    for one in tight:
        assert all(score <= one.score * 0.5 - 0.1 + 1e-6 for score in one.scores)


def test_ranks_are_passed_over_and_the_window_ends(tmp_path):
    index = indexed(tmp_path, TEXTS)
    all_ = mined(index, negatives=60, depth=30)[2].negatives
    some = mined(index, negatives=60, skip=5, depth=10)[2].negatives
    assert list(some) == list(all_[5:10])
    drawn = mined(index, negatives=3, depth=30, take="random")[2].negatives
    assert len(set(drawn)) == 3
    assert set(drawn) <= set(all_)
    assert mined(index, negatives=3, depth=30, take="random")[2].negatives == drawn


class Sure:
    def score(self, queries, texts):
        return np.array([1.0 if "w5" in text else 0.0 for text in texts], dtype=np.float32)


def test_what_a_judge_takes_for_right_is_no_negative(tmp_path):
    index = indexed(tmp_path, TEXTS)
    chosen = NegativeSettings(negatives=60, share=None)
    (*_, found) = mine_negatives(index, PAIRS, WordEmbedder(), chosen, scorer=Sure())
    assert found.negatives
    assert not any("w5" in text for text in found.negatives)


def test_groups_of_known_texts():
    groups = Groups([("a", "b"), ("B", "c"), ("x", "y")])
    assert groups.related("a", "Ａ", how="direct")
    assert groups.related("b", "a", how="direct")
    assert not groups.related("a", "c", how="direct")
    assert groups.related("a", "c", how="connected")
    assert not groups.related("a", "x", how="connected")
    assert not groups.related("new", "a", how="connected")
