"""On a GPU, if there is one: every path of attention equals the predicate, and an update waits for nothing.

Written without a GPU; until a machine with one has run it, what it tests has never run there. Alone and in two
minutes: `python -m pytest -p no:randomly -n 0 tests/encoder/test_gpu_attention.py -q`. `--jaxtyping-packages=`
(empty) beside it leaves the shape checks out, should a compiler stumble over them.
"""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from bertsmith.encoder import Bidirectional, Causal, EncoderConfig, Learned, PrefixLM, Rotary, new_encoder
from bertsmith.encoder.attention import attend, plan
from bertsmith.encoder.paths import Need, missing_for_flex, missing_for_varlen, obstacle, preferred
from bertsmith.training import AdamW, Ranks, joined, plain
from bertsmith.training.groups import build_optimizer, parameter_groups
from bertsmith.training.update import Updater, reads_every
from tests.contracts.learners import LEARNERS
from tests.contracts.test_masks_kernels import MASKS, with_order
from tests.encoder.dense import dense_attend
from tests.encoder.samples import batch_of

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
GPU = torch.device("cuda", 0)
SORTED = (1, 2, 3, 3, 17, 64, 130, 300)
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2}


def qkv_for(tokens: int, size: int) -> torch.Tensor:
    return torch.randn(tokens, 3, 2, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def compared(path: str, mask, dtype: torch.dtype, size: int, lengths=SORTED) -> None:
    """A path on the GPU beside dense attention in float64 on the CPU, on the same numbers."""
    need = Need(GPU, dtype, size, mask, dropout=0.0, learning=True)
    if (reason := obstacle(path, need)) is not None:
        pytest.skip(reason)
    batch = with_order(batch_of(lengths))
    numbers = qkv_for(batch.num_tokens, size).to(dtype)
    dense = numbers.double().requires_grad_()
    far = numbers.to(GPU).requires_grad_()
    upstream = torch.randn(batch.num_tokens, 2, size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    right = dense_attend(dense, batch, mask)
    (right * upstream).sum().backward()
    left = attend(far, plan(batch.to(GPU), need, path), dropout=0.0)
    (left * upstream.to(GPU, dtype)).sum().backward()
    near = partial(assert_close, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    near(left.detach().double().cpu(), right.detach())
    near(far.grad.double().cpu(), dense.grad)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind)
@pytest.mark.parametrize("path", ["fused", "varlen", "flex"])
def test_every_path_equals_the_predicate(path, mask, dtype):
    compared(path, mask, dtype, 64)


@pytest.mark.parametrize("mask", [Bidirectional(), Causal()], ids=lambda mask: mask.kind)
def test_varlen_takes_heads_of_any_size_and_sequences_in_any_order(mask):
    compared("varlen", mask, torch.bfloat16, 26, lengths=(300, 3, 17, 1))


def test_a_new_gpu_has_all_paths():
    """Not an equality, a report: what this GPU lacks stands in the reason of the skip."""
    lacks = [reason for reason in (missing_for_varlen(GPU), missing_for_flex(GPU)) if reason]
    if lacks:
        pytest.skip("; ".join(lacks))
    need = Need(GPU, torch.bfloat16, 64, Bidirectional(), dropout=0.0, learning=True)
    assert (preferred(need), preferred(replace(need, mask=PrefixLM()))) == ("varlen", "flex")


def test_the_fused_path_drops_with_the_right_mean_and_rate():
    batch = batch_of((16,) * 400)
    qkv = torch.zeros(batch.num_tokens, 3, 2, 16)
    qkv[:, 2] = torch.eye(16).repeat(400, 1)[:, None]
    need = Need(GPU, torch.float32, 16, Bidirectional(), dropout=0.3, learning=True)
    assert preferred(need) == "fused"
    torch.manual_seed(0)
    weights = attend(qkv.to(GPU), plan(batch.to(GPU), need, "fused"), dropout=0.3) * 16
    dropped = (weights == 0).float()
    assert abs(dropped.mean() - 0.3) < 4 * (0.3 * 0.7 / weights.numel()) ** 0.5
    assert_close(weights[weights > 0], torch.full_like(weights[weights > 0], 1 / 0.7), rtol=1e-3, atol=0.0)


def test_flex_compiles_once_for_all_batches_and_masks():
    if (reason := missing_for_flex(GPU)) is not None:
        pytest.skip(reason)
    from torch._dynamo import config

    def pass_through(lengths, mask):
        batch = with_order(batch_of(lengths))
        need = Need(GPU, torch.bfloat16, 64, mask, dropout=0.0, learning=True)
        qkv = qkv_for(batch.num_tokens, 64).to(GPU, torch.bfloat16).requires_grad_()
        attend(qkv, plan(batch.to(GPU), need, "flex"), dropout=0.0).sum().backward()

    pass_through((5, 9), PrefixLM())
    with config.patch(error_on_recompile=True):
        for mask in MASKS:
            pass_through((300, 400), mask)
            pass_through((3,) * 700, mask)


@pytest.mark.parametrize("position", [Learned(), Rotary()], ids=lambda position: position.kind)
@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind)
def test_an_encoder_in_bfloat16_learns_what_it_learns_in_float32_on_a_cpu(mask, position):
    """Whatever paths the GPU prefers; the direction of each gradient agrees."""
    config = EncoderConfig(
        vocab_size=37,
        hidden_size=128,
        num_layers=2,
        num_heads=2,
        intermediate_size=256,
        position=position,
        hidden_dropout=0.0,
        attention_dropout=0.0,
    )
    batch = with_order(batch_of((300, 3, 17, 64)))
    near, far = new_encoder(config, seed=0).train(), new_encoder(config, seed=0).train().to(GPU)
    expected = near(batch, mask).last
    expected.square().sum().backward()
    with torch.autocast("cuda", torch.bfloat16):
        found = far(batch.to(GPU), mask).last
        found.square().sum().backward()
    assert_close(found.float().cpu(), expected, rtol=0.1, atol=0.1)
    for one, other in zip(far.parameters(), near.parameters(), strict=True):
        if other.grad is not None and other.grad.norm() > 1e-3:
            alike = torch.cosine_similarity(one.grad.cpu().flatten(), other.grad.flatten(), dim=0)
            assert alike > 0.98


@pytest.mark.parametrize("name", LEARNERS)
def test_an_update_waits_for_nothing(name):
    """torch raises where the host would wait; the first update sets up what is set up once."""
    learner = LEARNERS[name]
    model = learner.model().to(GPU).train()
    optimizer = build_optimizer(parameter_groups(model, AdamW()), AdamW())
    step = (joined if learner.joins else plain)(torch.bfloat16, GPU)
    every = reads_every(GPU, optimizer)
    update = Updater(model, optimizer, step, Ranks(device=GPU), GPU, seed=0, max_grad_norm=1.0, read_every=every)
    assert every > 1
    update.read([update(0, [partial(learner.batch, 9)], factor=0.5)])
    made = []
    try:
        torch.cuda.set_sync_debug_mode("error")
        for number in range(1, 4):
            made.append(update(number, [partial(learner.batch, 9)], factor=0.5))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(outcome.grad_norm > 0 for outcome in update.read(made))
