"""What is asked of a passage, place by place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.batch import Example
from bertsmith.encoder import Bidirectional, Causal, Permutation, PrefixLM, RightToLeft
from bertsmith.pretraining.corruption import Corruption
from bertsmith.pretraining.exercise import exercise, pack_exercises
from bertsmith.pretraining.lengths import Geometric
from bertsmith.pretraining.objective import Losses, Part
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.replacement import Replace
from bertsmith.pretraining.selection import Select

from .tiny import CLS, MASK, SEP, facts, named, passage


def rng(seed=0):
    return np.random.default_rng(seed)


def asked(attend, text):
    part = Part(arrange=OBJECTIVES["gpt"].arrange, corrupt=None, attend=attend, losses=Losses(next_token={}))
    answers = exercise(text, part, facts(), rng()).next
    return answers.rows.tolist(), answers.labels.tolist()


def pair() -> Passage:
    ids = np.array([CLS, 7, 8, SEP, 9, 10, SEP], dtype=np.int32)
    words = np.array([[1, 2], [2, 3], [4, 5], [5, 6]], dtype=np.int32)
    segments = np.array([0, 0, 0, 0, 1, 1, 1], dtype=np.int32)
    return Passage(Example(ids, segments), words, words[:0], relation=1)


def test_next_tokens_left_to_right():
    assert asked(Causal(), pair()) == ([0, 1, 2, 3, 4, 5], [7, 8, SEP, 9, 10, SEP])


def test_next_tokens_right_to_left():
    assert asked(RightToLeft(), pair()) == ([1, 2, 3, 4, 5, 6], [CLS, 7, 8, SEP, 9, 10])


def test_next_tokens_of_the_target_only_and_its_end():
    assert asked(PrefixLM(), pair()) == ([3, 4, 5], [9, 10, SEP])


@pytest.mark.parametrize("attend", [Bidirectional(), Permutation()], ids=lambda mask: mask.kind)
def test_next_token_must_not_be_seen(attend):
    with pytest.raises(ValueError, match="the answer would be seen"):
        Part(arrange=OBJECTIVES["gpt"].arrange, corrupt=None, attend=attend, losses=Losses(next_token={}))


class Chosen(Geometric):
    """Selects given stretches."""

    spans: tuple[tuple[int, int], ...]

    def place(self, units, budget, rng):
        return np.array(self.spans)


def borders(text: Passage, *spans: tuple[int, int], longest: int = 20):
    part = OBJECTIVES["spanbert"].part
    loss = part.losses.span_boundary.but(longest=longest)
    part = part.but(
        corrupt=Corruption.model_construct(
            select=Select.model_construct(**dict(Select(units="words")) | {"length": Chosen(spans=spans)}),
            replace=Replace(each="span"),
        ),
        losses=part.losses.but(span_boundary=loss),
    )
    found = exercise(text, part, facts(), rng()).spans
    return list(
        zip(found.rows.tolist(), found.right.tolist(), found.places.tolist(), found.labels.tolist(), strict=True)
    )


def test_borders_are_the_tokens_just_outside():
    ids = np.array([CLS, 20, 21, 22, 23, 24, 25, 26, SEP], dtype=np.int32)
    words = np.stack([np.arange(1, 8), np.arange(2, 9)], axis=1).astype(np.int32)
    text = Passage(Example(ids, np.zeros(9, dtype=np.int32)), words, words[:0])
    assert borders(text, (2, 4), (6, 7)) == [(1, 4, 0, 21), (1, 4, 1, 22), (5, 7, 0, 25)]
    assert borders(text, (2, 7), longest=2) == [(1, 7, 0, 21), (1, 7, 1, 22)]
    assert borders(text, (1, 3), (5, 8)) == []
    assert borders(text, (1, 3), (4, 5)) == [(3, 5, 0, 23)]


@given(seed=st.integers(0, 1000))
def test_queries_stand_beside_the_text(seed):
    part = OBJECTIVES["permutation"].part
    text = passage(seed, length=30)
    made = exercise(text, part, facts(), rng(seed))
    length, targets = len(text), made.position_ids[len(text) :]
    assert np.array_equal(made.example.token_ids[:length], text.example.token_ids)
    assert set(made.example.token_ids[length:]) == {MASK}
    assert np.array_equal(made.hidden.labels, text.example.token_ids[targets])
    assert np.array_equal(made.hidden.rows, np.arange(length, len(made)))
    assert np.array_equal(made.position_ids[:length], np.arange(length))
    rank = made.order[length:] // 2
    assert sorted(rank) == list(range(len(targets)))
    assert np.array_equal(made.order[targets], made.order[length:] + 1)
    assert (np.delete(made.order[:length], targets) == -1).all()


@pytest.mark.parametrize("name", OBJECTIVES)
@given(seeds=st.lists(st.integers(0, 50), min_size=1, max_size=4))
def test_rows_of_a_batch_are_those_of_its_texts(name, seeds):
    objective = named(name)
    for part in objective.parts:
        texts = [passage(seed, length=20, pair=part.losses.pair_relation is not None) for seed in seeds]
        made = [exercise(text, part, facts(), rng(seed)) for text, seed in zip(texts, seeds, strict=True)]
        batch = pack_exercises(made, part.attend)
        assert batch.num_tokens == sum(map(len, made))
        owners = np.repeat(np.arange(len(made)), [len(one) for one in made])
        for targets, rows in ((batch.hidden, "hidden"), (batch.next, "next")):
            if targets is not None:
                counts = [len(getattr(one, rows).rows) for one in made]
                assert np.array_equal(owners[targets.rows.numpy()], np.repeat(np.arange(len(made)), counts))
        for loss in part.losses.chosen:
            assert loss.weights(batch)
        if batch.spans is not None:
            tokens = np.concatenate([text.example.token_ids for text in texts])
            assert np.array_equal(tokens[(batch.spans.left + 1 + batch.spans.places).numpy()], batch.spans.labels)
            assert not np.isin(batch.hidden.rows, batch.spans.left).any()
            assert not np.isin(batch.hidden.rows, batch.spans.right).any()
        if batch.relations is not None:
            assert batch.relations.tolist() == [text.relation for text in texts]
        if batch.hidden is not None:
            assert sum(batch.counts.values()) == len(batch.hidden)
