"""Marks in texts that damage, a wrong encoding or careless copying leave behind."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bertsmith.data.checking.finding import Finding, Level, Splits, by_split, count, shown

_LATIN_MOJIBAKE = re.compile("[ÃÂ][\u0080-\u00bf]|â€[\u0080-\u009d™œ“”˜¦]|[à-ï][\u0080-\u00bf]{2}")
_HAN = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Oddity:
    """A mark, how to see it in a text, and what to do about it."""

    code: str
    level: Level
    seen: Callable[[str], object]
    what: str
    fix: str


def is_mojibake(text: str) -> bool:
    """Whether a text looks like UTF-8 once read as Latin-1 (Ã©) or as GBK (浣犲ソ, 锟斤拷)."""
    if "锟斤拷" in text or _LATIN_MOJIBAKE.search(text):
        return True
    if len(text) < 3 or text.isascii():
        return False
    try:
        original = text.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return False
    return 2 * len(_HAN.findall(original)) > len(original)


def _pattern(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern).search


ODDITIES = (
    Oddity(
        "replacement_character",
        "warning",
        lambda text: "\ufffd" in text,
        "U+FFFD: characters lost in an earlier conversion",
        "convert again from the source, naming its true encoding",
    ),
    Oddity(
        "mojibake",
        "warning",
        is_mojibake,
        "what looks like UTF-8 read in another encoding (Ã©, 浣犲ソ)",
        "convert again from the source, naming its true encoding",
    ),
    Oddity(
        "inner_bom",
        "info",
        lambda text: "\ufeff" in text,
        "a byte-order mark (U+FEFF) inside the text, as joined files leave it",
        "remove it; most tokenizers drop it",
    ),
    Oddity(
        "control_character",
        "info",
        _pattern("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"),
        "control characters",
        "remove them; BERT tokenizers drop them, others may not",
    ),
    Oddity(
        "markup",
        "info",
        _pattern(r"</?(?:br|p|div|span|a|b|i|img|font|td|tr|li)\b[^<>]*>|&(?:nbsp|amp|lt|gt|quot|#\d+);"),
        "HTML tags or entities",
        "strip them, here and in the texts to be predicted, if they mean nothing",
    ),
    Oddity(
        "white_space",
        "info",
        lambda text: text != text.strip() or "  " in text,
        "white space at an end, or several spaces in a row",
        "nothing: tokenizers ignore it; it only hides duplicates from other tools",
    ),
)


def oddity_findings(splits: Splits) -> Iterator[Finding]:
    """Look for every oddity in every text."""
    records = [record for split in splits.values() for record in split]
    for oddity in ODDITIES:
        odd = [record for record in records if oddity.seen(record.text) or oddity.seen(record.text_pair or "")]
        if odd:
            what = f"{count(len(odd), 'text')} ({by_split(splits, odd)}) with {oddity.what}"
            yield Finding(oddity.level, oddity.code, what, oddity.fix, odd[0].where, shown(odd))
