"""The corpus as updates: every text once, the same from everywhere, parts and stages where they belong."""

from collections import Counter

import numpy as np
import pytest
import torch

from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement import DocumentSentences, FullSentences, SourceTarget
from bertsmith.pretraining.measure import heldout_metrics
from bertsmith.pretraining.model import Pretrainer
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.updates import PretrainUpdates, TextPlan
from bertsmith.training import (
    AdamW,
    Budget,
    MicroBatch,
    Selection,
    Snapshots,
    Surroundings,
    Trainable,
    TrainingConfig,
    Updates,
    train,
)

from .tiny import corpus as made
from .tiny import encoder, named

PLAN = TextPlan(batch_size=8, max_length=32, max_tokens=120)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return made(tmp_path_factory.mktemp("corpus"))


def updates(corpus, name="roberta", *, seed=0, total=40, **plan):
    return PretrainUpdates(corpus, named(name), PLAN.but(**plan), seed=seed, total=total)


def same(one, two) -> bool:
    return (
        torch.equal(one.texts.token_ids, two.texts.token_ids)
        and one.attend == two.attend
        and (one.hidden is None or torch.equal(one.hidden.rows, two.hidden.rows))
        and (one.relations is None or torch.equal(one.relations, two.relations))
    )


def original(batch):
    tokens = batch.texts.token_ids.clone()
    if batch.hidden is not None:
        tokens[batch.hidden.rows] = batch.hidden.labels
    return [tuple(text.tolist()) for text in torch.split_with_sizes(tokens, list(batch.texts.lengths))]


def texts_of(source, epoch):
    return [
        text
        for index in range(source.per_epoch(epoch))
        for build in source.update(epoch, index, at_least=1)
        for text in original(build())
    ]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loop_can_use_every_objective(corpus, name):
    source = updates(corpus, name)
    assert isinstance(source, Updates)
    batches = [build() for build in source.update(1, 2, at_least=1)]
    assert sum(len(batch.texts.lengths) for batch in batches) == 8
    model = Pretrainer(encoder(vocab_size=corpus.tokenizer.vocab_size), named(name).all_losses)
    assert isinstance(model, Trainable)
    for batch in batches:
        assert isinstance(batch, MicroBatch)
        assert set(model(batch)) == set(model.loss_names)


@pytest.mark.parametrize("name", ["roberta", "gpt", "wwm"])
def test_every_text_once_an_epoch_in_another_order(corpus, name):
    source = updates(corpus, name)
    arranged = FullSentences().passages(corpus.shards, corpus.tokenizer, max_length=32, seed=0, epoch=0)
    epochs = [texts_of(source, epoch) for epoch in (0, 1)]
    assert [len(texts) for texts in epochs] == [len(arranged)] * 2
    assert Counter(epochs[0]) == Counter(tuple(arranged.passage(row).example.token_ids) for row in range(len(arranged)))
    assert Counter(epochs[0]) == Counter(epochs[1])
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_run_may_begin_anywhere(corpus, name):
    walked = updates(corpus, name)
    for epoch in range(2):
        for index in range(walked.per_epoch(epoch)):
            batches = [build() for build in walked.update(epoch, index, at_least=1)]
    fresh = updates(corpus, name)
    again = [build() for build in fresh.update(epoch, index, at_least=1)]
    assert len(batches) == len(again)
    assert all(map(same, batches, again))


def test_masks_are_new_every_epoch_or_take_turns(corpus):
    def epoch(source, number):
        batches = [build() for i in range(source.per_epoch(number)) for build in source.update(number, i, at_least=1)]
        return Counter(
            tuple(text.tolist())
            for b in batches
            for text in torch.split_with_sizes(b.texts.token_ids, list(b.texts.lengths))
        )

    dynamic = updates(corpus)
    assert epoch(dynamic, 0) != epoch(dynamic, 2)
    static = PretrainUpdates(corpus, named("roberta").but(copies=2), PLAN, seed=0)
    assert epoch(static, 0) == epoch(static, 2) == epoch(static, 4)
    assert epoch(static, 0) != epoch(static, 1)
    assert texts_of(static, 0) != texts_of(static, 2) != texts_of(static, 4)


@pytest.mark.parametrize("at_least", [1, 3, 8, 20])
def test_micro_batches_hold_the_same_texts_however_they_are_cut(corpus, at_least):
    source = updates(corpus, "unilm")
    builds = source.update(0, 1, at_least=at_least)
    assert len(builds) >= min(at_least, 8)
    batches = [build() for build in builds]
    usual = [build() for build in source.update(0, 1, at_least=1)]
    assert Counter(text for batch in batches for text in original(batch)) == Counter(
        text for batch in usual for text in original(batch)
    )


def test_micro_batches_keep_to_the_budget(corpus):
    for build in updates(corpus, max_tokens=70).update(0, 0, at_least=1):
        assert build().num_tokens <= 70 + 4 * 3


