"""What stands around the kernels for packed tokens equals the predicate, as far as a CPU can show it.

varlen: with a double in the kernel's place that computes sequence by sequence. flex: its own numbers without
the compiled kernel (forward only: it has no way back on a CPU), and the blocks it may skip. The kernels
themselves are for `test_gpu_attention.py`.
"""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.encoder import Bidirectional, Causal, Permutation, PrefixLM, Rotary, encoder, unpadded
from bertsmith.encoder.attention import attend
from bertsmith.encoder.masks import Place
from bertsmith.encoder.rounding import spare_rows
from bertsmith.encoder.unpadded import BLOCK, mixed_by_flex, plan_flex, plan_varlen
from tests.contracts.test_masks_kernels import MASKS, qkv_for, with_order
from tests.encoder.dense import dense_attend
from tests.encoder.samples import batch_of, small_encoder

UNSORTED = (3, 1, 17, 7, 7, 2)
quiet = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")


def sequence_by_sequence(query, key, value, bounds, _, longest, __, *, scale, window_size):
    """What the varlen kernel promises, written out; it takes heads of a multiple of 8 only."""
    assert query.shape[-1] % 8 == 0
    assert longest == int(bounds.diff().max())
    assert bounds.dtype == torch.int32
    parts = []
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        own = (part[start:stop].transpose(0, 1)[None] for part in (query, key, value))
        causal = window_size == (-1, 0)
        parts.append(F.scaled_dot_product_attention(*own, scale=scale, is_causal=causal)[0].transpose(0, 1))
    return torch.cat(parts)


@pytest.fixture
def doubles(monkeypatch):
    """Kernels that can be computed here."""
    monkeypatch.setattr(unpadded, "varlen_kernel", lambda: sequence_by_sequence)
    monkeypatch.setattr(unpadded, "flex_kernel", lambda: mixed_by_flex)


def compared(plan, batch, mask, *, backward):
    packed, dense = (qkv_for(batch).requires_grad_(backward) for _ in range(2))
    left, right = attend(packed, plan, dropout=0.0), dense_attend(dense, batch, mask)
    assert_close(left, right)
    if backward:
        upstream = torch.randn(left.shape, generator=torch.Generator().manual_seed(2), dtype=left.dtype)
        (left * upstream).sum().backward()
        (right * upstream).sum().backward()
        assert_close(packed.grad, dense.grad)


@pytest.mark.parametrize("mask", [Bidirectional(), Causal()], ids=lambda mask: mask.kind)
def test_varlen_equals_the_predicate(doubles, mask):
    batch = batch_of(UNSORTED)
    compared(plan_varlen(batch, mask), batch, mask, backward=True)


