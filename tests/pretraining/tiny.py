"""A tiny corpus, a tiny vocabulary and tiny encoders for the tests of pre-training."""

from pathlib import Path

import numpy as np

from bertsmith.batch import Example
from bertsmith.data.corpus import Corpus
from bertsmith.data.shards import Annotator, build_shards
from bertsmith.encoder import Encoder, EncoderConfig, Learned, new_encoder
from bertsmith.pretraining.objective import Objective
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.updates import TokenCorpus
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text import LatinSegmenter, train_vocabulary

WORDS = ("river", "stone", "cloud", "green", "seven", "walks", "under", "light", "small", "house", "on", "in", "a")
PAD, UNK, CLS, SEP, MASK, FIRST = 0, 1, 2, 3, 4, 5
SIZE = 61
"""Ids of the vocabulary of `passage` and `facts`."""


def corpus(folder: Path, *, documents: int = 24, sentences: int = 6) -> TokenCorpus:
    """Documents of random sentences, each of 3 to 9 words."""
    random = np.random.default_rng(0)
    texts = [
        "\n".join(" ".join(random.choice(WORDS, random.integers(3, 10))) + "." for _ in range(sentences))
        for _ in range(documents)
    ]
    path = folder / "corpus.txt"
    path.write_text("\n\n".join(texts), encoding="utf-8")
    tokenizer = train_vocabulary(texts, size=60)
    shards = build_shards(Corpus(paths=(path,)), folder / "shards", Annotator(tokenizer, LatinSegmenter()))
    return TokenCorpus(shards, tokenizer)


def encoder(*, seed: int = 0, **changes) -> Encoder:
    """Two layers without dropout."""
    sizes = {
        "vocab_size": SIZE,
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 2,
        "intermediate_size": 64,
        "position": Learned(max_positions=64),
        "initializer_range": 0.2,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
    }
    return new_encoder(EncoderConfig(**(sizes | changes)), seed=seed)


def facts() -> VocabularyFacts:
    """A vocabulary whose ids from `FIRST` on are words."""
    special = np.arange(SIZE) < FIRST
    return VocabularyFacts(
        vocab_size=SIZE,
        special_ids=frozenset(range(FIRST)),
        mask=MASK,
        random_ids=np.arange(FIRST, SIZE, dtype=np.int32),
        untouchable=special & (np.arange(SIZE) != SEP),
        han=np.zeros(SIZE, dtype=bool),
    )


def passage(seed: int, *, length: int = 14, pair: bool = False) -> Passage:
    """Random words of one and two tokens between [CLS] and [SEP], or two segments of them."""
    random = np.random.default_rng(seed)
    ids = random.integers(FIRST, SIZE, length + 3 if pair else length + 2).astype(np.int32)
    ids[0], ids[-1] = CLS, SEP
    segments = np.zeros(len(ids), dtype=np.int32)
    stops = {len(ids) - 1}
    if pair:
        middle = length // 2
        ids[middle], segments[middle + 1 :] = SEP, 1
        stops.add(middle)
    words, place = [], 1
    while place < len(ids) - 1:
        if place in stops:
            place += 1
            continue
        end = place + 1 if place + 1 in stops else place + int(random.integers(1, 3))
        words.append((place, end))
        place = end
    ranges = np.array(words, dtype=np.int32)
    return Passage(Example(ids, segments), ranges, ranges[::3], relation=int(random.integers(2)) if pair else None)


def named(name: str) -> Objective:
    """A named objective that needs no list of similar words."""
    objective = OBJECTIVES[name]
    if name != "macbert":
        return objective
    corrupt = objective.corrupt
    return objective.but(corrupt=corrupt.but(replace=corrupt.replace.but(without_similar="random")))
