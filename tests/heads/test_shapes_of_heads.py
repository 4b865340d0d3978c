"""The heads beyond one linear map: neighbours where they should matter, and nowhere else."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from bertsmith.batch import Layout
from bertsmith.heads import BiLstm, Mlp, MultiSample, TextCnn

LENGTHS = (3, 1, 5)
WIDTH, OUTPUTS = 7, 3
PER_VECTOR = [Mlp(), Mlp(hidden=11, activation="gelu"), BiLstm(hidden=5, layers=2), MultiSample()]
ALL = [*PER_VECTOR, TextCnn(filters=4)]


def built(config, dtype=torch.float64):
    return config.build(WIDTH, OUTPUTS, generator=torch.Generator().manual_seed(1)).to(dtype).eval()


def vectors(seed=0):
    return torch.randn(sum(LENGTHS), WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.kind)
def test_texts_do_not_see_each_other(config):
    head, rows = built(config), vectors()
    together = head(rows, Layout.of(LENGTHS))
    alone = torch.cat([head(part, Layout.of([len(part)])) for part in rows.split(LENGTHS)])
    assert together.shape == ((len(LENGTHS) if config.gathers else len(rows)), OUTPUTS)
    assert_close(together, alone)
    order = [2, 0, 1]
    moved = head(torch.cat([rows.split(LENGTHS)[number] for number in order]), Layout.of([5, 3, 1]))
    assert_close(moved, torch.cat([together.split([1] * 3 if config.gathers else LENGTHS)[number] for number in order]))


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.kind)
def test_float32_under_autocast_and_seeded_weights(config):
    head = built(config, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = head(vectors().bfloat16(), Layout.of(LENGTHS))
    assert scores.dtype == torch.float32
    again = built(config, torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), again.parameters(), strict=True))
    assert all(p.std() > 0 for p in head.parameters() if p.ndim > 1)


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.kind)
def test_everything_learns(config):
    head = built(config)
    head(vectors(), Layout.of(LENGTHS)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in head.parameters())


def test_mlp_by_hand():
    head, rows = built(Mlp()), vectors()
    hidden = torch.tanh(rows @ head.dense.weight.T + head.dense.bias)
    assert_close(head(rows), hidden @ head.linear.weight.T + head.linear.bias)


def test_bilstm_equals_torch_on_a_padded_batch():
    config = BiLstm(hidden=5)
    head, rows = built(config), vectors()
    lstm = head.layers[0]
    expected = []
    for part in rows.split(LENGTHS):
        out, _ = lstm(part[:, None])
        expected.append(head.linear(out[:, 0]))
    assert_close(head(rows, Layout.of(LENGTHS)), torch.cat(expected))
    limit = 1 / math.sqrt(5)
    assert all(parameter.abs().max() <= limit for parameter in lstm.parameters())


def test_bilstm_of_no_rows_and_of_empty_groups():
    head = built(BiLstm(hidden=5))
    assert head(vectors()[:0], Layout.of([0, 0])).shape == (0, OUTPUTS)
    rows = vectors()
    assert_close(head(rows, Layout.of([0, 3, 1, 0, 5])), head(rows, Layout.of(LENGTHS)))


def test_text_cnn_equals_padded_convolutions_text_by_text():
    config = TextCnn(widths=(1, 2, 4), filters=6)
    head, rows = built(config), vectors()
    expected = []
    for part in rows.split(LENGTHS):
        found = []
        for size, dense in zip(config.widths, head.convolutions, strict=True):
            padded = nn.functional.pad(part, (0, 0, size - 1, size - 1))
            windows = torch.stack([padded[i : i + size].flatten() for i in range(len(padded) - size + 1)])
            found.append(dense(windows).relu().amax(0))
        expected.append(head.linear(torch.cat(found)))
    assert_close(head(rows, Layout.of(LENGTHS)), torch.stack(expected))


def test_multi_sample_is_the_head_inside_several_times():
    config = MultiSample(samples=3, of=Mlp(dropout=0.5))
    head, rows = built(config), vectors()
    assert head.samples == 3
    assert built(Mlp()).samples == 1
    assert torch.equal(head(rows), head.inner(rows))
    head.train()
    assert not torch.equal(head(rows), head(rows))
