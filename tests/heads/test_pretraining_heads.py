"""Heads of pre-training give transformers' scores on transformers' weights, and start as they should."""

import pytest
import torch
import transformers
from torch.testing import assert_close

from bertsmith.batch import Example, pack
from bertsmith.encoder import EncoderConfig, load_checkpoint, new_encoder
from bertsmith.heads import RelationHead, ReplacedTokenHead, SpanBoundaryHead, VocabularyHead

SIZES = {
    "vocab_size": 53,
    "hidden_size": 22,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 37,
    "max_position_embeddings": 13,
}
IDS = torch.randint(5, 53, (1, 11), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def saved(tmp_path):
    def save(kind, config, **sizes):
        torch.manual_seed(0)
        model = kind(config(**SIZES, **sizes)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        model.save_pretrained(tmp_path)
        checkpoint = load_checkpoint(tmp_path)
        ids = IDS[0].numpy()
        with torch.no_grad():
            states = checkpoint.encoder(pack([Example(ids, 0 * ids)])).last
            return model(IDS), states, checkpoint

    return save


@pytest.mark.parametrize(
    ("kind", "config", "sizes"),
    [
        (transformers.BertForMaskedLM, transformers.BertConfig, {}),
        (transformers.BertForMaskedLM, transformers.BertConfig, {"hidden_act": "gelu_new"}),
        (transformers.RobertaForMaskedLM, transformers.RobertaConfig, {"pad_token_id": 1}),
        (transformers.AlbertForMaskedLM, transformers.AlbertConfig, {"embedding_size": 14, "inner_group_num": 1}),
        (transformers.ElectraForMaskedLM, transformers.ElectraConfig, {"embedding_size": 14}),
    ],
    ids=["bert", "bert-tanh", "roberta", "albert", "electra"],
)
def test_token_scores_are_transformers(saved, kind, config, sizes):
    output, states, checkpoint = saved(kind, config, **sizes)
    head = VocabularyHead(checkpoint.encoder.config)
    head.load_state_dict(checkpoint.heads["mlm"])
    assert_close(
        head.scores(states, checkpoint.encoder.embeddings.token.weight), output.logits[0], atol=1e-4, rtol=1e-4
    )


def test_relation_scores_are_transformers(saved):
    output, states, checkpoint = saved(transformers.BertForPreTraining, transformers.BertConfig)
    head = RelationHead(checkpoint.encoder.config)
    head.pooler.load_state_dict(checkpoint.heads["pooler"])
    head.relation.load_state_dict(checkpoint.heads["relation"])
    assert_close(head(states[:1]), output.seq_relationship_logits, atol=1e-4, rtol=1e-4)


def test_replaced_token_scores_are_transformers(saved):
    output, states, checkpoint = saved(
        transformers.ElectraForPreTraining, transformers.ElectraConfig, embedding_size=14
    )
    head = ReplacedTokenHead(checkpoint.encoder.config)
    head.load_state_dict(checkpoint.heads["rtd"])
    assert_close(head(states), output.logits[0], atol=1e-4, rtol=1e-4)


def test_span_boundary_by_hand():
    config = EncoderConfig(vocab_size=17, hidden_size=6, num_heads=2, embedding_size=4)
    head = SpanBoundaryHead(config, position_size=3, longest=5, generator=torch.Generator().manual_seed(0))
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    left, right = torch.randn(2, 6), torch.randn(2, 6)
    found = head(left, right, torch.tensor([4, 0]))
    for row, place in enumerate((4, 0)):
        joined = torch.cat([left[row], right[row], head.place.weight[place]])
        hidden = torch.nn.functional.gelu(head.first.weight @ joined + head.first.bias)
        hidden = (hidden - hidden.mean()) / (hidden.var(correction=0) + 1e-12).sqrt()
        hidden = hidden * head.first_norm.weight + head.first_norm.bias
        vector = torch.nn.functional.gelu(head.second.weight @ hidden + head.second.bias)
        vector = (vector - vector.mean()) / (vector.var(correction=0) + 1e-12).sqrt()
        assert_close(found[row], vector * head.second_norm.weight + head.second_norm.bias)


def test_output_table_is_the_token_table_unless_the_head_has_its_own():
    config = EncoderConfig(vocab_size=17, hidden_size=6, num_heads=2)
    table = new_encoder(config, seed=0).embeddings.token.weight
    head = VocabularyHead(config)
    assert head.table(table) is table
    head.decoder = torch.nn.Parameter(torch.ones(17, 6))
    assert head.table(table) is head.decoder
    assert "decoder" in head.state_dict()


@pytest.mark.parametrize("kind", [VocabularyHead, RelationHead, ReplacedTokenHead])
def test_seed_decides_the_weights(kind):
    config = EncoderConfig(vocab_size=17, hidden_size=6, num_heads=2)
    one, two, other = (kind(config, generator=torch.Generator().manual_seed(seed)).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert not any(tensor.any() for name, tensor in one.items() if name.endswith("bias"))
