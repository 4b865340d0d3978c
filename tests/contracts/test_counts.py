"""What a pass costs, counted and not timed: rows, products, operations, memory. The same on every machine.

They fail when somebody pads, casts every token once more, or loops over rows. The bounds below were counted
when they were written, with a tenth to spare; raise one only with a reason that is worth its price.
"""

from collections import Counter
from dataclasses import dataclass
from math import prod

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bertsmith.encoder.rounding import spare_rows
from bertsmith.training import AdamW, Ranks
from bertsmith.training.groups import build_optimizer, parameter_groups
from bertsmith.training.update import Updater
from tests.contracts.learners import CONTRASTING, FINETUNING, LEARNERS, PRETRAINING, encoder_of, labelled, pairs
from tests.encoder.samples import batch_of, small_encoder

CPU = torch.device("cpu")
TEXTS = 29
"""Every length from 3 to 31 once: two buckets in training, 29 in inference, and twice as many texts have no more."""


@dataclass(frozen=True)
class Bound:
    """Most operations of an update, and most bytes it asks for, in vectors of the encoder's width a token."""

    operations: int
    vectors: float
    why: str


BOUNDS = {
    "classification": Bound(550, 395, "dropout in six places of each layer and in attention"),
    "classification without dropout": Bound(470, 256, "two layers, two buckets of attention, one head, AdamW"),
    "multilabel": Bound(470, 256, "another criterion, nothing else"),
    "class tokens, text CNN": Bound(525, 298, "three convolutions over the tokens as they lie"),
    "crf": Bound(830, 285, "one step of the chain for each place in the longest text, for all texts at once"),
    "bilstm and crf": Bound(2030, 353, "on a CPU torch walks an LSTM place by place, in both directions"),
    "chunks": Bound(526, 271, "chunks are sequences like any others, and are joined in one go"),
    "pairs": Bound(1235, 510, "two parts, the first embedded twice, without and with gradients"),
    "all pairs": Bound(1220, 512, "as pairs; the scores of all texts against all are the rest"),
    "cosent": Bound(1225, 510, "as pairs, one score a pair"),
    "pairs that write": Bound(666, 455, "one part; scores over the vocabulary only where a target is named"),
    "bert": Bound(457, 128, "scores over the vocabulary at hidden tokens only, and one relation a text"),
    "spanbert": Bound(532, 141, "hidden tokens named twice: from themselves, and from the borders of their span"),
    "electra": Bound(724, 191, "a generator at the hidden tokens, the encoder on all"),
    "permutation": Bound(451, 142, "queries stand beside the content in one stream"),
}


class Counted(TorchDispatchMode):
    """Counts operations, casts, and the bytes of results that are no views of something."""

    def __init__(self):
        super().__init__()
        self.operations, self.bytes = Counter(), 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        if not operation.is_view:
            self.operations[operation._overloadpacket._qualified_op_name.removeprefix("aten::")] += 1
            for made in result if isinstance(result, tuple | list) else [result]:
                if isinstance(made, Tensor):
                    self.bytes += made.numel() * made.element_size()
        return result


def update(name: str, texts: int):
    """One update of a learner, counted; and the tokens it read."""
    learner = LEARNERS[name]
    model = learner.model().train()
    optimizer = build_optimizer(parameter_groups(model, AdamW()), AdamW())
    updater = Updater(model, optimizer, learner.step(CPU), Ranks(), CPU, seed=0, max_grad_norm=1.0)
    batch = learner.batch(texts)
    with Counted() as counted:
        updater(0, [lambda: batch], factor=0.5)
    return counted, batch.num_tokens, encoder_of(model).config.hidden_size


@pytest.mark.parametrize("name", LEARNERS)
def test_an_update_takes_no_more_operations_for_more_texts(name):
    few, tokens, width = update(name, TEXTS)
    many, more_tokens, _ = update(name, 2 * TEXTS)
    assert few.operations == many.operations, "something is done text by text"
    bound = BOUNDS[name]
    assert sum(few.operations.values()) <= bound.operations, bound.why
    for counted, number in ((few, tokens), (many, more_tokens)):
        assert counted.bytes <= bound.vectors * number * width * 4, bound.why


def test_inference_takes_a_few_operations_for_each_length_and_none_for_each_text():
    encoder = small_encoder()
    counts = []
    for number in (TEXTS, 2 * TEXTS):
        texts = labelled(number).texts.sequences
        with torch.no_grad():
            encoder(texts)
            with Counted() as counted:
                encoder(texts)
        counts.append(sum(counted.operations.values()))
    assert counts[0] == counts[1]
    kernels = encoder.config.num_layers * TEXTS
    assert counts[0] <= kernels + 56, "attention of a length is one kernel, and it reads and writes in place"


def test_casts_do_not_grow_with_anything():
    """In mixed precision weights are cast once an update, states where they leave a norm; in float32 nothing is."""
    casts = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = LEARNERS["classification without dropout"].model().train()
        batch = labelled(TEXTS)
        with Counted() as counted:
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                loss = model(batch)["loss"]
            loss.backward()
        casts[dtype] = counted.operations["_to_copy"]
    assert casts[torch.float32] <= 1
    assert casts[torch.bfloat16] <= 50