@quiet
@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind)
@pytest.mark.parametrize("lengths", [UNSORTED, (130, 5, 200), (256,)], ids=str)
def test_flex_equals_the_predicate(doubles, mask, lengths):
    batch = with_order(batch_of(lengths))
    compared(plan_flex(batch, mask), batch, mask, backward=False)


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind)
@settings(max_examples=25)
@given(lengths=st.lists(st.integers(1, 11), min_size=1, max_size=9))
def test_blocks_left_out_hold_nothing_and_whole_ones_everything(mask, lengths):
    """With small blocks, so that there are many: every pair allowed lies in a block that is computed."""
    block, batch = 4, with_order(batch_of(lengths))
    plan = plan_flex(batch, mask, block=block)
    allowed = allowed_pairs(batch, mask)
    allowed = F.pad(allowed, (0, plan.rows - len(allowed)) * 2).view(plan.rows // block, block, -1, block)
    some, every = allowed.any(3).any(1), allowed.all(3).all(1)
    partial, whole = (listed(*lists) for lists in kinds(plan.blocks))
    assert not (partial & whole).any()
    assert (some <= (partial | whole)).all()
    inside = slice(0, batch.num_tokens // block)
    assert (whole[inside, inside] <= every[inside, inside]).all()
    assert plan.rows % (2 * block) == 0
    assert plan.rows - batch.num_tokens < 2 * block


def allowed_pairs(batch, mask):
    """The predicate on all pairs of tokens."""
    lengths = torch.tensor(batch.lengths)
    sequence = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    index = torch.cat([torch.arange(length) for length in batch.lengths])
    places = [Place(*(part.unsqueeze(axis) for part in (index, batch.segment_ids, batch.order))) for axis in (1, 0)]
    return (sequence[:, None] == sequence) & mask(*places)


def kinds(blocks):
    yield blocks.kv_num_blocks[0, 0], blocks.kv_indices[0, 0]
    yield blocks.full_kv_num_blocks[0, 0], blocks.full_kv_indices[0, 0]


def listed(counts, indices):
    """The blocks of a list as a table."""
    table = torch.zeros(len(counts), len(counts), dtype=torch.bool)
    for row, (count, columns) in enumerate(zip(counts.tolist(), indices.tolist(), strict=True)):
        table[row, columns[:count]] = True
    return table


def test_long_sequences_have_whole_blocks_and_strangers_none():
    plan = plan_flex(batch_of((512, 512)), Bidirectional())
    partial, whole = (listed(*lists) for lists in kinds(plan.blocks))
    assert whole.tolist() == torch.block_diag(torch.ones(4, 4), torch.ones(4, 4)).bool().tolist()
    assert not partial.any()
    causal = listed(*next(kinds(plan_flex(batch_of((512, 512)), Causal()).blocks)))
    assert causal.tolist() == torch.eye(8).bool().tolist()


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind)
def test_levels_say_the_same_as_the_predicate(mask):
    batch = with_order(batch_of((1, 2, 13)))
    index = torch.cat([torch.arange(length) for length in batch.lengths])
    own, highest = mask.levels(Place(index, batch.segment_ids, batch.order))
    by_levels = (own[None] <= highest[:, None]) | torch.eye(len(own), dtype=torch.bool)
    lengths = torch.tensor(batch.lengths)
    sequence = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    assert torch.equal(by_levels & (sequence[:, None] == sequence), allowed_pairs(batch, mask))


def test_levels_of_permutation_need_an_order():
    with pytest.raises(ValueError, match=r"PackedBatch\.order"):
        plan_flex(batch_of((2, 3)), Permutation())


def test_nothing_is_compiled_anew_for_another_batch_or_mask():
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    kernel = torch.compile(mixed_by_flex, dynamic=True, fullgraph=True, backend=counter)
    cases = [((5,), PrefixLM()), ((300, 400), Causal()), ((3,) * 700, Permutation()), ((9, 1000), PrefixLM())]
    for lengths, mask in cases:
        batch = with_order(batch_of(lengths))
        plan = plan_flex(batch, mask)
        with torch.no_grad():
            mixed = kernel(
                F.pad(qkv_for(batch).float(), (0, 0, 0, 0, 0, 0, 0, plan.rows - batch.num_tokens)), plan.blocks
            )
        if batch.num_tokens < 1000:
            assert_close(mixed[: batch.num_tokens], dense_attend(qkv_for(batch).float(), batch, mask))
    assert counter.frame_count == 1


@pytest.mark.parametrize("path", ["varlen", "flex"])
def test_dropout_is_not_ignored(doubles, path):
    batch = batch_of((3, 2))
    plan = plan_varlen(batch, Bidirectional()) if path == "varlen" else plan_flex(batch, Bidirectional())
    with pytest.raises(ValueError, match="drop nothing"):
        attend(qkv_for(batch), plan, dropout=0.1)


@quiet
@pytest.mark.parametrize("path", ["varlen", "flex"])
@pytest.mark.parametrize("position", ["learned", "rotary"])
def test_an_encoder_goes_either_way_with_the_same_states(doubles, monkeypatch, path, position):
    """Sequences need not be sorted; rows of rounding stand in the way of nothing."""
    shape = {"hidden_size": 30, "num_heads": 3} | ({"position": Rotary()} if position == "rotary" else {})
    model, batch = small_encoder(**shape), batch_of(UNSORTED)
    with torch.no_grad():
        plain = model(batch, keep_layers=(0, 1, -1), rows=torch.tensor([0, 4, 9]))
        monkeypatch.setattr(encoder, "chosen_path", lambda asked, need: path)
        other = model(batch, keep_layers=(0, 1, -1), rows=torch.tensor([0, 4, 9]))
        for layer in plain:
            assert_close(other[layer], plain[layer])
    spare = spare_rows(sum(UNSORTED), torch.device("cpu"), answering=True)
    expected = spare if path == "varlen" else 2 * BLOCK - sum(UNSORTED)
    assert other.padded_tokens == expected


def test_a_source_read_for_writing_is_still_sorted(doubles, monkeypatch):
    """What is remembered of the layers lies in ascending order of length, whatever the path."""
    model, batch = small_encoder(), batch_of((5, 2))
    seen = []
    monkeypatch.setattr(encoder, "chosen_path", lambda asked, need: "varlen")
    with torch.no_grad():
        model(batch, remember=lambda layer, values: seen.append(values))
        again = []
        model(replace(batch_of((5, 2))), remember=lambda layer, values: again.append(values))
        alone = []
        monkeypatch.setattr(encoder, "chosen_path", lambda asked, need: "fused")
        model(batch, remember=lambda layer, values: alone.append(values))
    for one, other in zip(seen, alone, strict=True):
        assert_close(one, other)
