import random
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from bertsmith.errors import UserError
from bertsmith.text import LatinSegmenter
from bertsmith.text.neighbours import Neighbours

SEGMENTER = LatinSegmenter()
PLACE = {
    "cat": 0.0,
    "dog": 0.1,
    "horse": 0.3,
    "stone": 2.0,
    "x1": 0.0,
    "，": 0.0,
    "。": 0.2,
    "…—": 0.0,
    "12": 0.0,
    "13": 0.0,
}


def word2vec(counted):
    """Stands in for gensim.models.word2vec: words read from the file, vectors from a table of angles."""

    class Word2Vec:
        corpus_count = 0

        def __init__(self, *, min_count, vector_size, **others):
            self.min_count = min_count
            counted.update(others, size=vector_size)

        def build_vocab(self, sentences):
            words = [word for sentence in sentences for word in sentence]
            self.corpus_count = len(sentences)
            kept = sorted({word for word in words if words.count(word) >= self.min_count})
            angles = np.array([PLACE.get(word, 1.0) for word in kept])
            vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
            self.wv = SimpleNamespace(index_to_key=kept, get_normed_vectors=lambda: vectors)

        def train(self, sentences, *, total_examples, epochs, callbacks):
            counted.update(total_examples=total_examples, epochs=epochs)
            for callback in callbacks:
                callback.on_train_begin(self)
                for _ in range(epochs):
                    callback.on_epoch_begin(self)
                    callback.on_epoch_end(self)
                callback.on_train_end(self)

    def sentences(path):
        with open(path, encoding="utf-8") as file:
            return [line.split() for line in file]

    return SimpleNamespace(Word2Vec=Word2Vec, LineSentence=sentences)


@pytest.fixture
def counted(monkeypatch):
    counted = {}
    monkeypatch.setitem(sys.modules, "gensim", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "gensim.models", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "gensim.models.word2vec", word2vec(counted))
    return counted


def learned(texts, **settings):
    return Neighbours(least_count=1, least_cosine=0.5, **settings).learn(texts, SEGMENTER)


def test_the_nearest_words_come_first(counted):
    similar = learned(["cat dog", "horse stone"], size=7, epochs=3)
    assert similar["cat"] == ("dog", "horse")
    assert similar["horse"] == ("dog", "cat")
    assert "stone" not in similar
    assert counted["size"] == 7
    assert counted["total_examples"] == 2
    assert counted["epochs"] == 3
    assert counted["workers"] == 1
    assert learned(["cat dog horse"], keep=1)["cat"] == ("dog",)


def test_it_says_how_far_it_is(counted):
    said = []
    Neighbours(least_count=1, epochs=2).learn(["cat dog"], SEGMENTER, say=said.append)
    assert said == ["learning vectors of 2 words", *(f"learning vectors: pass {n} of 2 done" for n in (1, 2))]


def test_words_are_compared_with_their_like(counted):
    similar = learned(["cat ， dog 。 x1 12 13"])
    assert similar["，"] == ("。",)
    assert similar["12"] == ("13",)
    assert similar["cat"] == ("dog",)
    assert "x1" not in similar


def test_chinese_words_are_compared_with_those_of_their_length(counted):
    from bertsmith.text import ChineseSegmenter

    similar = Neighbours(least_count=1).learn(["火锅，天气，我，你，图书馆"], ChineseSegmenter())
    assert {word: similar[word] for word in ("火锅", "我")} == {"火锅": ("天气",), "我": ("你",)}
    assert "图书馆" not in similar


def test_rare_words_and_none_at_all(counted):
    with pytest.raises(UserError, match="of 0 words seen at least 2 times") as refusal:
        Neighbours(least_count=2).learn(["cat dog"], SEGMENTER)
    assert refusal.value.code == "no_similar_words"
    with pytest.raises(UserError, match="of 1 words"):
        learned(["cat"])


def test_without_gensim_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim", None)
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    monkeypatch.setitem(sys.modules, "gensim.models.word2vec", None)
    with pytest.raises(UserError, match=r"bertsmith\[synonyms\]") as refusal:
        learned(["cat"])
    assert refusal.value.code == "missing_package"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_words_in_the_same_places_become_neighbours():
    pytest.importorskip("gensim")
    rng = random.Random(0)
    pairs = [("cat", "dog"), ("meat", "fish"), ("noon", "night")]
    texts = [" ".join(rng.choice(pair) + f" {row}" * 2 for row, pair in enumerate(pairs)) for _ in range(400)]
    settings = Neighbours(size=16, window=1, epochs=40, keep=1)
    similar = settings.learn(texts, SEGMENTER)
    assert all(similar[one] == (other,) and similar[other] == (one,) for one, other in pairs)
    again = settings.learn(texts, SEGMENTER)
    assert all(similar[word] == again[word] for pair in pairs for word in pair)