@pytest.mark.parametrize("name", [*FINETUNING, *CONTRASTING, *PRETRAINING])
def test_every_linear_layer_sees_real_tokens_only(name):
    """And the head of a vocabulary only those whose token is asked for."""
    learner = LEARNERS[name]
    model, batch = learner.model().train(), learner.batch(TEXTS)
    encoder, seen = encoder_of(model), Counter()

    def count(module: nn.Linear, inputs: tuple[Tensor, ...]) -> None:
        seen[names[module]] += prod(inputs[0].shape[:-1])

    names = {module: path for path, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    for module in names:
        module.register_forward_pre_hook(count)
    model(batch)
    last = encoder.config.num_layers - 1
    assert len(seen) == 4 * encoder.config.num_layers
    for path, rows in seen.items():
        asked = None if name == "electra" else getattr(batch, "asked", None)
        if f".{last}." in path and "qkv" not in path and asked is not None:
            assert rows == len(asked) < batch.num_tokens / 2, path
        else:
            assert rows <= batch.num_tokens, path
            assert rows == batch.num_tokens or f".{last}." in path, path


@pytest.mark.parametrize("name", ["bert", "electra"])
def test_the_vocabulary_is_compared_with_hidden_tokens_only(name):
    learner = LEARNERS[name]
    model, batch = learner.model().train(), learner.batch(TEXTS)
    head = model.heads["generator"].mlm if name == "electra" else model.heads["mlm"]
    rows = []
    head.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    model(batch)
    assert rows == [len(batch.hidden)]
    assert rows[0] < batch.num_tokens / 4


@pytest.mark.parametrize("name", ["crf", "bilstm and crf"])
def test_heads_of_tokens_see_the_tokens_that_get_an_answer(name):
    learner = LEARNERS[name]
    model, batch = learner.model().train(), learner.batch(TEXTS)
    rows = []
    for module in model.head.modules():
        if isinstance(module, nn.Linear | nn.LSTM):
            module.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0].data)))
    model(batch)
    assert rows
    assert set(rows) == {len(batch.targets)}


def sdpa_flops(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_, **__) -> int:
    """torch does not count its kernel for CPUs: scores, and what is mixed by them."""
    batch, heads, tokens, size = query
    return 2 * batch * heads * tokens * key[2] * (size + value[3])


def packed_flops(states: tuple[int, ...], *others: object, **_: object) -> int:
    """Nor products by packed weights; some are given a residual first."""
    weight = others[1] if len(others[1]) == 2 else others[0]
    return 2 * states[0] * weight[0] * weight[1]


NOT_COUNTED = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: sdpa_flops,
    torch.ops.mkldnn._linear_pointwise: packed_flops,
}


def analytic(encoder, tokens: int, squares: int) -> int:
    """Twice the multiplications of a pass forward; `squares` are the scores a head computes."""
    config = encoder.config
    hidden, inner = config.hidden_size, config.intermediate_size
    each_token = 2 * (4 * hidden**2 + 2 * hidden * inner)
    return config.num_layers * (tokens * each_token + 4 * squares * hidden)


def test_products_of_inference_are_those_of_the_formula():
    """Scores not one more: sequences of equal length are rectangles without rounding. Rows up to a multiple of 32."""
    encoder, sizes = small_encoder(), (5, 9, 9, 31, 17, 30, 2)
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=NOT_COUNTED) as counter:
        states = encoder(batch_of(sizes))
    spare = spare_rows(sum(sizes), CPU, answering=True)
    assert states.padded_tokens == spare < 32
    assert counter.get_total_flops() == analytic(encoder, sum(sizes) + spare, sum(size**2 for size in sizes))


def test_products_of_training_are_those_of_the_formula_and_the_stated_rounding():
    """Forward once, backward twice; scores of a bucket are as many as its longest sequence asks for."""
    encoder, sizes = small_encoder().train(), (5, 9, 9, 31, 17, 30, 2)
    with FlopCounterMode(display=False) as counter:
        states = encoder(batch_of(sizes))
        states.last.sum().backward()
    buckets = [[2, 5, 9, 9], [17, 30, 31]]
    squares = sum(len(bucket) * bucket[-1] ** 2 for bucket in buckets)
    assert states.padded_tokens == sum(bucket[-1] - size for bucket in buckets for size in bucket)
    assert counter.get_total_flops() == 3 * analytic(encoder, sum(sizes), squares)


def test_products_in_bfloat16_are_rounded_to_multiples_of_32():
    encoder, sizes = small_encoder().train(), (5, 9, 9, 31, 17, 30, 2)
    with FlopCounterMode(display=False) as counter, torch.autocast("cpu", torch.bfloat16):
        states = encoder(batch_of(sizes))
        states.last.sum().backward()
    tokens, squares = 128, len(sizes) * 32**2
    assert states.padded_tokens == tokens - sum(sizes) + len(sizes) * 32 - sum(sizes)
    assert counter.get_total_flops() == 3 * analytic(encoder, tokens, squares)


def test_pairs_embed_the_first_part_twice_and_the_last_once():
    """The gradient cache reads a part without gradients first; the last needs no second reading."""
    learner = LEARNERS["pairs"]
    model, batch = learner.model().train(), pairs(TEXTS)
    rows = Counter()
    encoder_of(model).feed_forward[0].up.register_forward_pre_hook(lambda module, inputs: rows.update([len(inputs[0])]))
    one = {name: torch.tensor(1.0) for name in model.loss_names}
    learner.step(CPU)(model, batch, one)
    assert rows == {batch.parts[0].texts.num_tokens: 2, batch.parts[1].texts.num_tokens: 1}
