"""An encoder for another vocabulary: kept tokens read as before, new ones as the mean of their pieces."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers import AutoModelForMaskedLM, AutoTokenizer

from bertsmith.batch import PackedBatch, pack
from bertsmith.encoder import Encoder, load_checkpoint, resize_tokens, save_checkpoint
from bertsmith.errors import UserError
from bertsmith.text import Tokenizer, count_tokens, extend_vocabulary, prune_vocabulary
from bertsmith.text.wordpiece import bert_normalizer, wordpiece
from tests.encoder.samples import batch_of, small_encoder
from tests.text.samples import NAMES, TEXTS

KEPT = np.array([0, 1, 5, 8, 13, 21, 34])


def mlm_head(encoder: Encoder, **extra: torch.Tensor) -> dict[str, torch.Tensor]:
    size, generator = encoder.config.table_size, torch.Generator().manual_seed(4)
    shapes = {"dense.weight": (size, encoder.config.hidden_size), "bias": (encoder.config.vocab_size,)}
    shapes |= {name: (size,) for name in ("dense.bias", "norm.weight", "norm.bias")}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()} | extra


def of_kept_tokens() -> tuple[PackedBatch, PackedBatch]:
    """The same texts in new and in old ids."""
    new = batch_of((5, 2, 9), vocab_size=len(KEPT))
    return new, replace(new, token_ids=torch.from_numpy(KEPT)[new.token_ids])


@pytest.mark.parametrize("changes", [{}, {"embedding_size": 11}, {"distinct_layers": 1}])
def test_texts_of_kept_tokens_have_the_same_bits(changes):
    encoder = small_encoder(**changes)
    pruned, _ = resize_tokens(encoder, {}, kept=KEPT)
    new, old = of_kept_tokens()
    assert pruned.config == encoder.config.but(vocab_size=len(KEPT))
    assert torch.equal(pruned(new).last, encoder(old).last)


def test_extended_reads_old_texts_with_the_same_bits():
    encoder = small_encoder()
    extended, _ = resize_tokens(encoder, {}, kept=np.arange(37), pieces=[np.array([3, 4]), np.array([36])])
    batch = batch_of((5, 2, 9))
    assert torch.equal(extended(batch).last, encoder(batch).last)
    table, old = extended.embeddings.token.weight, encoder.embeddings.token.weight
    assert_close(table[37], (old[3] + old[4]) / 2)
    assert torch.equal(table[38], old[36])


def test_the_head_follows():
    encoder = small_encoder()
    head = mlm_head(encoder)
    heads = {"mlm": head, "pooler": {"weight": torch.ones(21, 21), "bias": torch.ones(21)}}
    resized, moved = resize_tokens(encoder, heads, kept=KEPT, pieces=[np.array([2, 4, 9])])
    assert_close(moved["mlm"]["bias"], torch.cat([head["bias"][KEPT], head["bias"][[2, 4, 9]].mean()[None]]))
    assert moved["pooler"] == heads["pooler"]
    states = torch.randn(4, 21)
    before = F.linear(states, encoder.embeddings.token.weight, head["bias"])
    after = F.linear(states, resized.embeddings.token.weight, moved["mlm"]["bias"])
    assert_close(after[:, : len(KEPT)], before[:, KEPT])
    assert_close(after[:, -1], before[:, [2, 4, 9]].mean(1))


def test_an_output_table_of_its_own_follows():
    encoder = small_encoder()
    table = torch.randn(37, 21)
    _, moved = resize_tokens(encoder, {"mlm": mlm_head(encoder, decoder=table)}, kept=KEPT, pieces=[np.array([1, 2])])
    assert_close(moved["mlm"]["decoder"], torch.cat([table[KEPT], table[[1, 2]].mean(0, keepdim=True)]))


def test_the_old_encoder_stays_as_it_was():
    encoder = small_encoder()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    resized, _ = resize_tokens(encoder, {}, kept=KEPT)
    with torch.no_grad():
        for parameter in resized.parameters():
            parameter.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_kind_are_kept(training):
    encoder = small_encoder().bfloat16().train(training)
    encoder.activations = "recomputed"
    resized, _ = resize_tokens(encoder, {}, kept=KEPT, pieces=[np.array([1, 2])])
    assert resized.training is training
    assert resized.activations == "recomputed"
    assert {parameter.dtype for parameter in resized.parameters()} == {torch.bfloat16}
    assert all(parameter.requires_grad for parameter in resized.parameters())


@pytest.mark.parametrize("wrong", [-1, 37])
def test_ids_of_another_vocabulary_are_refused(wrong):
    with pytest.raises(UserError, match=f"token id {wrong}, but the table has rows 0 to 36"):
        resize_tokens(small_encoder(), {}, kept=KEPT, pieces=[np.array([3, wrong])])


def test_a_word_without_pieces_is_a_mistake():
    with pytest.raises(ValueError, match="at least one other"):
        resize_tokens(small_encoder(), {}, kept=KEPT, pieces=[np.array([], dtype=int)])


def test_from_texts_to_a_folder_that_transformers_reads(tmp_path):
    """Prune to a corpus, add a word, save: ids, states and scores are the same on both sides and as before."""
    plain = Tokenizer(wordpiece(NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None)))
    encoder = small_encoder(vocab_size=plain.vocab_size)
    pruned, kept = prune_vocabulary(plain, count_tokens(TEXTS[:2], plain))
    smaller, heads = resize_tokens(encoder, {"mlm": mlm_head(encoder)}, kept=kept)
    tokenizer, pieces = extend_vocabulary(pruned, ["PyTorch"])
    smaller, heads = resize_tokens(smaller, heads, kept=np.arange(pruned.vocab_size), pieces=list(pieces.values()))
    save_checkpoint(tmp_path, smaller, family="bert", heads=heads)
    tokenizer.save(tmp_path)

    unchanged = [tokenizer.assemble(made.token_ids) for made in tokenizer.tokenize([TEXTS[1]])]
    before = [plain.assemble(made.token_ids) for made in plain.tokenize([TEXTS[1]])]
    again = load_checkpoint(tmp_path).encoder
    assert torch.equal(again(pack(unchanged)).last, encoder(pack(before)).last)

    theirs, model = AutoTokenizer.from_pretrained(tmp_path), AutoModelForMaskedLM.from_pretrained(tmp_path)
    encoded = theirs(TEXTS[0], return_tensors="pt")
    (ours,) = (tokenizer.assemble(made.token_ids) for made in tokenizer.tokenize([TEXTS[0]]))
    assert ours.token_ids.tolist() == encoded["input_ids"][0].tolist()
    assert "pytorch" in tokenizer.tokens(ours.token_ids)
    with torch.no_grad():
        found = model.eval()(**encoded, output_hidden_states=True)
    assert_close(again(pack([ours])).last, found.hidden_states[-1][0], rtol=1e-4, atol=1e-4)
    assert found.logits.shape[-1] == tokenizer.vocab_size
