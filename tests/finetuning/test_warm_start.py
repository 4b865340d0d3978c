"""The warm start: who is paired with whom, what learns, and that classes come apart."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.finetuning import ClassUpdates, Warmer, pairs_of_classes
from bertsmith.losses import ClassCosine, SupervisedContrast
from bertsmith.training import AdamW, Budget, Trainable, TrainingConfig, Updates, train

from .samples import readings, tuner


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(0, 99))
def test_every_text_is_paired_within_its_class(classes: list[int], seed: int):
    values = np.array(classes)
    pairs = pairs_of_classes(values, np.random.default_rng(seed))
    assert (values[pairs[:, 0]] == values[pairs[:, 1]]).all()
    often = Counter(pairs.reshape(-1).tolist())
    assert set(often) == set(range(len(classes)))
    counts = Counter(classes)
    for one, number in counts.items():
        own = [row for row in range(len(classes)) if classes[row] == one]
        assert sum(often[row] for row in own) == number + number % 2
        theirs = pairs[values[pairs[:, 0]] == one]
        assert (theirs[:, 0] == theirs[:, 1]).any() == (number == 1)


def updates(number: int = 21, batch_size: int = 8, seed: int = 0) -> ClassUpdates:
    classes = np.arange(number) % 3
    return ClassUpdates(readings([4] * number), classes, batch_size=batch_size, seed=seed)


def test_updates_are_pairs_and_a_function_of_the_position():
    made = updates()
    assert isinstance(made, Updates)
    # 3 classes of 7 texts make 12 pairs: three updates of four pairs.
    assert made.per_epoch(0) == 3
    (build,) = made.update(1, 2, at_least=4)
    batch = build()
    assert batch.classes[0::2].tolist() == batch.classes[1::2].tolist()
    fresh = updates().update(1, 2, at_least=1)[0]()
    assert torch.equal(batch.texts.sequences.token_ids, fresh.texts.sequences.token_ids)
    other = made.update(0, 2, at_least=1)[0]()
    assert not torch.equal(batch.texts.sequences.token_ids, other.texts.sequences.token_ids)


def test_a_single_pair_left_over_joins_the_update_before():
    # 3 classes of 6 texts make 9 pairs: 4, and 4 + 1.
    sizes = [len(updates(18).update(0, index, at_least=1)[0]().classes) for index in range(updates(18).per_epoch(0))]
    assert sizes == [8, 10]


@pytest.mark.parametrize("loss", [SupervisedContrast(), ClassCosine()], ids=lambda loss: loss.kind)
def test_classes_come_apart_and_the_head_stays(loss: SupervisedContrast | ClassCosine):
    model = tuner(features={"pooling": "mean"})
    head = model.head.linear.weight.detach().clone()
    warmer = Warmer(model, loss)
    assert isinstance(warmer, Trainable)
    assert not any("head" in name for name, _ in warmer.named_parameters())
    config = TrainingConfig(
        optimizer=AdamW(lr=1e-2), budget=Budget(epochs=12), precision="float32", selection={"keep": "last"}
    )
    data = updates(18)
    batch = data.update(0, 0, at_least=1)[0]()

    def apart() -> float:
        with torch.no_grad():
            units = torch.nn.functional.normalize(model.eval().vectors(batch.texts), dim=1)
        alike = batch.classes[:, None] == batch.classes[None, :]
        cosines = units @ units.T
        return float(cosines[alike].mean() - cosines[~alike].mean())

    before = apart()
    train(warmer, data, config)
    assert apart() > before + 0.2
    assert torch.equal(model.head.linear.weight, head)
