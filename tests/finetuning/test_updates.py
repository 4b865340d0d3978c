"""The training data as a function of the position in the run."""

from itertools import chain

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.data import BatchPlan
from bertsmith.finetuning import LabelledUpdates, Targets

from .samples import examples, readings

PLANS = st.builds(
    BatchPlan,
    batch_size=st.one_of(st.none(), st.integers(1, 7)),
    max_tokens=st.integers(8, 40),
    window=st.integers(1, 3),
)


def updates(lengths: list[int], plan: BatchPlan, seed: int = 0) -> LabelledUpdates:
    """The target of a text is its row, so that batches tell which texts they hold."""
    return LabelledUpdates([readings(lengths)], Targets(np.arange(len(lengths))), plan, seed=seed)


def rows_of(made: LabelledUpdates, epoch: int, at_least: int = 1) -> list[list[list[int]]]:
    return [
        [part().targets.tolist() for part in made.update(epoch, index, at_least=at_least)]
        for index in range(made.per_epoch(epoch))
    ]


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=25), plan=PLANS, epoch=st.integers(0, 3))
def test_every_text_once_an_epoch_with_its_own_target(lengths, plan, epoch):
    made = updates(lengths, plan)
    texts = examples(lengths)
    seen = []
    for index in range(made.per_epoch(epoch)):
        for build in made.update(epoch, index, at_least=1):
            batch = build()
            assert batch.num_tokens == sum(batch.texts.sequences.lengths)
            assert batch.num_tokens <= plan.max_tokens or len(batch.targets) == 1
            for row, tokens in zip(
                batch.targets.tolist(),
                batch.texts.sequences.token_ids.split(list(batch.texts.sequences.lengths)),
                strict=True,
            ):
                assert tokens.tolist() == texts[row].token_ids.tolist()
                seen.append(row)
    assert sorted(seen) == list(range(len(lengths)))


def test_the_same_position_gives_the_same_texts_in_any_order_of_asking():
    lengths = [3, 9, 4, 7, 5, 8, 6, 2, 5, 11]
    plan = BatchPlan(batch_size=3, max_tokens=12)
    one, two = updates(lengths, plan), updates(lengths, plan)
    forwards = [rows_of(one, epoch) for epoch in range(4)]
    backwards = [rows_of(two, epoch) for epoch in reversed(range(4))]
    assert forwards == backwards[::-1]
    assert forwards[0] != forwards[1]
    assert rows_of(updates(lengths, plan, seed=1), 0) != forwards[0]


def test_processes_share_an_update_without_changing_it():
    lengths = [3, 9, 4, 7, 5, 8, 6, 2, 5, 11]
    made = updates(lengths, BatchPlan(batch_size=5, max_tokens=1000))
    alone, shared = rows_of(made, 0), rows_of(made, 0, at_least=4)
    assert [sorted(chain(*parts)) for parts in shared] == [sorted(chain(*parts)) for parts in alone]
    assert all(len(parts) == 1 for parts in alone)
    assert all(len(parts) == 4 for parts in shared)


def test_batches_travel_to_a_device_whole():
    (build,) = updates([4, 6], BatchPlan(batch_size=2)).update(0, 0, at_least=1)
    batch = build()
    moved = batch.to("meta")
    assert moved.texts.sequences.token_ids.device == moved.targets.device == torch.device("meta")
    assert moved.num_tokens == batch.num_tokens == 10


def test_each_epoch_draws_a_view_of_every_text_with_its_own_target():
    lengths = [3] * 40
    first, second = readings(lengths, seed=1), readings(lengths, seed=2)
    made = LabelledUpdates([first, second], Targets(np.arange(40)), BatchPlan(batch_size=40), seed=5)
    taken = []
    for epoch in range(6):
        (build,) = made.update(epoch, 0, at_least=1)
        batch = build()
        assert batch.texts.sequences.token_ids.tolist() == build().texts.sequences.token_ids.tolist()
        seen = batch.texts.sequences.token_ids.view(40, 3).tolist()
        views = [
            [view[row].sequences[0].token_ids.tolist() for view in (first, second)].index(tokens)
            for row, tokens in zip(batch.targets.tolist(), seen, strict=True)
        ]
        taken.append([view for _, view in sorted(zip(batch.targets.tolist(), views, strict=True))])
    assert 0.35 < np.mean(taken) < 0.65
    assert len({tuple(views) for views in taken}) == 6
