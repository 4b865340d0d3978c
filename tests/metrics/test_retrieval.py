"""Retrieval metrics against values by hand and against trec_eval's own code."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import UserError
from bertsmith.metrics import retrieval_metrics, retrieval_scores

QRELS = {"a": {"d1": 2.0, "d2": 1.0, "d3": 0.0}, "b": {"d4": 1.0}}
RANKED = {"a": ["d3", "d2", "d9", "d1"], "b": ["d4", "d1"]}


def test_values_by_hand():
    scores = retrieval_scores(RANKED, QRELS, cutoffs=(1, 2, 4))
    a = {name: values[0] for name, values in scores.values.items()}
    assert (a["recall@1"], a["recall@2"], a["recall@4"]) == (0, 0.5, 1)
    assert (a["hit@1"], a["hit@2"], a["precision@4"]) == (0, 1, 0.5)
    assert (a["mrr"], a["mrr@1"], a["mrr@2"]) == (0.5, 0, 0.5)
    assert a["map"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    best = 2 + 1 / np.log2(3)
    assert a["ndcg@4"] == pytest.approx((1 / np.log2(3) + 2 / np.log2(5)) / best)
    assert a["ndcg@2"] == pytest.approx(1 / np.log2(3) / best)
    assert {values[1] for name, values in scores.values.items() if not name.startswith("precision")} == {1.0}
    assert scores.means()["recall@2"] == 0.75


@st.composite
def searches(draw):
    documents = [f"d{number}" for number in range(12)]
    qrels, ranked = {}, {}
    for number in range(draw(st.integers(1, 5))):
        judged = draw(st.lists(st.sampled_from(documents), min_size=1, unique=True))
        grades = {document: float(draw(st.integers(0, 3))) for document in judged}
        qrels[f"q{number}"] = {**grades, judged[0]: float(draw(st.integers(1, 3)))}
        ranked[f"q{number}"] = draw(st.lists(st.sampled_from(documents), min_size=1, unique=True))
    return ranked, qrels


@given(searches())
def test_equal_to_trec_eval(search):
    ranked, qrels = search
    ours = retrieval_scores(ranked, qrels, cutoffs=(1, 3, 5))
    whole = {query: {doc: int(grade) for doc, grade in grades.items()} for query, grades in qrels.items()}
    asked = {"recall.1,3,5", "P.1,3,5", "ndcg_cut.1,3,5", "map", "recip_rank", "success.1,3,5"}
    runs = {query: {doc: -float(place) for place, doc in enumerate(docs)} for query, docs in ranked.items()}
    theirs = pytrec_eval.RelevanceEvaluator(whole, asked).evaluate(runs)
    names = {"recall": "recall", "precision": "P", "ndcg": "ndcg_cut", "hit": "success"}
    for place, query in enumerate(ours.queries):
        for ours_name, theirs_name in names.items():
            for cut in (1, 3, 5):
                assert ours.values[f"{ours_name}@{cut}"][place] == pytest.approx(theirs[query][f"{theirs_name}_{cut}"])
        assert ours.values["map"][place] == pytest.approx(theirs[query]["map"])
        assert ours.values["mrr"][place] == pytest.approx(theirs[query]["recip_rank"])


def test_queries_without_an_answer():
    scores = retrieval_scores({"a": ["d1"]}, {**QRELS, "c": {"d1": 0.0}})
    assert (scores.queries, scores.left_out) == (("a", "b"), 1)
    assert scores.values["recall@10"].tolist() == [0.5, 0.0]


def test_intervals_hold_the_mean():
    ranked = {query: ["yes", "no"] if query % 3 else ["no", "yes"] for query in range(60)}
    scores = retrieval_scores(ranked, {query: {"yes": 1.0} for query in range(60)})
    low, high = scores.intervals()["mrr"]
    assert low < scores.means()["mrr"] < high
    assert scores.intervals()["recall@10"] == (1.0, 1.0)


def test_refusals():
    with pytest.raises(UserError, match="none of the 1 judged queries has a relevant document"):
        retrieval_metrics({}, {"a": {"d": 0.0}})
    with pytest.raises(UserError, match="stands twice"):
        retrieval_metrics({"a": ["d1", "d1"]}, QRELS)
