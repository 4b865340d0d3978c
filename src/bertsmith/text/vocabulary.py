"""A WordPiece vocabulary of one's own, from texts."""

import string
from collections import Counter
from collections.abc import Iterable, Mapping

import lazy_loader
from tokenizers.normalizers import BertNormalizer

from bertsmith.errors import UserError
from bertsmith.text.characters import CharacterTable, WordTable, is_han, without_surrogates
from bertsmith.text.definition import Level
from bertsmith.text.merges import merged_pieces, symbols
from bertsmith.text.tokenizer import Tokenizer
from bertsmith.text.wordpiece import bert_normalizer, wordpiece

rjieba = lazy_loader.load("rjieba")

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST_WORD = 100
"""Characters; WordPiece never looks into longer ones."""
MOST_WORDS = 2_000_000
"""Different words counted at a time; beyond that the rarest are forgotten, so that memory stays flat."""
MOST_MERGED = 300_000
"""Different words whose pieces are merged, the most frequent ones."""


def train_vocabulary(
    texts: Iterable[str],
    *,
    size: int,
    min_frequency: int = 2,
    lower_case: bool = True,
    level: Level = "character",
) -> Tokenizer:
    """Learn a WordPiece vocabulary of at most `size` entries; the same texts give the same vocabulary.

    First the special tokens, then the characters, the most frequent first, then by frequency the
    pieces that merging the most frequent pairs finds (Wu et al. 2016, arXiv 1609.08144, with the
    counts of Sennrich et al. 2016). A Chinese character is always a token of its own; with
    `level="word"` frequent Chinese words are tokens too (WoBERT). `min_frequency` counts
    occurrences of characters, pieces and words alike.

    Raises:
        UserError: the texts hold no words, or `size` leaves no room for any.
    """
    normalizer = bert_normalizer(lower_case=lower_case, strip_accents=None)
    words, chinese = count_words(texts, lower_case=lower_case, level=level)
    room = size - len(SPECIAL)
    if not words or room < 1:
        fact = f"size {size} is too small, choose 6 or more" if words else "the texts hold no words, give others"
        raise UserError(f"cannot train a vocabulary: {fact}", code="bad_vocabulary")
    alphabet = _alphabet(words, min_frequency)[:room]
    room -= len(alphabet)
    found = [*merged_pieces(_mergeable(words, alphabet), limit=room, min_frequency=min_frequency)]
    found += [(word, count) for word, count in sorted(chinese.items()) if count >= min_frequency]
    found.sort(key=lambda entry: -entry[1])
    learned = [piece for piece, _ in found[:room]]
    return Tokenizer(wordpiece([*SPECIAL, *alphabet, *learned], normalizer=normalizer, level=level))


def count_words(texts: Iterable[str], *, lower_case: bool, level: Level) -> tuple[Counter[str], Counter[str]]:
    """How often each of BERT's words occurs and, at word level, each Chinese word of two characters or more."""
    table = WordTable(BertNormalizer(lowercase=lower_case))
    unspaced = CharacterTable(BertNormalizer(handle_chinese_chars=False, lowercase=lower_case))
    words: Counter[str] = Counter()
    chinese: Counter[str] = Counter()
    for raw in texts:
        text = without_surrogates(raw)
        words.update(text.translate(table).split())
        if level == "word":
            segmented = rjieba.cut(text.translate(unspaced), hmm=False)
            chinese.update(word for word in segmented if len(word) > 1 and any(map(is_han, word)))
        _forget_the_rarest(words)
        _forget_the_rarest(chinese)
    return words, chinese


def _forget_the_rarest(counts: Counter[str]) -> None:
    threshold = 1
    while len(counts) > MOST_WORDS:
        for word in [word for word, count in counts.items() if count <= threshold]:
            del counts[word]
        threshold *= 2


def _alphabet(words: Mapping[str, int], min_frequency: int) -> list[str]:
    """Single characters as they begin and as they go on a word, the most frequent first.

    An ASCII letter or digit that is seen in one form is known in both: words to come will need it.
    """
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for symbol in symbols(word[:LONGEST_WORD]):
            counts[symbol] += count
    for character in string.ascii_letters + string.digits:
        both = counts[character] + counts[f"##{character}"]
        counts[character] = counts[f"##{character}"] = both
    frequent = [(symbol, count) for symbol, count in counts.items() if count >= min_frequency]
    return [symbol for symbol, _ in sorted(frequent, key=lambda entry: (-entry[1], entry[0]))]


def _mergeable(words: Mapping[str, int], alphabet: Iterable[str]) -> dict[str, int]:
    """The most frequent words that are made of known characters."""
    known = set(alphabet)
    made = {
        word: count
        for word, count in words.items()
        if 1 < len(word) <= LONGEST_WORD and known.issuperset(symbols(word))
    }
    return dict(sorted(made.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_MERGED])