def test_unilm_mixes_within_every_update(corpus):
    source = updates(corpus, "unilm", batch_size=12)
    total = Counter()
    for index in range(source.per_epoch(0) - 1):
        kinds = Counter()
        for build in source.update(0, index, at_least=1):
            batch = build()
            kinds[batch.attend.kind] += len(batch.texts.lengths)
            assert (batch.relations is not None) == (batch.attend.kind == "bidirectional")
        assert kinds == {"bidirectional": 4, "prefix_lm": 4, "causal": 2, "right_to_left": 2}
        total += kinds


def test_parts_with_one_arrangement_never_read_the_same_text(corpus):
    source = updates(corpus, "unilm")
    met = {"causal": [], "right_to_left": []}
    for index in range(source.per_epoch(0)):
        for build in source.update(0, index, at_least=1):
            batch = build()
            if batch.attend.kind in met:
                met[batch.attend.kind] += original(batch)
    assert len(met["causal"]) > 5
    assert not set(met["causal"]) & set(met["right_to_left"])
    arranged = DocumentSentences().passages(corpus.shards, corpus.tokenizer, max_length=32, seed=0, epoch=0)
    texts = {tuple(arranged.passage(row).example.token_ids) for row in range(len(arranged))}
    assert texts > set(met["causal"]) | set(met["right_to_left"])


def test_ernie_goes_through_its_stages(corpus):
    source = updates(corpus, "ernie", total=9)
    per_epoch = source.per_epoch(0)
    parts = [source._turns(*divmod(step, per_epoch))[0].part for step in range(9)]
    assert parts == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with pytest.raises(ValueError, match="how many updates"):
        PretrainUpdates(corpus, named("ernie"), PLAN, seed=0)


def test_seeds_differ(corpus):
    assert texts_of(updates(corpus, seed=1), 0) != texts_of(updates(corpus, seed=2), 0)


def test_similar_words_must_be_there(corpus):
    with pytest.raises(UserError, match="similar words") as refusal:
        PretrainUpdates(corpus, OBJECTIVES["macbert"], PLAN, seed=0)
    assert refusal.value.code == "no_similar_words"


def test_degraded_words_are_counted(corpus):
    batch = updates(corpus, "macbert").update(0, 0, at_least=1)[0]()
    assert batch.counts["degraded"] > 0
    model = Pretrainer(encoder(vocab_size=corpus.tokenizer.vocab_size), named("macbert").all_losses)
    model(batch)
    wanted = batch.counts["degraded"] + batch.counts["similar"]
    assert model.counts.take()["degraded_share"] == batch.counts["degraded"] / wanted


def test_targets_of_a_source_are_predicted_from_it(corpus):
    arranged = SourceTarget().passages(corpus.shards, corpus.tokenizer, max_length=32, seed=0, epoch=0)
    assert len(arranged) > 0
    batch = next(
        b
        for b in (build() for build in updates(corpus, "unilm").update(0, 0, at_least=1))
        if b.attend.kind == "prefix_lm"
    )
    assert set(batch.texts.segment_ids.tolist()) == {0, 1}


def trained(corpus, name, folder, *, stop=None, resume=False):
    vocabulary = corpus.tokenizer.vocab_size
    model = Pretrainer(
        encoder(vocab_size=vocabulary, hidden_dropout=0.1, attention_dropout=0.1),
        named(name).all_losses,
        generator=torch.Generator().manual_seed(0),
    )
    config = TrainingConfig(
        optimizer=AdamW(lr=1e-3),
        budget=Budget(epochs=None, max_steps=6),
        precision="float32",
        snapshot_every=2,
        selection=Selection(metric="loss", better="lower", every=100, keep="last"),
    )

    def listener(event):
        if getattr(event, "step", None) == stop and type(event).__name__ == "Updated":
            raise InterruptedError

    train(
        model,
        updates(corpus, name, total=6),
        config,
        around=Surroundings(snapshots=Snapshots(folder), resume=resume, listeners=(listener,)),
    )
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("name", ["bert", "unilm", "electra", "ernie"])
def test_killed_and_resumed_gives_the_same_bits(corpus, tmp_path, name):
    straight = trained(corpus, name, tmp_path / "straight")
    with pytest.raises(InterruptedError):
        trained(corpus, name, tmp_path / "killed", stop=5)
    again = trained(corpus, name, tmp_path / "killed", resume=True)
    assert all(torch.equal(straight[key], again[key]) for key in straight)


@pytest.mark.parametrize("name", ["albert", "electra"])
def test_heldout_numbers_are_the_same_every_time_and_leave_no_trace(corpus, name):
    model = Pretrainer(encoder(vocab_size=corpus.tokenizer.vocab_size), named(name).all_losses).train()
    builds = updates(corpus, name).update(0, 0, at_least=3)
    model(builds[0]())
    state = torch.random.get_rng_state()
    one, two = (heldout_metrics(model, builds, device=torch.device("cpu")) for _ in range(2))
    assert one == two
    assert one["loss"] == sum(one[loss] for loss in model.loss_names)
    assert set(model.loss_names) < set(one)
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.isfinite(list(one.values())).all()
    assert model.counts.take()
