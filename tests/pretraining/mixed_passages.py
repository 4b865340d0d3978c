"""Mixed Chinese and English passages with real segmentation, made from a seed."""

import random
from functools import lru_cache
from itertools import pairwise

import numpy as np

from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text import ChineseSegmenter, Tokenizer, word_spans
from bertsmith.text.entities import EntityLexicon, entity_spans
from bertsmith.text.wordpiece import bert_normalizer, wordpiece

_TWO = (
    "今天明天天气非常真的我们他们老师学生学校医院北京上海中国火锅好吃电影音乐喜欢觉得工作时间问题公司服务质量酒店房间"
)
_THREE = "图书馆计算机互联网出版社科学家火车站"
_FOUR = "马马虎虎实事求是人工智能"
CHINESE = (
    *"我你他在了吃看的是有和很都去",
    *(
        text[start : start + size]
        for size, text in enumerate((_TWO, _THREE, _FOUR), 2)
        for start in range(0, len(text), size)
    ),
)
ENGLISH = ("pytorch", "beijing", "the", "a", "bert", "model", "training", "it", "unbelievable", "running")
MARKS = ("，", "。", "！", "？")
ENTITIES = ("人工智能公司", "北京图书馆", "火锅", "上海火车站", "unbelievable")

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PIECES = ("the", "bei", "py", "un", "##ing", "##able", "##tor", "mod", "it", "ber", "train", "run")
_SPECIAL = ("[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NAMES = tuple(
    dict.fromkeys((*_SPECIAL, *"".join(CHINESE), *MARKS, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *_PIECES))
)
TOKENIZER = Tokenizer(wordpiece(NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None)))
VOCABULARY = VocabularyFacts.from_tokenizer(TOKENIZER)


def mixed_text(words: int, seed: int) -> str:
    """Chinese words unspaced, English ones with spaces between them, a mark now and then."""
    rng = random.Random(seed)
    kinds = rng.choices((CHINESE, ENGLISH, MARKS), weights=(80, 12, 8), k=words)
    chosen = [rng.choice(kind) for kind in kinds]
    spaced = [" " if {before, after} <= set(ENGLISH) else "" for before, after in pairwise([*chosen, ""])]
    return "".join(word + space for word, space in zip(chosen, spaced, strict=True))


def passage_of(text: str) -> Passage:
    """One text between [CLS] and [SEP]."""
    tokenized = TOKENIZER.tokenize([text])[0]
    return Passage(
        example=TOKENIZER.assemble(tokenized.token_ids),
        words=word_spans(text, tokenized, ChineseSegmenter()) + 1,
        entities=entity_spans(text, tokenized, EntityLexicon(ENTITIES)) + 1,
    )


def pair_of(first: str, second: str) -> Passage:
    """Two texts: [CLS] first [SEP] second [SEP]."""
    left, right = passage_of(first), passage_of(second)
    ids = [part.example.token_ids[1:-1] for part in (left, right)]
    shift = len(ids[0]) + 1
    return Passage(
        example=TOKENIZER.assemble(*ids),
        words=np.concatenate([left.words, right.words + shift]),
        entities=np.concatenate([left.entities, right.entities + shift]),
        relation=0,
    )


@lru_cache
def many_passages() -> tuple[Passage, ...]:
    """More than 100,000 tokens."""
    return tuple(passage_of(mixed_text(150 + row % 7, seed=row)) for row in range(360))


@lru_cache
def long_passage() -> Passage:
    """More than 100,000 tokens in one, so that what happens at ends hardly counts."""
    return passage_of(mixed_text(52_000, seed=1))
