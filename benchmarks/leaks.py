"""Find texts of development and test sets in a corpus, and write the corpus without their paragraphs.

    python benchmarks/leaks.py --data PATH --corpus FILE... --out FOLDER

FILE:N takes every Nth document of a file. A paragraph leaks if it holds a text of an evaluation file,
compared by letters and digits alone (NFKC, lower case). Evaluation files are all below --data that are
not for training: train*, unlabeled*, raw/ and lexicon/ are left out. Texts of fewer than 10 letters are
everyday phrases and are not looked for, but counted. Documents keep their place; FOLDER/leaks.json says
what was found.
"""

import argparse
import gzip
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bertsmith.data.compression import read_chunks
from bertsmith.data.corpus import Corpus
from bertsmith.data.decoding import TextLines

SHORTEST = 10
TRAINING = ("train", "unlabeled", "README", "labels", "class", "qrels")
OTHER_FOLDERS = ("raw", "lexicon")


def letters(text: str) -> str:
    """What is compared: letters and digits in one form."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).lower()))


def evaluation_files(data: Path) -> Iterator[Path]:
    """Every labelled file that is not there to be trained on."""
    for path in sorted(data.rglob("*")):
        place = path.relative_to(data)
        if path.is_file() and place.parts[0] not in OTHER_FOLDERS and not path.name.startswith(TRAINING):
            yield path


def texts_of(path: Path) -> Iterator[str]:
    """Every text of a file, whatever its columns are called; the sentences of a tagged file."""
    lines = TextLines(read_chunks(path), str(path), "utf-8")
    if ".conll" in path.name:
        yield from _sentences(lines)
    elif ".jsonl" in path.name:
        for line in lines:
            if line.strip():
                yield from _strings(json.loads(line))
    else:
        for line in lines:
            yield from line.split("\t")


def _sentences(lines: Iterable[str]) -> Iterator[str]:
    tokens: list[str] = []
    for line in lines:
        if line.strip():
            tokens.append(line.split("\t")[0])
        elif tokens:
            yield " ".join(tokens)
            tokens = []
    if tokens:
        yield " ".join(tokens)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


class Watch:
    """The texts to look for, by their first letters."""

    def __init__(self, files: Iterable[Path], data: Path) -> None:
        self.texts: dict[str, dict[str, str]] = defaultdict(dict)
        self.counts: Counter[str] = Counter()
        for path in files:
            for text in texts_of(path):
                kept = letters(text)
                self.counts["texts" if len(kept) >= SHORTEST else "too short"] += 1
                if len(kept) >= SHORTEST:
                    self.texts[kept[:SHORTEST]].setdefault(kept, str(path.relative_to(data)))

    def found_in(self, paragraph: str) -> str | None:
        """The file of the first evaluation text that stands in this paragraph."""
        kept = letters(paragraph)
        for start in range(len(kept) - SHORTEST + 1):
            for text, source in self.texts.get(kept[start : start + SHORTEST], {}).items():
                if kept.startswith(text, start):
                    return source
        return None


def main() -> None:
    """Read the evaluation texts, then stream the corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="PATH", help="folder with the labelled sets")
    parser.add_argument("--corpus", nargs="+", required=True, metavar="FILE[:N]")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the corpus goes")
    options = parser.parse_args()
    watch = Watch(evaluation_files(options.data), options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"evaluation": dict(watch.counts), "files": {}}
    for named in options.corpus:
        name, _, every = named.partition(":")
        path = Path(name)
        target = options.out / f"{path.name.split('.')[0]}.txt.gz"
        report["files"][path.name] = cleaned(path, watch, target, every=int(every or 1))
    (options.out / "leaks.json").write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")
    print(json.dumps(report, ensure_ascii=False, indent=2))


def cleaned(path: Path, watch: Watch, target: Path, *, every: int) -> dict[str, Any]:
    """Copy a corpus without the paragraphs that leak; what was left out, by the set it came from."""
    left_out: Counter[str] = Counter()
    paragraphs = characters = 0
    documents = -1
    opens = False
    with gzip.GzipFile(target, "wb", compresslevel=5, mtime=0) as file:
        for paragraph in Corpus(paths=(path,)).paragraphs():
            documents += paragraph.opens
            if documents % every:
                continue
            opens = opens or paragraph.opens
            source = watch.found_in(paragraph.text)
            if source is not None:
                left_out[source] += 1
                continue
            file.write((("\n" if opens and paragraphs else "") + paragraph.text + "\n").encode())
            paragraphs, characters, opens = paragraphs + 1, characters + len(paragraph.text), False
    return {"paragraphs": paragraphs, "characters": characters, "left_out": dict(left_out.most_common())}


if __name__ == "__main__":
    main()
