"""Pairs of spans of one text, from texts without labels: what `contrast --method ranking` can go on learning from.

    python benchmarks/spans.py --data PATH --out spans.tsv
    bertsmith contrast --method ranking --model M --train spans.tsv --columns text=text,text_pair=text_pair --out FOLDER

Two spans of one text are to lie near each other, those of other texts apart (Giorgi et al. 2021, arXiv 2006.03659 §3),
here one of each half, which do not overlap. The texts are the unlabelled reviews of IMDb, block by block, and those of
its training part; blocks of fewer than 60 words are left out.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from bertsmith.data import Columns, read_records
from bertsmith.data.corpus import Corpus

REVIEWS, TRAIN = "raw/en_imdb_unsup_6k.txt.gz", "classification/en_imdb_5k/train.jsonl.gz"
FEWEST_WORDS, SPAN_WORDS = 60, 45


def main() -> None:
    """Write the pairs, in a random order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="PATH", help="folder with the labelled sets")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    options = parser.parse_args()
    drawn = random.Random(options.seed)
    pairs = [pair for text in texts(options.data) if (pair := spans(text.replace("<br />", " "), drawn))]
    drawn.shuffle(pairs)
    lines = ["\t".join(pair) + "\n" for pair in [("text", "text_pair"), *pairs]]
    options.out.write_text("".join(lines), encoding="utf-8")
    print(f"{len(pairs):,} pairs in {options.out}")


def texts(data: Path) -> Iterator[str]:
    """Reviews and those of the training part, whose labels are not looked at."""
    for paragraph in Corpus(paths=(data / REVIEWS,), documents="line").paragraphs():
        yield paragraph.text
    for record in read_records(data / TRAIN, Columns.parse("text=text"), pairs="ignored"):
        yield record.text


def spans(text: str, drawn: random.Random) -> tuple[str, str] | None:
    """A span of either half; None: the text is too short."""
    words = text.split()
    if len(words) < FEWEST_WORDS:
        return None
    middle = len(words) // 2
    first = drawn.randint(0, max(middle - SPAN_WORDS, 0))
    second = drawn.randint(middle, max(len(words) - SPAN_WORDS, middle))
    return (
        " ".join(words[first : min(first + SPAN_WORDS, middle)]),
        " ".join(words[second : second + SPAN_WORDS]),
    )


if __name__ == "__main__":
    main()
