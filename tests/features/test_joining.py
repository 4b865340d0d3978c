"""Chunks of a text joined: by hand, by torch's softmax, and a single chunk as it is."""

import pytest
import torch
from torch.testing import assert_close

from bertsmith.batch import Layout
from bertsmith.features import Joiner

LAYOUT = Layout.of((2, 1, 4))
VECTORS = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
GROUPS = VECTORS.split(LAYOUT.lengths)


def joiner(join: str) -> Joiner:
    return Joiner(join, 5, generator=torch.Generator().manual_seed(1)).double()


def test_mean_and_max():
    assert_close(joiner("mean")(VECTORS, LAYOUT), torch.stack([group.mean(0) for group in GROUPS]))
    assert_close(joiner("max")(VECTORS, LAYOUT), torch.stack([group.amax(0) for group in GROUPS]))


def test_attention_is_a_softmax_over_the_chunks_of_a_text():
    made = joiner("attention")
    with torch.no_grad():
        made.query.weight.mul_(300)
    expected = []
    for group in GROUPS:
        weights = made.query(torch.tanh(made.dense(group))).softmax(0)
        expected.append((weights * group).sum(0))
    assert_close(made(VECTORS, LAYOUT), torch.stack(expected))
    assert not torch.allclose(made(VECTORS, LAYOUT), joiner("mean")(VECTORS, LAYOUT))


def test_attention_begins_near_the_mean():
    assert_close(joiner("attention")(VECTORS, LAYOUT), joiner("mean")(VECTORS, LAYOUT), atol=0.05, rtol=0)


@pytest.mark.parametrize("join", ["mean", "max", "attention"])
def test_one_chunk_keeps_its_vector_and_others_have_no_say(join):
    made = joiner(join)
    joined = made(VECTORS, LAYOUT)
    assert_close(joined[1], VECTORS[2])
    for number, group in enumerate(GROUPS):
        assert_close(made(group, Layout.of((len(group),)))[0], joined[number])


def test_gradients():
    made = joiner("attention")
    inputs = VECTORS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: made(x, LAYOUT), inputs)


def test_large_scores_do_not_overflow():
    made = joiner("attention")
    with torch.no_grad():
        made.query.weight.mul_(1e6)
    assert torch.isfinite(made(VECTORS * 100, LAYOUT)).all()
