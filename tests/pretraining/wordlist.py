"""A vocabulary written by hand: Chinese characters, and two English words in pieces."""

from pathlib import Path

TEXT = "我在Beijing吃了PyTorch火锅，2026年真的还行！"
WORDS = [["我"], ["在"], ["bei", "##jing"], ["吃"], ["了"], ["py", "##tor", "##ch"], ["火", "锅"], ["，"]]
WORDS += [["202", "##6"], ["年"], ["真", "的"], ["还"], ["行"], ["！"]]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_vocabulary(folder: Path, *more: str, without: str = "") -> Path:
    """`vocab.txt` with the pieces of `TEXT`, in that order, and more."""
    pieces = [piece for word in WORDS for piece in word]
    folder.mkdir(exist_ok=True)
    names = [name for name in (*SPECIAL, *pieces, *"。今天很好明呢？", *more) if name != without]
    (folder / "vocab.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return folder
