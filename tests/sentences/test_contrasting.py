"""What an update reads, which of its texts mean the same, and the learner's losses."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.batch import Example, pack
from bertsmith.data import BatchPlan
from bertsmith.encoder import EncoderConfig, new_encoder
from bertsmith.encoder.masks import PrefixLM
from bertsmith.errors import UserError
from bertsmith.features import NAMED_FEATURES
from bertsmith.heads import VocabularyHead
from bertsmith.losses import AllPairs, InBatch, Truth
from bertsmith.sentences import Projection, Projector, SentenceEmbedder, SentenceTask
from bertsmith.sentences.contrasting import EachText, ItemBatch, ItemUpdates, Part
from bertsmith.sentences.items import Items, Partners, alike, drawn_pairs
from bertsmith.sentences.learner import SentenceLearner, differences_by_dropout
from bertsmith.training import joined, plain

VOCABULARY, TEXTS = 31, 24
CPU = torch.device("cpu")


def examples(number: int = TEXTS, seed: int = 0) -> list[Example]:
    random = np.random.default_rng(seed)
    sizes = random.integers(4, 12, number)
    return [Example(random.integers(5, VOCABULARY, size), np.zeros(size, dtype=np.int64)) for size in sizes]


def learner(loss=None, *, dropout: float = 0.1, dtype=torch.float64, writes=False, **task) -> SentenceLearner:
    config = EncoderConfig(
        vocab_size=VOCABULARY,
        hidden_size=12,
        num_layers=2,
        num_heads=3,
        intermediate_size=19,
        hidden_dropout=dropout,
        attention_dropout=dropout,
        initializer_range=0.2,
    )
    chosen = SentenceTask(features=NAMED_FEATURES["cls"], **task)
    generator = torch.Generator().manual_seed(0)
    embedder = SentenceEmbedder(chosen, new_encoder(config, seed=0), generator=generator)
    head = None if writes else Projector(Projection(width=12, activation="tanh"), 12, generator=generator)
    writer = VocabularyHead(config, generator=generator) if writes else None
    criterion = (loss or InBatch()).build(12, 0)
    return SentenceLearner(embedder, criterion, training_head=head, writer=writer).to(dtype)


def copies(number: int = TEXTS) -> Items:
    slots = np.arange(number)[:, None].repeat(2, axis=1)
    return Items(
        [f"text {n}" for n in range(number)],
        np.arange(number),
        lambda epoch: slots,
        Partners.of(np.zeros((0, 2), dtype=np.int64), number),
    )


def updates(items: Items | None = None, *, size: int = 8, max_tokens: int = 8192) -> ItemUpdates:
    plan = BatchPlan(batch_size=size, window=1, max_tokens=max_tokens)
    return ItemUpdates(items or copies(), EachText.of(examples()), plan, seed=0, masked=True)


def test_which_texts_are_alike():
    # items (0, 1), (2, 3), (0, 4), and 1 is known to mean what 3 does
    classes = np.array([[0, 1], [2, 3], [0, 4]])
    partners = Partners.of(np.array([[0, 1], [2, 3], [0, 4], [1, 3]]), 5)
    found = {tuple(pair) for pair in alike(classes, partners).tolist()}
    means = {0: {0, 1, 4}, 1: {0, 1, 3}, 2: {2, 3}, 3: {1, 2, 3}, 4: {0, 4}}
    flat = classes.ravel().tolist()
    expected = {(i, j) for i, one in enumerate(flat) for j, two in enumerate(flat) if i != j and two in means[one]}
    assert found == expected


def test_pairs_of_groups_are_drawn_anew():
    members = [np.array([0, 1]), np.array([2, 3, 4]), np.array([5, 6, 7, 8, 9])]
    draw = drawn_pairs(members, seed=1)
    seen = [draw(epoch) for epoch in range(200)]
    for slots in seen:
        for pair, group in zip(slots, members, strict=True):
            assert pair[0] != pair[1]
            assert set(pair) <= set(group)
    assert (draw(3) == seen[3]).all()
    counts = np.bincount(np.concatenate([slots[2] for slots in seen]), minlength=10)[5:]
    assert counts.min() > 50  # 400 draws of five texts


def test_every_item_once_an_epoch_however_many_processes():
    made = updates(size=10)
    assert made.per_epoch(0) == 2  # 10 and 14: the last four would be few negatives
    for index in range(2):
        whole = made.update(0, index, at_least=1)[0]()
        shared = [build() for build in made.update(0, index, at_least=3)]
        assert whole.items == shared[0].items
        assert [batch.first for batch in shared] == np.cumsum(
            [0, *(sum(len(p.texts.lengths) // 2 for p in b.parts) for b in shared[:-1])]
        ).tolist()
        tokens = [sorted(torch.cat([part.texts.token_ids for part in batch.parts]).tolist()) for batch in (whole,)]
        assert sum(batch.num_tokens for batch in shared) == len(tokens[0])
    with pytest.raises(UserError, match="cannot be shared by 100 processes"):
        made.update(0, 0, at_least=100)


def test_parts_hold_few_tokens():
    (build,) = updates(size=24, max_tokens=40).update(0, 0, at_least=1)
    batch = build()
    assert len(batch.parts) > 5
    assert all(part.texts.num_tokens <= 40 for part in batch.parts)
    assert batch.items == 24


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_gradients_equal_those_of_the_whole_batch_with_dropout(dtype, close, writes):
    """The encoder's own dropout, in every part, embedded twice."""
    found = {}
    for name, step in (("joined", joined(torch.float32, CPU)), ("plain", plain(torch.float32, CPU))):
        model = learner(AllPairs(), dropout=0.3, dtype=dtype, writes=writes).train()
        (build,) = updates(size=24, max_tokens=60).update(0, 0, at_least=1)
        batch = build()
        torch.manual_seed(7)
        scales = {loss: torch.tensor(1 / 48) for loss in model.loss_names}
        sums = step(model, batch, scales)
        found[name] = {n: p.grad for n, p in model.named_parameters() if p.grad is not None} | dict(sums)
    assert_close(found["joined"], found["plain"], atol=close, rtol=close)


