"""Small vocabularies and mixed texts for the tests of texts."""

from pathlib import Path

TEXTS = (
    "我在Beijing吃了PyTorch火锅，2026年真的还行！",
    "今天天气非常好。明天下雨吗？",
    "客服说三天内发货,结果等了一个星期……😡😡",
    "The café's naïve façade — don't trust it; it's 3.14% off!",
    "Straße İstanbul ΑΣΊΑ ﬁne ½ ①",
    "e\u0301tude et de\u0301ja\u0300 vu",
    "全角ＡＢＣ１２３，半角abc123",
    "emoji 👩‍👩‍👧 and 🇨🇳 flags, 𠮷野家と寿司",
    "tabs\tand\nlines\r\nand\u3000wide\u00a0spaces",
    "zero\u200bwidth con\x00trol \ufffd and\u00adsoft",
    "한국어 텍스트 ไทย العربية עברית",
    "unaffable unbelievable running played players",
    "[CLS] is not a token here, nor is <s> or [MASK] or ##ing.",
    "",
    "   ",
    "a" * 130,
)

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

WORDS = (
    *"我在吃了火锅年真的还行今天气非常好明下雨吗客服说三内发货结果等一个星期全角半，。！？,.!?-[]<>'()%;:#",
    *"abcdefghijklmnopqrstuvwxyz0123456789",
    *(f"##{character}" for character in "abcdefghijklmnopqrstuvwxyz0123456789"),
    *("beijing", "py", "##torch", "202", "##6", "the", "caf", "##e", "##ing", "##ed", "##er", "##s", "un", "##aff"),
    *("##able", "play", "run", "##n", "don", "it", "na", "##ive", "cls", "mask", "sep", "unk", "pad", "is", "not"),
    *(
        "ａ",
        "##ｂ",
        "##ｃ",
        "##１",
        "##２",
        "##３",
        "😡",
        "##😡",
        "ß",
        "stra",
        "##ß",
        "𠮷",
        "野",
        "家",
        "ᄒ",
        "##ᅡ",
        "##ᆫ",
    ),
)

NAMES = tuple(dict.fromkeys((*SPECIAL, *WORDS)))

CHINESE_WORDS = ("今天", "天气", "非常", "明天", "下雨", "火锅", "真的", "客服", "发货", "结果", "星期", "一个", "还行")
WORD_NAMES = (*NAMES, *CHINESE_WORDS)


def vocab_folder(folder: Path, names: tuple[str, ...] = NAMES, **files: str) -> Path:
    """A folder with a vocab.txt and other small files (`tokenizer_config="{}"` is tokenizer_config.json)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.json").write_text(content, encoding="utf-8")
    return folder
