"""Several tasks over one encoder: whose turn it is, whose head learns, and that any place of the run can be found."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from bertsmith.data import BatchPlan
from bertsmith.errors import UserError
from bertsmith.finetuning import (
    FineTuner,
    Fixed,
    Guided,
    LabelledUpdates,
    MixedUpdates,
    MultiTuner,
    Proportional,
    RDrop,
    Targets,
    Task,
    TaskBatch,
    Temperature,
    quotas,
)
from bertsmith.training import AdamW, ParameterGroup, Trainable, TrainingConfig, Updates, parameter_groups, train

from .samples import readings, tuner


def updates(texts: int, *, seed: int = 0, labels: int = 3, batch: int | None = 4) -> LabelledUpdates:
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 9, texts).tolist()
    targets = Targets(random.integers(0, labels, texts))
    plan = BatchPlan(batch_size=batch, max_tokens=20 if batch is None else 8192)
    return LabelledUpdates([readings(lengths, seed)], targets, plan, seed=seed)


def several(**changes: object) -> MultiTuner:
    """A topic of three labels and stars as a number, over one encoder."""
    topic = tuner(**changes)
    stars = Task.model_validate(
        {
            "answers": {"kind": "regression", "centre": 0.0, "scale": 1.0},
            "criterion": {"kind": "squared_error"},
            "head": {"dropout": 0.0},
        }
    )
    head = FineTuner(stars, topic.encoder, generator=torch.Generator().manual_seed(1))
    return MultiTuner({"topic": topic, "stars": head}, {"stars": 0.5})


def batches() -> dict[str, TaskBatch]:
    (topic,) = updates(4).update(0, 0, at_least=1)
    (stars,) = LabelledUpdates(
        [readings([3, 5, 4])], Targets(np.array([[0.5], [-1.0], [2.0]], dtype=np.float32)), BatchPlan(), seed=0
    ).update(0, 0, at_least=1)
    return {"topic": TaskBatch("topic", topic()), "stars": TaskBatch("stars", stars())}


# Shares.


def test_shares_by_hand():
    sizes = {"large": 90, "small": 10}
    assert quotas(Proportional(), sizes) == sizes
    assert quotas(Temperature(temperature=1), sizes) == sizes
    # 90^0.5 : 10^0.5 = 3 : 1
    assert quotas(Temperature(temperature=2), sizes) == {"large": 75, "small": 25}
    assert quotas(Temperature(temperature=1e9), sizes) == {"large": 50, "small": 50}
    assert quotas(Fixed(by_task={"large": 1, "small": 4}, updates_per_epoch=10), sizes) == {"large": 2, "small": 8}
    assert quotas(Temperature(temperature=1, updates_per_epoch=4), {"a": 999, "b": 1}) == {"a": 3, "b": 1}


def test_more_tasks_than_updates_are_refused():
    with pytest.raises(UserError, match="there are 3 tasks"):
        quotas(Temperature(updates_per_epoch=2), {"a": 1, "b": 1, "c": 1})


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=6),
    st.floats(1, 20),
    st.one_of(st.none(), st.integers(6, 300)),
)
def test_quotas_make_an_epoch_and_follow_the_sizes(sizes: list[int], temperature: float, wanted: int | None):
    named = {str(number): size for number, size in enumerate(sizes)}
    sampling = Temperature(temperature=temperature, updates_per_epoch=wanted)
    found = quotas(sampling, named)
    assert sum(found.values()) == (wanted or sum(sizes))
    assert min(found.values()) >= 1
    shares = sampling.shares(named)
    for name, number in found.items():
        exact = sum(found.values()) * shares[name] / sum(shares.values())
        assert number <= max(exact, 1) + 1
    ordered = sorted(named, key=named.__getitem__)
    assert all(found[small] <= found[large] + 1 for small, large in pairwise(ordered))


# Updates.


def texts_of(mixed: MixedUpdates, epoch: int, index: int) -> tuple[str, list[bytes]]:
    made = [build() for build in mixed.update(epoch, index, at_least=1)]
    ids = [batch.batch.texts.sequences.token_ids.split(batch.batch.texts.sequences.lengths) for batch in made]
    return made[0].task, [part.numpy().tobytes() for texts in ids for part in texts]


def test_an_epoch_by_size_reads_every_text_once():
    own = {"a": updates(17), "b": updates(6, seed=1), "c": updates(1, seed=2)}
    mixed = MixedUpdates(own, Proportional(), seed=3)
    assert isinstance(mixed, Updates)
    assert mixed.quotas == {"a": 5, "b": 2, "c": 1}
    for epoch in (0, 1):
        seen: dict[str, Counter] = {name: Counter() for name in own}
        for index in range(mixed.per_epoch(epoch)):
            name, texts = texts_of(mixed, epoch, index)
            seen[name].update(texts)
        for name, task in own.items():
            alone = [build() for i in range(task.per_epoch(epoch)) for build in task.update(epoch, i, at_least=1)]
            texts = [
                part.numpy().tobytes()
                for batch in alone
                for part in batch.texts.sequences.token_ids.split(batch.texts.sequences.lengths)
            ]
            assert seen[name] == Counter(texts)
    turns = [[texts_of(mixed, epoch, index)[0] for index in range(8)] for epoch in (0, 1)]
    assert turns[0] != turns[1]


@pytest.mark.parametrize("batch", [4, None], ids=["texts", "tokens"])
def test_every_task_goes_through_its_own_epochs_at_its_own_pace(batch: int | None):
    own = {"large": updates(40, batch=batch), "small": updates(6, seed=1, batch=batch)}
    mixed = MixedUpdates(own, Temperature(temperature=1e9), seed=0)
    met = [texts_of(mixed, epoch, index) for epoch in range(3) for index in range(mixed.per_epoch(epoch))]
    small = [texts for name, texts in met if name == "small"]
    expected = []
    for epoch in range(99):
        for index in range(own["small"].per_epoch(epoch)):
            made = [build() for build in own["small"].update(epoch, index, at_least=1)]
            parts = [one.texts.sequences.token_ids.split(one.texts.sequences.lengths) for one in made]
            expected.append([part.numpy().tobytes() for texts in parts for part in texts])
    assert small == expected[: len(small)]
    assert len(small) * 2 == len(met)


@settings(max_examples=20)
@given(st.integers(0, 5), st.integers(0, 7), st.integers(1, 4))
def test_any_place_of_the_run_can_be_found_anew(epoch: int, index: int, at_least: int):
    def made() -> MixedUpdates:
        own = {"a": updates(17), "b": updates(6, seed=1), "c": updates(1, seed=2)}
        return MixedUpdates(own, Temperature(temperature=3), seed=5)

    known, fresh = made(), made()
    for before in range(epoch):
        for place in range(known.per_epoch(before)):
            known.update(before, place, at_least=1)
    assert texts_of(known, epoch, index) == texts_of(fresh, epoch, index)
    assert len({build().task for build in fresh.update(epoch, index, at_least=at_least)}) == 1


# The model.


def test_it_is_trainable_and_its_losses_are_those_of_the_tasks_alone():
    model, made = several(), batches()
    assert isinstance(model, Trainable)
    assert model.loss_names == ("topic", "stars")
    alone = {"topic": several().tasks.topic, "stars": several().tasks.stars}
    for name, batch in made.items():
        sums, weights = model(batch), model.loss_weights(batch)
        other = "stars" if name == "topic" else "topic"
        counts = {"topic": 1.0, "stars": 0.5}
        assert_close(sums[name], counts[name] * alone[name](batch.batch)["loss"])
        assert_close(weights[name], alone[name].loss_weights(batch.batch)["loss"])
        assert sums[other] == weights[other] == 0


def test_gradients_of_one_task_touch_no_other_head():
    for name, batch in batches().items():
        model = several()
        model(batch)[name].backward()
        own, other = ("topic", "stars") if name == "topic" else ("stars", "topic")
        grads = {key: parameter.grad for key, parameter in model.named_parameters()}
        assert all(grad is None for key, grad in grads.items() if key.startswith(f"tasks.{other}."))
        assert all(grad is not None for key, grad in grads.items() if key.startswith((f"tasks.{own}.", "encoder.l")))
        assert sum(key.startswith("encoder.") for key in grads) == len(dict(model.encoder.named_parameters()))


def test_an_update_of_one_task_leaves_the_other_heads_byte_for_byte():
    model = several()

    class Topics:
        """Texts of one task only, though there are two."""

        def per_epoch(self, epoch: int) -> int:
            return 3

        def update(self, epoch: int, index: int, *, at_least: int) -> list:
            return [lambda: batches()["topic"]]

    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train(model, Topics(), TrainingConfig(optimizer=AdamW(lr=0.1), precision="float32"))
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {"tasks.topic.head.linear.weight", "encoder.embeddings.token.weight"} <= changed
    assert not any(name.startswith("tasks.stars.head") for name in changed)


def test_every_head_has_its_own_rate_and_the_encoder_is_there_once():
    model = several()
    groups = parameter_groups(model, AdamW(lr=1e-3, rates={r"tasks\.stars\..*": 0.5}))

    def rates(group: ParameterGroup) -> set[str]:
        return {name.split(".")[1] if name.startswith("tasks") else "encoder" for name in group.parameters}

    found = {(owner, group.rate) for group in groups for owner in rates(group)}
    assert found == {("encoder", 1e-3), ("topic", 1e-3), ("stars", 0.5)}
    names = [name for group in groups for name in group.parameters]
    assert len(names) == len(set(names)) == len(list(model.parameters()))
    assert not any("encoder" in name for name in names if name.startswith("tasks"))


def test_a_task_may_have_guides_and_any_name():
    topic = tuner(dropout=0.1)
    model = MultiTuner({"type": Guided(topic, r_drop=RDrop()), "values": topic}).train()
    assert model.loss_names == ("type", "type.r_drop", "values")
    batch = TaskBatch("type", batches()["topic"].batch)
    sums = model(batch)
    assert sums["type.r_drop"] > 0
    assert sums["values"] == 0
    assert "tasks.type.head.linear.weight" in dict(model.named_parameters())