def test_dropout_is_what_tells_copies_apart():
    (build,) = updates().update(0, 0, at_least=1)
    part = build().parts[0]
    assert differences_by_dropout(learner(dropout=0.1), part) > 0.01
    model = learner(dropout=0.0)
    model.eval()
    assert differences_by_dropout(model, part) == 0.0
    assert not model.training


def test_the_training_head_is_not_served():
    model = learner().eval()
    (build,) = updates().update(0, 0, at_least=1)
    part = build().parts[0]
    served, compared = model.embedder(part.texts), model.vectors(part).flatten(0, 1)
    assert not torch.allclose(served, F.normalize(compared, dim=1))
    assert model.depth_of("training_head.linear.weight") == model.top_depth + 1
    assert model.depth_of("embedder.encoder.embeddings.token.weight") == 0


def pair(source: list[int], target: list[int]) -> Example:
    ids = [1, *source, 2, *target, 2]
    return Example(np.array(ids), np.array([0] * (len(source) + 2) + [1] * (len(target) + 1)))


def test_the_words_of_the_target_are_written_and_cls_sees_the_source_alone():
    model = learner(AllPairs(scale=30), dropout=0.0, writes=True).eval()
    one, other = [5, 6, 7], [8, 9]
    part = Part.of([pair(one, other), pair(other, one)], 2)
    vectors, sums = model.read(part)
    assert vectors.shape == (1, 2, 12)
    alone = pack([Example(np.array([1, *one, 2]), np.zeros(5, dtype=np.int64))])
    assert_close(vectors[0, 0], model.embedder(alone)[0] * vectors[0, 0].norm())
    states = model.embedder.encoder(part.texts, PrefixLM()).last
    scores = model.writer.scores(states, model.embedder.encoder.embeddings.token.weight)
    rows, labels = [4, 5, 6, 11, 12, 13, 14], [8, 9, 2, 5, 6, 7, 2]
    expected = F.cross_entropy(scores[rows], torch.tensor(labels), reduction="sum")
    assert_close(sums["next_token"], expected)
    batch = ItemBatch((part,), 0, Truth(1))
    assert {name: weight.item() for name, weight in model.loss_weights(batch).items()} == {
        "similarity": 2,
        "next_token": 7,
    }


def test_vectors_of_the_whole_sequence_would_read_the_target():
    config = EncoderConfig(vocab_size=9, hidden_size=8, num_layers=1, num_heads=2, intermediate_size=8)
    embedder = SentenceEmbedder(SentenceTask(features=NAMED_FEATURES["mean"]), new_encoder(config, seed=0))
    with pytest.raises(UserError, match="would read the target"):
        SentenceLearner(embedder, AllPairs().build(8, 0), writer=VocabularyHead(config))
