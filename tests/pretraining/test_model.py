"""Every loss of pre-training equals what loops over its definition give."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.batch import Example, pack, per_sequence
from bertsmith.encoder import Causal, Permutation, PrefixLM, RightToLeft, load_checkpoint
from bertsmith.pretraining.exercise import exercise, pack_exercises
from bertsmith.pretraining.generator import Generator, ReplacedTokens, TokenGenerator
from bertsmith.pretraining.loss_heads import MaskedTokens, PairRelation
from bertsmith.pretraining.model import Pretrainer
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.stored import load_heads

from .tiny import SIZE, encoder, facts, named, passage


def batches(name, seeds=range(5), *, length=18, draw=0):
    """One micro-batch for each part of an objective."""
    made = []
    for part in named(name).parts:
        texts = [passage(seed, length=length, pair=part.losses.pair_relation is not None) for seed in seeds]
        rngs = [np.random.default_rng([seed, draw]) for seed in seeds]
        exercises = [exercise(text, part, facts(), rng) for text, rng in zip(texts, rngs, strict=True)]
        made.append(pack_exercises(exercises, part.attend))
    return made


def pretrainer(name, **changes) -> Pretrainer:
    return Pretrainer(encoder(**changes), named(name).all_losses, generator=torch.Generator().manual_seed(1)).eval()


def alone(batch, number):
    """One text of a batch as a batch of its own."""
    cut = [part[number] for part in (per_sequence(values, batch) for values in (batch.token_ids, batch.segment_ids))]
    return pack([Example(*(part.numpy().astype(np.int32) for part in cut))])


def scores_of(model, states):
    head = model.heads["mlm"]
    hidden = F.layer_norm(F.gelu(head.dense(states)), (32,), head.norm.weight, head.norm.bias, 1e-12)
    return hidden @ model.encoder.embeddings.token.weight.T + head.bias


@pytest.mark.parametrize("name", ["roberta", "wwm", "ernie", "macbert"])
def test_hidden_tokens_by_hand(name):
    model, (batch, *_) = pretrainer(name), batches(name)
    expected, start = 0.0, 0
    for number, length in enumerate(batch.texts.lengths):
        states = model.encoder(alone(batch.texts, number)).last
        for row, label in zip(batch.hidden.rows.tolist(), batch.hidden.labels.tolist(), strict=True):
            if start <= row < start + length:
                expected += -scores_of(model, states)[row - start].log_softmax(-1)[label].item()
        start += length
    assert_close(model(batch)["masked_tokens"].item(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("part", range(4), ids=OBJECTIVES["unilm"].mixture)
def test_unilm_by_hand_under_each_mask(part):
    model, batch = pretrainer("unilm"), batches("unilm")[part]
    attend = OBJECTIVES["unilm"].parts[part].attend
    assert batch.attend == attend
    states = dense_states(model.encoder, batch.texts, lambda query, key, segments: seen(attend, query, key, segments))
    losses = F.cross_entropy(scores_of(model, states)[batch.hidden.rows], batch.hidden.labels, reduction="none")
    assert_close(model(batch)["masked_tokens"], losses.sum(), rtol=1e-4, atol=1e-3)


def seen(attend, query, key, segments):
    match attend:
        case Causal():
            return key <= query
        case RightToLeft():
            return key >= query
        case PrefixLM():
            return segments[key] == 0 or (segments[query] == 1 and key <= query)
    return True


def dense_states(model, texts, may_see):
    """The encoder on each text with its attention written out token by token."""
    outputs = []
    ends = np.cumsum(texts.lengths)
    for start, end in zip(ends - texts.lengths, ends, strict=True):
        segments = texts.segment_ids[start:end].tolist()
        size = end - start
        allowed = torch.tensor([[bool(may_see(q, k, segments)) for k in range(size)] for q in range(size)])
        part = slice(int(start), int(end))
        embeddings = model.embeddings
        summed = embeddings.token(texts.token_ids[part]) + embeddings.segment(texts.segment_ids[part])
        states = embeddings.norm(summed + embeddings.position(texts.position_ids[part]))
        for attention, feed_forward in zip(model.attention, model.feed_forward, strict=True):
            query, key, value = attention.qkv(states).view(size, 3, 2, 16).permute(1, 2, 0, 3)
            weights = (query @ key.transpose(1, 2) / 4.0).masked_fill(~allowed, -math.inf).softmax(-1)
            mixed = (weights @ value).transpose(0, 1).reshape(size, 32)
            states = attention.norm(states + attention.output(mixed))
            states = feed_forward.norm(states + feed_forward.down(F.gelu(feed_forward.up(states))))
        outputs.append(states)
    return torch.cat(outputs)


def test_next_tokens_by_hand():
    model, (batch,) = pretrainer("gpt"), batches("gpt")
    states = dense_states(model.encoder, batch.texts, lambda query, key, segments: key <= query)
    ends = set(np.cumsum(batch.texts.lengths) - 1)
    ids = batch.texts.token_ids
    expected = sum(
        -scores_of(model, states[row]).log_softmax(-1)[ids[row + 1]].item()
        for row in range(len(ids))
        if row not in ends
    )
    assert_close(model(batch)["next_token"].item(), expected, rtol=1e-4, atol=1e-3)
    assert model.loss_weights(batch)["next_token"] == len(ids) - 5


def test_permutation_by_hand():
    model, (batch,) = pretrainer("permutation"), batches("permutation", seeds=[3, 4], length=30)
    expected = 0.0
    for number in range(2):
        ids, order, positions = (
            per_sequence(values, batch.texts)[number]
            for values in (batch.texts.token_ids, batch.texts.order, batch.texts.position_ids)
        )
        content = int((positions.diff() == 1).cumprod(0).sum()) + 1
        queries = range(content, len(ids))
        ranks = {int(positions[query]): int(order[query]) // 2 for query in queries}
        assert len(ranks) > 2

        def may_see(query, key, segments, content=content, positions=positions, ranks=ranks):
            if key >= content:
                return key == query
            if query >= content:
                return key not in ranks or ranks[key] < ranks[int(positions[query])]
            return key not in ranks or (query in ranks and ranks[key] <= ranks[query])

        single = replace(
            pack([Example(ids.numpy().astype(np.int32), np.zeros(len(ids), dtype=np.int32))]), position_ids=positions
        )
        states = dense_states(model.encoder, single, may_see)
        rows = [row for row in queries]
        labels = ids[positions[rows]]
        expected += F.cross_entropy(scores_of(model, states[rows]), labels, reduction="sum").item()
    assert_close(model(batch)["masked_tokens"].item(), expected, rtol=1e-4, atol=1e-3)


def test_content_never_sees_queries_and_queries_see_only_what_came_before():
    model, (batch,) = encoder().eval(), batches("permutation", seeds=[3], length=40)
    texts, order = batch.texts, batch.texts.order
    queries = (order >= 0) & (order % 2 == 0)
    before = model(texts, Permutation()).last

    changed = model(replace(texts, token_ids=torch.where(queries, 7, texts.token_ids)), Permutation()).last
    assert torch.equal(changed[~queries], before[~queries])
    assert not torch.allclose(changed[queries], before[queries])

    for target in (order % 2 == 1).logical_and(order >= 0).nonzero().flatten():
        tokens = texts.token_ids.clone()
        tokens[target] = (tokens[target] + 1) % SIZE
        changed = model(replace(texts, token_ids=tokens), Permutation()).last
        touched = (changed - before).abs().amax(-1) > 1e-6
        assert torch.equal(touched, order >= order[target])


def test_span_boundary_by_hand():
    model, (batch,) = pretrainer("spanbert"), batches("spanbert", length=30)
    states, head = model.encoder(batch.texts).last, model.heads["span_boundary"]
    hidden = set(batch.hidden.rows.tolist())
    lengths = batch.texts.lengths
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    original = batch.texts.token_ids.clone()
    original[batch.hidden.rows] = batch.hidden.labels
    expected, count = 0.0, 0
    for start, length in zip(starts, lengths, strict=True):
        place = start + 1
        while place < start + length - 1:
            end = place
            while end in hidden:
                end += 1
            if end > place and place > start + 1 and end < start + length - 1:
                for inside in range(min(20, end - place)):
                    joined = torch.cat([states[place - 1], states[end], head.place.weight[inside]])
                    vector = F.layer_norm(F.gelu(head.first(joined)), (32,), eps=1e-12)
                    vector = F.layer_norm(F.gelu(head.second(vector)), (32,), eps=1e-12)
                    scores = model.encoder.embeddings.token.weight @ vector + head.bias
                    expected -= scores.log_softmax(-1)[original[place + inside]].item()
                    count += 1
            place = max(end, place + 1)
    assert count > 5
    assert_close(model(batch)["span_boundary"].item(), expected, rtol=1e-4, atol=1e-3)
    assert model.loss_weights(batch)["span_boundary"] == count


def electra(seed=0, **generator):
    losses = (ReplacedTokens(generator=Generator(**({"width": 0.5} | generator))),)
    return Pretrainer(encoder(seed=seed), losses, generator=torch.Generator().manual_seed(1)).eval()


def test_replaced_tokens_by_hand():
    model, (batch,) = electra(), batches("electra")
    generator = model.heads["generator"]
    torch.manual_seed(5)
    samples = generator(batch).samples
    vectors = generator.mlm(generator.encoder(batch.texts).last)
    scores = vectors @ model.encoder.embeddings.token.weight.T + generator.mlm.bias
    named_loss = sum(
        -scores[row].log_softmax(-1)[label].item()
        for row, label in zip(batch.hidden.rows.tolist(), batch.hidden.labels.tolist(), strict=True)
    )
    tokens, answers = batch.texts.token_ids.clone(), torch.zeros(batch.num_tokens)
    for row, label, sample in zip(batch.hidden.rows, batch.hidden.labels, samples, strict=True):
        tokens[row] = sample
        answers[row] = float(sample != label)
    states = model.encoder(replace(batch.texts, token_ids=tokens)).last
    head = model.heads["rtd"]
    chance = torch.sigmoid(
        F.gelu(states @ head.dense.weight.T + head.dense.bias) @ head.output.weight[0] + head.output.bias
    )
    found = -(answers * chance.log() + (1 - answers) * (1 - chance).log()).sum()
    torch.manual_seed(5)
    sums = model(batch)
    assert_close(sums["generator"].item(), named_loss, rtol=1e-4, atol=1e-3)
    assert_close(sums["replaced_tokens"], 50.0 * found, rtol=1e-4, atol=1e-3)
    weights = model.loss_weights(batch)
    assert (weights["generator"], weights["replaced_tokens"]) == (len(samples), batch.num_tokens)


def test_a_drawn_token_that_is_the_original_counts_as_original():
    model, (batch,) = electra(), batches("electra")
    label = batch.hidden.labels[0]
    torch.nn.init.zeros_(model.heads["generator"].mlm.norm.weight)
    model.heads["generator"].mlm.bias.data[label] = 100.0
    model(batch)
    right = (batch.hidden.labels == label).sum().item()
    counts = model.counts.take()
    assert_close(counts["replaced_share"], (len(batch.hidden) - right) / batch.num_tokens)
    assert_close(counts["generator_accuracy"], right / len(batch.hidden))


def test_generator_shares_the_embeddings_and_nothing_else():
    model = electra()
    own, theirs = model.encoder.embeddings, model.heads["generator"].encoder.embeddings
    for part in ("token", "segment", "position", "norm"):
        assert getattr(own, part).weight.data_ptr() == getattr(theirs, part).weight.data_ptr()
    names = [name for name, _ in model.named_parameters()]
    assert not any("generator.encoder.embeddings" in name and "projection" not in name for name in names)
    assert "heads.generator.encoder.embeddings.projection.weight" in names
    assert own.projection is None
    shared = {parameter.data_ptr() for parameter in model.encoder.parameters()}
    assert all(p.data_ptr() not in shared for n, p in model.named_parameters() if n.startswith("heads.generator"))


def test_embeddings_learn_from_both_losses_and_samples_carry_no_gradient():
    model, (batch,) = electra(), batches("electra")
    gradients = {}
    for name in model.loss_names:
        model.zero_grad()
        torch.manual_seed(0)
        model(batch)[name].backward()
        gradients[name] = {key: value.grad for key, value in model.named_parameters()}
    assert all(found["encoder.embeddings.token.weight"].abs().sum() > 0 for found in gradients.values())
    for key, gradient in gradients["replaced_tokens"].items():
        if key.startswith("heads.generator"):
            assert gradient is None or not gradient.any(), key
    for key, gradient in gradients["generator"].items():
        if key.startswith(("encoder.attention", "encoder.feed_forward", "heads.rtd")):
            assert gradient is None or not gradient.any(), key


@pytest.mark.parametrize(
    ("hidden", "heads", "width", "size"),
    [(256, 4, 0.25, 64), (768, 12, 1 / 3, 256), (48, 4, 0.25, 12), (1024, 16, 0.25, 256)],
)
def test_shape_of_the_generator(hidden, heads, width, size):
    config = encoder().config.but(hidden_size=hidden, num_heads=heads, intermediate_size=4 * hidden, num_layers=3)
    shape = Generator(width=width).shape(config)
    assert (shape.hidden_size, shape.num_layers, shape.intermediate_size) == (size, 3, 4 * size)
    assert shape.num_heads == max(1, size // 64)
    assert shape.table_size == config.table_size


def test_as_wide_as_the_encoder_a_generator_needs_no_projection():
    generator = TokenGenerator(Generator(width=1.0), encoder())
    assert generator.encoder.embeddings.projection is None


def test_losses_are_transformers(tmp_path):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=SIZE,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    theirs = transformers.BertForPreTraining(config).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(tmp_path)
    checkpoint = load_checkpoint(tmp_path)
    model = Pretrainer(checkpoint.encoder, (MaskedTokens(), PairRelation())).eval()
    assert load_heads(model, checkpoint.heads) == ()
    (batch,) = batches("bert")
    size = len(batch.texts.lengths)
    labels = torch.full((batch.num_tokens,), -100)
    labels[batch.hidden.rows] = batch.hidden.labels
    output = theirs(
        batch.texts.token_ids.view(size, -1),
        token_type_ids=batch.texts.segment_ids.view(size, -1),
        labels=labels.view(size, -1),
        next_sentence_label=batch.relations,
    )
    sums, weights = model(batch), model.loss_weights(batch)
    assert_close(sum(sums[name] / weights[name] for name in sums), output.loss, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_only_rows_that_are_asked_for_meet_the_vocabulary(name):
    model = pretrainer(name)
    rows = []
    heads = [module for key, module in model.named_modules() if key in ("heads.mlm", "heads.generator.mlm")]
    for head in heads:
        head.register_forward_hook(lambda module, given, output: rows.append(len(output)))
    for batch in batches(name):
        rows.clear()
        model(batch)
        assert rows == [len(batch.hidden or batch.next)]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_last_layer_for_the_asked_rows_alone_gives_the_same_losses(name):
    model = pretrainer(name).eval()
    found = 0
    for batch in batches(name):
        found += batch.asked is not None
        torch.manual_seed(0)
        some = model(batch)
        torch.manual_seed(0)
        assert_close(some, model(replace(batch, asked=None)))
    assert bool(found) == (name != "gpt")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_weights_are_known_without_a_forward_pass_and_losses_without_targets_weigh_nothing(name):
    model = pretrainer(name)
    for batch, part in zip(batches(name), named(name).parts, strict=True):
        sums, weights = model(batch), model.loss_weights(batch)
        assert tuple(sums) == tuple(weights) == model.loss_names
        asked = {loss for chosen in part.losses.chosen for loss in chosen.losses}
        assert {loss for loss, weight in weights.items() if weight > 0} == asked
        assert {loss for loss, value in sums.items() if value != 0} == asked


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "electra"])
def test_parts_of_a_batch_add_up_to_the_whole(name):
    model = pretrainer(name)
    for whole, first, second in zip(batches(name), batches(name, range(2)), batches(name, range(2, 5)), strict=True):
        for values in (model, model.loss_weights):
            total, one, two = (values(batch) for batch in (whole, first, second))
            for loss in total:
                assert_close(one[loss] + two[loss], total[loss], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_loss_falls_on_eight_memorised_texts(name):
    model = pretrainer(name, initializer_range=0.02).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    course = []
    for step in range(60):
        torch.manual_seed(step)
        optimizer.zero_grad()
        losses = []
        for batch in batches(name, range(8), draw=step % 2):
            sums, weights = model(batch), model.loss_weights(batch)
            losses += [sums[loss] / weights[loss] for loss in sums if weights[loss] > 0]
        total = torch.stack(losses).sum()
        total.backward()
        optimizer.step()
        course.append(total.item())
    assert np.mean(course[-5:]) < 0.75 * np.mean(course[:5]), course[::6]


@pytest.mark.parametrize("name", ["roberta", "electra", "permutation"])
def test_dropout_only_while_training(name):
    (batch,) = batches(name)
    model = Pretrainer(encoder(hidden_dropout=0.1, attention_dropout=0.1), named(name).all_losses)

    def total(seed):
        torch.manual_seed(seed)
        return sum(model(batch).values()).item()

    model.train()
    assert total(1) == total(1)
    assert total(1) != total(2)
    model.eval()
    if name != "electra":
        assert total(1) == total(2)


def test_same_seed_same_heads():
    one, two, other = (
        Pretrainer(encoder(), named("electra").all_losses, generator=torch.Generator().manual_seed(seed)).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_depth_of_every_parameter(name):
    model = pretrainer(name)
    depths = {key: model.depth_of(key) for key, _ in model.named_parameters()}
    assert depths["encoder.embeddings.token.weight"] == 0
    assert depths["encoder.feed_forward.1.up.weight"] == model.top_depth == 2
    assert {depth for key, depth in depths.items() if key.startswith("heads")} == {3}


def test_bfloat16_stays_close_and_sums_are_float32():
    for name in ("spanbert", "electra"):
        model, (batch,) = pretrainer(name), batches(name)
        torch.manual_seed(0)
        exact = model(batch)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(batch)
        for loss in exact:
            assert rough[loss].dtype == torch.float32
            assert_close(rough[loss], exact[loss], rtol=0.1, atol=0.0)
