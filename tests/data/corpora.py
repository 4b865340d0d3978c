"""Small corpora of real words, and a vocabulary for them."""

import random
from functools import cache
from pathlib import Path

from bertsmith.data.corpus import Corpus
from bertsmith.data.shards import Annotator, ShardSet, build_shards
from bertsmith.text import ChineseSegmenter, Tokenizer, train_vocabulary

WORDS = (
    *("北京", "大学", "学生", "今天", "天气", "非常", "好", "我们", "喜欢", "火锅", "研究", "生命", "起源", "的", "了"),
    *("在", "PyTorch", "2026", "model", "reading", "电影", "因为", "所以"),
)


def sentence(source: random.Random, longest: int = 12) -> str:
    return "".join(source.choices(WORDS, k=source.randint(1, longest))) + source.choice("。！？")


def documents(count: int, *, seed: int = 0, lines: int = 5, sentences: int = 4) -> list[list[str]]:
    """Documents of paragraphs of sentences."""
    source = random.Random(seed)
    return [
        [
            "".join(sentence(source) for _ in range(source.randint(1, sentences)))
            for _ in range(source.randint(1, lines))
        ]
        for _ in range(count)
    ]


def write(path: Path, texts: list[list[str]]) -> Path:
    path.write_text("\n\n".join("\n".join(lines) for lines in texts) + "\n", encoding="utf-8")
    return path


@cache
def tokenizer() -> Tokenizer:
    return train_vocabulary(["".join(lines) for lines in documents(200, seed=99)], size=120, min_frequency=1)


def annotator() -> Annotator:
    return Annotator(tokenizer(), ChineseSegmenter())


def shards(folder: Path, texts: list[list[str]], *, characters: int = 1_000_000) -> ShardSet:
    corpus = Corpus(paths=(write(folder / "corpus.txt", texts),))
    return build_shards(corpus, folder / "shards", annotator(), characters=characters)
