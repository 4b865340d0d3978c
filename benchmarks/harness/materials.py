"""What the systems of a case read: models and texts, made once by bertsmith in a process of its own.

Files that every system can read: checkpoints of Hugging Face's form, JSON lines, CoNLL, arrays of numpy; beside them
`facts.json` with what must be counted once for all (texts, tokens, squared lengths).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

import sets
from bertsmith.data import read_texts
from bertsmith.data.corpus import Corpus
from bertsmith.encoder import EncoderConfig, new_encoder, save_checkpoint
from bertsmith.encoder.hub import resolve
from bertsmith.recipes import load_sentence_bundle, read_pairs, save_sentence_bundle
from bertsmith.text import Tokenizer
from harness.child import Watch
from harness.generated import Writer, chinese_words, english_words
from harness.protocol import Ask, Job, Measure

CHINESE = "tiny-zh"
"""The encoder that comes along: its vocabulary is that of all Chinese models here."""

SHAPES = {
    "mini-zh": {"num_layers": 6, "hidden_size": 384, "num_heads": 12, "intermediate_size": 1536},
    "base-zh": {"num_layers": 12, "hidden_size": 768, "num_heads": 12, "intermediate_size": 3072},
    "tiny-4x256": {"num_layers": 4, "hidden_size": 256, "num_heads": 4, "intermediate_size": 1024},
    "bert-base": {"num_layers": 12, "hidden_size": 768, "num_heads": 12, "intermediate_size": 3072},
    "bert-large": {"num_layers": 24, "hidden_size": 1024, "num_heads": 16, "intermediate_size": 4096},
}
ROWS = {"bert-base": 21_128, "bert-large": 21_128}
"""Rows of the token table where they are more than the vocabulary has: those of bert-base-chinese."""
QUICK = {"num_layers": 2, "hidden_size": 64, "num_heads": 2, "intermediate_size": 128}
"""In place of all of these, to see that everything runs."""

JOINED = 8
"""Documents in a text of full length: some of them are short."""

SENTIMENT = {"0": "neg", "1": "pos"}
CORPORA = ("zh_mixed_part1.txt.xz", "zh_mixed_part2.txt.xz", "zh_cctv_news_202209_202509.txt.gz")
HELD_OUT = "zh_mixed_dev.txt.xz"

Labelled = list[tuple[str, str | None]]


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """One round makes everything; `options` hold `sources`, `model`, `encoder`, `data`, `quick` and `max_length`."""

    def run(_: Ask) -> Measure:
        watch = Watch()
        folder = Path(job.files["out"])
        folder.mkdir(parents=True, exist_ok=True)
        maker = Maker(job.options, folder)
        facts = {name: maker.make(name, **source) for name, source in job.options["sources"].items()}
        (folder / "facts.json").write_text(json.dumps({"model": str(maker.model), "sources": facts}, indent=1))
        return watch.measure()

    return run


class Maker:
    """Makes the files of one case."""

    def __init__(self, options: dict[str, Any], folder: Path) -> None:
        self.options, self.folder = options, folder
        self.data = Path(options["data"]) if options["data"] else None
        self.model = self._model(options["model"])
        self.tokenizer = Tokenizer.from_folder(self.model)
        self.taught: set[str | None] = set()

    def make(self, name: str, *, kind: str, count: int, part: str) -> dict[str, Any]:
        """Write the file of one source; gives back its path and what was counted."""
        special: dict[str, Callable[[Path, int, str], dict[str, Any]]] = {
            "tagged": self._tagged,
            "corpus": self._corpus,
            "vectors": self._vectors,
            "pairs": self._pairs,
            "classifier": self._classifier,
        }
        if kind in special:
            return special[kind](self.folder / name, count, part)
        texts = self._teachable(self._labelled(kind, count, part), part)
        path = self.folder / f"{name}.jsonl"
        write_lines(path, ({"text": text, "label": label} for text, label in texts))
        return {"path": str(path), **self._counted([text for text, _ in texts])}

    def _teachable(self, texts: Labelled, part: str) -> Labelled:
        """Of a test part, what has a label that stands in the train part, which is made first."""
        if part == "train":
            self.taught |= {label for _, label in texts}
        return [(text, label) for text, label in texts if label in self.taught or not self.taught]

    def _model(self, name: str) -> Path:
        """A checkpoint that sentence-transformers and transformers read too."""
        if name == "minilm":
            return Path(self.options["encoder"])
        if name == CHINESE:
            return resolve(CHINESE)
        size = "quick" if self.options["quick"] else "whole"
        folder = self.folder.parent / f"{name}-{size}-{self.options['stamp']}"
        if not (folder / "modules.json").exists():
            tokenizer = Tokenizer.from_folder(resolve(CHINESE))
            shape = QUICK if self.options["quick"] else SHAPES[name]
            rows = tokenizer.vocab_size if self.options["quick"] else ROWS.get(name, tokenizer.vocab_size)
            encoder = new_encoder(EncoderConfig(vocab_size=rows, **shape), seed=0)
            tokenizer.save(folder)
            save_checkpoint(folder, encoder, family="bert", heads={})
            save_sentence_bundle(load_sentence_bundle(folder, pooling="mean", normalize=True), folder)
        return folder

    def _labelled(self, kind: str, count: int, part: str) -> Labelled:
        """Real texts with their labels, or generated ones."""
        if self.data is None:
            return self._invented(kind, count, part)
        found = real(kind, part, self.data)
        if not count:
            return found
        order = np.random.default_rng(0).permutation(len(found))
        return [found[row] for row in islice(cycle(order), count)]

    def _invented(self, kind: str, count: int, part: str) -> Labelled:
        writer = self._writer(kind, part)
        if kind == "mixed":
            texts = writer.texts("en-sentences", count)
            texts[::16] = writer.texts("documents", len(texts[::16]))
        elif kind == "full-length":
            texts = [" ".join(writer.texts("documents", JOINED)) for _ in range(count)]
        else:
            texts = writer.texts(kind, count)
        return [(text, "ab"[row % 2]) for row, text in enumerate(texts)]

    def _writer(self, kind: str, part: str) -> Writer:
        vocabulary = self.tokenizer.tokens(range(self.tokenizer.vocab_size))
        chinese = kind in ("zh-short", "tagged", "corpus", "vectors")
        words = chinese_words(vocabulary) if chinese else english_words(vocabulary)
        return Writer(words, seed=0 if part == "train" else 1)

    def _counted(self, texts: Sequence[str]) -> dict[str, Any]:
        """Texts, their tokens as they are read, and the sum of squared lengths."""
        most = self.options["max_length"]
        special = self.tokenizer.overhead(pair=False)
        lengths = np.array(
            [
                min(len(each.token_ids) + special, most)
                for start in range(0, len(texts), 4096)
                for each in self.tokenizer.tokenize(list(texts[start : start + 4096]))
            ],
            dtype=np.int64,
        )
        return {
            "texts": len(texts),
            "tokens": int(lengths.sum()),
            "squares": int((lengths**2).sum()),
            "real": self.data is not None,
        }

    def _tagged(self, path: Path, count: int, part: str) -> dict[str, Any]:
        """CoNLL for us, JSON lines for the peers."""
        if self.data is None:
            rows = self._writer("tagged", part).tagged(count)
        else:
            rows = read_conll(self.data / "ner/zh_resume" / f"{part}.conll")[:count]
        if part == "train":
            self.taught = {tag for _, tags in rows for tag in tags}
        rows = [row for row in rows if self.taught.issuperset(row[1])]
        blocks = ("\n".join(f"{word}\t{tag}" for word, tag in zip(*row, strict=True)) for row in rows)
        path.with_suffix(".conll").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        write_lines(path.with_suffix(".jsonl"), ({"tokens": words, "tags": tags} for words, tags in rows))
        return {"path": str(path.with_suffix(".jsonl")), **self._counted(["".join(words) for words, _ in rows])}

    def _corpus(self, path: Path, count: int, _: str) -> dict[str, Any]:
        """Raw text of so many characters."""
        target = path.with_suffix(".txt")
        if self.data is None:
            lines = self._writer("corpus", "train").corpus(count)
        else:
            lines, size = [], 0
            for paragraph in Corpus(paths=(self.data / "raw" / CORPORA[0],)).paragraphs():
                lines += ["", paragraph.text] if paragraph.opens and lines else [paragraph.text]
                size += len(paragraph.text)
                if size >= count:
                    break
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {"path": str(target), "texts": len(lines), "tokens": 0, "squares": 0, "real": self.data is not None}

    def _vectors(self, path: Path, count: int, part: str) -> dict[str, Any]:
        """Vectors of lines of raw text, and the lines; the queries are lines of other documents."""
        import torch

        if self.data is None:
            lines = self._writer("vectors", part).texts("zh-short", count)
        else:
            lines = distinct_lines(self.data, CORPORA if part == "train" else (HELD_OUT,), count)
        bundle = load_sentence_bundle(self.model, pooling="mean", normalize=True, max_length=self.options["max_length"])
        np.save(path.with_suffix(".npy"), bundle.encode(lines, device=torch.device("cpu")).vectors)
        path.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {"path": str(path.with_suffix(".npy")), "texts": len(lines), "real": self.data is not None}

    def _pairs(self, path: Path, count: int, part: str) -> dict[str, Any]:
        """Pairs of sentences with scores."""
        assert self.data is not None
        pairs = read_pairs(self.data / "sts/en_stsb" / f"{part}.tsv")
        rows = range(len(pairs.scores))[:count]
        target = path.with_suffix(".json")
        sides = [[pairs.texts[place] for place in side[: len(rows)]] for side in (pairs.first, pairs.second)]
        target.write_text(json.dumps({"first": sides[0], "second": sides[1], "scores": pairs.scores[rows].tolist()}))
        return {"path": str(target), **self._counted([*sides[0], *sides[1]])}

    def _classifier(self, path: Path, _: int, __: str) -> dict[str, Any]:
        """A classifier that starts from tiny-zh, trained for one update: what it answers does not matter."""
        from bertsmith.data import Record
        from bertsmith.recipes import finetune, finetune_recipe, make_splits, save_bundle

        texts = self._invented("zh-short", 32, "train")
        records = [Record(text, None, label, where=str(row)) for row, (text, label) in enumerate(texts)]
        given = {"start": {"model": CHINESE}, "budget": {"epochs": None, "max_steps": 1}, "device": "cpu"}
        recipe = finetune_recipe(given=given)
        result = finetune(recipe, make_splits({"train": records, "dev": records[:8]}, recipe))
        save_bundle(result.bundle, path)
        return {"path": str(path), "texts": 1, "real": False}


def real(kind: str, part: str, data: Path) -> Labelled:
    """The texts of a labelled set; `mixed` is a review among fifteen sentences, `full-length` several in one."""
    if kind == "mixed":
        short, long = real("en-sentences", part, data), real("documents", part, data)
        return [long[row // 16 % len(long)] if row % 16 == 0 else text for row, text in enumerate(short)]
    if kind == "full-length":
        long = real("documents", part, data)
        return [(" ".join(text for text, _ in long[row : row + JOINED]), long[row][1]) for row in range(len(long))]
    found = {"zh-short": sets.THUCNEWS, "en-sentences": sets.SST2, "documents": sets.IMDB, "trec": sets.TREC}[kind]
    texts = found.read(data, part)
    names = SENTIMENT if kind == "en-sentences" else {}
    return [(text, names.get(label, label)) for text, label in zip(texts.texts, texts.labels, strict=True)]


def distinct_lines(data: Path, names: Iterable[str], count: int) -> list[str]:
    """The first lines of raw text, each once."""
    lines = (line.strip() for name in names for line in read_texts(data / "raw" / name) if line.strip())
    return list(islice(dict.fromkeys(islice(lines, 2 * count)), count))


def read_conll(path: Path) -> list[tuple[list[str], list[str]]]:
    """Sentences of words with tags."""
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    rows = [[line.split() for line in block.split("\n") if line.strip()] for block in blocks]
    return [([cells[0] for cells in row], [cells[-1] for cells in row]) for row in rows]


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
