"""Checkpoints with another vocabulary: what is kept gives the same outputs, here and in transformers."""

import json

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from transformers import AutoModelForPreTraining, AutoTokenizer

from bertsmith.batch import pack
from bertsmith.data.corpus import Corpus
from bertsmith.encoder import EncoderConfig, load_checkpoint, new_encoder, save_checkpoint
from bertsmith.errors import UserError
from bertsmith.pretraining import OBJECTIVES, Pretrainer, pretrained_heads
from bertsmith.recipes.vocabulary import Extension, Pruning, extend, prune
from bertsmith.text import Tokenizer, train_vocabulary

SMALL = ["今天的天气不错，适合出去走走！", "我们昨天在北京吃了火锅。", "PyTorch是一个深度学习框架。"]
LARGE = [*SMALL, "快递到了以后请给我打电话。", "他每天早上六点起床跑步。", "the quick brown fox jumps"] * 3


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """BERT with its three heads, random."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_vocabulary(LARGE, size=400)
    config = EncoderConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=16, num_layers=2, num_heads=2, intermediate_size=32
    )
    encoder = new_encoder(config, seed=1)
    whole = Pretrainer(encoder, OBJECTIVES["bert"].all_losses, generator=torch.Generator().manual_seed(2))
    heads = pretrained_heads(whole)
    torch.nn.init.normal_(heads["mlm"]["bias"])
    save_checkpoint(folder, encoder, family="bert", heads=heads, config_extras={"pad_token_id": tokenizer.special.mask})
    tokenizer.save(folder)
    return folder


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(SMALL), encoding="utf-8")
    return Corpus(paths=(path,))


def logits(folder, text):
    """Scores over the vocabulary and for the pair, by transformers."""
    network = AutoModelForPreTraining.from_pretrained(folder).eval()
    encoded = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        found = network(**encoded)
    return encoded["input_ids"][0], found.prediction_logits[0], found.seq_relationship_logits[0]


def test_pruned_to_its_own_corpus_nothing_becomes_unknown(model, corpus, tmp_path):
    small = prune(Pruning(model=str(model), corpus=corpus))
    told = small.summary()
    assert told["rows"]["after"] == small.tokenizer.vocab_size < told["rows"]["before"]
    assert told["corpus"]["became_unknown"] == 0
    assert told["corpus"]["tokens"]["before"] == told["corpus"]["tokens"]["after"]
    gone = told["rows"]["before"] - told["rows"]["after"]
    assert told["bytes"]["saved"] == 4 * gone * (16 + 1)
    small.save(tmp_path / "small")
    before, after = load_checkpoint(model), load_checkpoint(tmp_path / "small")
    assert set(after.heads) == {"mlm", "pooler", "relation"}
    for text in SMALL:
        one, other = (
            found.encoder(pack([tokenizer.assemble(tokenizer.tokenize([text])[0].token_ids)])).last
            for found, tokenizer in ((before, Tokenizer.from_folder(model)), (after, small.tokenizer))
        )
        assert torch.equal(one, other)


def test_transformers_gives_the_same_scores(model, corpus, tmp_path):
    small = prune(Pruning(model=str(model), corpus=corpus))
    small.save(tmp_path / "small")
    old_ids, old_scores, old_pair = logits(model, SMALL[1])
    new_ids, scores, pair = logits(tmp_path / "small", SMALL[1])
    names = small.tokenizer.definition.names
    kept = [Tokenizer.from_folder(model).definition.names.index(name) for name in names]
    assert [kept[number] for number in new_ids] == old_ids.tolist()
    assert_close(scores, old_scores[:, kept])
    assert_close(pair, old_pair)
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["pad_token_id"] == small.tokenizer.special.mask
    assert config["architectures"] == ["BertForPreTraining"]


def test_fewer_rows_cost_unknown_tokens_and_that_is_counted(model, corpus):
    smaller = prune(Pruning(model=str(model), corpus=corpus, size=30))
    assert smaller.tokenizer.vocab_size == 30
    assert 0 < smaller.summary()["corpus"]["became_unknown"] < 1
    rarer = prune(Pruning(model=str(model), corpus=corpus, least_count=2))
    found = rarer.corpus
    made = rarer.tokenizer.tokenize(SMALL)
    assert found.tokens_after == sum(map(len, made))
    assert found.unknown_after == sum(int((each.token_ids == rarer.tokenizer.special.unk).sum()) for each in made)
    assert found.became_unknown == found.tokens_before - (found.tokens_after - found.unknown_after)
    with pytest.raises(UserError, match="no room beside its 5 special tokens"):
        prune(Pruning(model=str(model), corpus=corpus, size=5))


def test_extended_with_listed_words(model, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("pytorchx\nquick\npytorchx\n龘\n", encoding="utf-8")
    larger = extend(Extension(model=str(model), words=path))
    assert larger.added[0] == "pytorchx"
    assert larger.added[-1] == "龘"
    assert any("龘" in note and "unknown" in note for note in larger.notes)
    assert any("tokens already, or stood there twice" in note for note in larger.notes)
    larger.save(tmp_path / "larger")
    tokenizer, before = Tokenizer.from_folder(model), load_checkpoint(model)
    after = load_checkpoint(tmp_path / "larger")
    (pieces,) = tokenizer.tokenize(["pytorchx"])
    new = tokenizer.vocab_size
    for old, now in (
        (before.encoder.embeddings.token.weight, after.encoder.embeddings.token.weight),
        (before.heads["mlm"]["bias"], after.heads["mlm"]["bias"]),
    ):
        assert torch.equal(now[:new], old)
        assert_close(now[new], old[pieces.token_ids].mean(0))
    assert torch.equal(after.heads["relation"]["weight"], before.heads["relation"]["weight"])
    ids, scores, _ = logits(tmp_path / "larger", "pytorchx")
    assert ids[1] == new
    assert scores.shape[1] == new + len(larger.added)


def test_extended_with_the_words_of_a_corpus(model, tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("foxjumps foxjumps foxjumps crossing crossing, once!\n今天", encoding="utf-8")
    larger = extend(Extension(model=str(model), corpus=Corpus(paths=(path,)), size=2, least_count=2))
    assert larger.added == ("foxjumps", "crossing")
    told = larger.summary()["corpus"]
    assert told["tokens"]["after"] < told["tokens"]["before"]
    assert told["became_unknown"] == 0
    one = extend(Extension(model=str(model), corpus=Corpus(paths=(path,)), size=1, least_count=2))
    assert one.added == ("foxjumps",)


def test_chinese_words_need_word_level(model, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("天气\n", encoding="utf-8")
    with pytest.raises(UserError, match="level='word'"):
        extend(Extension(model=str(model), words=path))
    larger = extend(Extension(model=str(model), words=path, level="word"))
    assert larger.added == ("天气",)


def test_the_bias_of_span_boundaries_follows(model, corpus, tmp_path):
    found = load_checkpoint(model)
    bias = torch.arange(float(found.encoder.config.vocab_size))
    save_checkpoint(
        tmp_path / "span", found.encoder, family="bert", heads=found.heads, extra_tensors={"span_boundary.bias": bias}
    )
    Tokenizer.from_folder(model).save(tmp_path / "span")
    small = prune(Pruning(model=str(tmp_path / "span"), corpus=corpus))
    kept = small.heads["extra"]["span_boundary.bias"].numpy().astype(int)
    names = np.array(Tokenizer.from_folder(model).definition.names)[kept]
    assert names.tolist() == list(small.tokenizer.definition.names)
