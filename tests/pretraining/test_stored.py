"""Pre-trained heads in a checkpoint: written, read back, read by transformers; what is new is said."""

import pytest
import torch
import transformers
from torch.testing import assert_close

from bertsmith.encoder import load_checkpoint, save_checkpoint
from bertsmith.errors import UserError
from bertsmith.pretraining.model import Pretrainer
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.stored import generator_checkpoint, load_generator, load_heads, pretrained_heads

from .test_model import batches, electra, pretrainer
from .tiny import SIZE, encoder, named


def saved(model, folder, family="bert"):
    save_checkpoint(folder, model.encoder, family=family, heads=pretrained_heads(model))
    return load_checkpoint(folder)


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "electra"])
def test_a_checkpoint_goes_on_where_it_stopped(tmp_path, name):
    model = pretrainer(name)
    checkpoint = saved(model, tmp_path)
    again = Pretrainer(checkpoint.encoder, named(name).all_losses, generator=torch.Generator().manual_seed(9)).eval()
    assert load_heads(again, checkpoint.heads) == ()
    for batch in batches(name):
        assert_close(again(batch), model(batch), rtol=0.0, atol=0.0)


def test_generator_and_discriminator_go_on_as_two_checkpoints(tmp_path):
    model, (batch,) = electra(), batches("electra")
    encoder_of_generator, heads = generator_checkpoint(model)
    save_checkpoint(tmp_path / "generator", encoder_of_generator, family="electra", heads=heads)
    checkpoint = saved(model, tmp_path / "discriminator", family="electra")
    again = Pretrainer(checkpoint.encoder, model.losses).eval()
    assert load_heads(again, checkpoint.heads) == (
        "the generator is new: random weights on the encoder's own embeddings",
    )
    generator = load_checkpoint(tmp_path / "generator")
    load_generator(again, generator.encoder, generator.heads)
    for one in (model, again):
        torch.manual_seed(3)
        one.sums = one(batch)
    assert_close(again.sums, model.sums, rtol=0.0, atol=0.0)
    assert again.heads["generator"].encoder.embeddings.token is again.encoder.embeddings.token


def test_transformers_reads_the_two_halves_of_electra(tmp_path):
    model, (batch,) = electra(width=0.25), batches("electra")
    encoder_of_generator, heads = generator_checkpoint(model)
    save_checkpoint(tmp_path / "generator", encoder_of_generator, family="electra", heads=heads)
    saved(model, tmp_path / "discriminator", family="electra")
    ids = batch.texts.token_ids[: batch.texts.lengths[0]]
    theirs = transformers.ElectraForMaskedLM.from_pretrained(tmp_path / "generator").eval()
    labels = torch.full_like(ids, -100)
    first = batch.hidden.rows < len(ids)
    labels[batch.hidden.rows[first]] = batch.hidden.labels[first]
    (single,) = batches("electra", range(1))
    mean = model(single)["generator"] / model.loss_weights(single)["generator"]
    assert_close(theirs(ids[None], labels=labels[None]).loss, mean, rtol=1e-4, atol=1e-4)
    discriminator = transformers.ElectraForPreTraining.from_pretrained(tmp_path / "discriminator").eval()
    states = model.encoder(single.texts).last
    assert_close(discriminator(ids[None]).logits[0], model.heads["rtd"](states), rtol=1e-4, atol=1e-4)


def test_what_a_checkpoint_lacks_is_new_and_said(tmp_path):
    save_checkpoint(tmp_path, encoder(), family="bert")
    checkpoint = load_checkpoint(tmp_path)
    model = pretrainer("spanbert")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    notes = load_heads(model, checkpoint.heads)
    assert [note.partition(" is new")[0] for note in notes] == [
        "the head over the vocabulary (mlm)",
        "the span boundary head",
    ]
    assert "its output is the encoder's own token table" in notes[0]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert len(load_heads(pretrainer("bert"), checkpoint.heads)) == 3


def test_a_head_the_family_has_no_name_for_is_found_again(tmp_path):
    model, (batch,) = pretrainer("bert"), batches("bert")
    heads = pretrained_heads(model)
    beside = {f"relation.{name}": tensor for name, tensor in heads.pop("relation").items()}
    save_checkpoint(
        tmp_path, model.encoder, family="roberta", heads=heads, extra_tensors=beside, config_extras={"pad_token_id": 0}
    )
    checkpoint = load_checkpoint(tmp_path)
    again = Pretrainer(checkpoint.encoder, model.losses).eval()
    assert load_heads(again, checkpoint.heads) == ()
    assert_close(again(batch), model(batch), rtol=0.0, atol=0.0)


def test_an_output_table_of_its_own_is_kept(tmp_path):
    model, (batch,) = pretrainer("roberta"), batches("roberta")
    model.heads["mlm"].decoder = torch.nn.Parameter(torch.randn(SIZE, 32))
    checkpoint = saved(model, tmp_path)
    again = Pretrainer(checkpoint.encoder, model.losses).eval()
    assert load_heads(again, checkpoint.heads) == ()
    assert_close(again(batch), model(batch), rtol=0.0, atol=0.0)
    again(batch)["masked_tokens"].backward()
    assert again.heads["mlm"].decoder.grad.any()


def test_a_head_of_another_shape_is_refused():
    heads = pretrained_heads(pretrainer("roberta", vocab_size=53))
    with pytest.raises(UserError, match=r"the mlm head .*bias has shape \[53\], but .*\[61\]") as refusal:
        load_heads(pretrainer("roberta"), heads)
    assert refusal.value.code == "shape_mismatch"


def test_a_span_boundary_head_of_other_settings_is_refused(tmp_path):
    checkpoint = saved(pretrainer("spanbert"), tmp_path)
    shorter = OBJECTIVES["spanbert"].losses
    losses = shorter.but(span_boundary=shorter.span_boundary.but(longest=15)).chosen
    with pytest.raises(UserError, match=r"span_boundary head .*place.weight has shape \[20, 200\]"):
        load_heads(Pretrainer(encoder(), losses), checkpoint.heads)
