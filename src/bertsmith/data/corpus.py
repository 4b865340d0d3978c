"""Raw text for pre-training: files of paragraphs, streamed, cut into parts of even size."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from bertsmith.config import Config
from bertsmith.data.compression import read_chunks
from bertsmith.data.decoding import TextLines
from bertsmith.data.formats import DATA_SUFFIXES, STREAM, bare_suffix, require_file
from bertsmith.data.grams import comparable
from bertsmith.data.reading import read_records
from bertsmith.data.record import USUAL_COLUMNS, Columns, refusal
from bertsmith.errors import UserError

_HEAD = 4_000_000  # characters that are read of every file before the work begins
_MANY_LINES = 1000


class Paragraph(NamedTuple):
    """A line of text, and whether a document begins with it."""

    text: str
    opens: bool


class Corpus(Config):
    """Files of raw text, and how documents are told apart in them.

    A .txt file (also .gz, .xz, .zst) has one paragraph a line and a blank line between documents;
    with `documents: line` every line is a document. In data files (.csv, .tsv, .jsonl, .parquet)
    every text is a document, so that a task's own files can be learned from (Sun et al. 2019 §5.4);
    the texts of a pair are two paragraphs of one.

    Of all documents, `held_out_share` are set aside, drawn by their first paragraph alone, so that
    equal documents are never parted; `side` says which of the two parts is read.

    A paragraph that also stands in one of the files of `exclude` (a task's dev and test files) is left
    out, wherever it stands; width, case and spaces do not tell texts apart.
    """

    paths: Annotated[tuple[Path, ...], Field(min_length=1)]
    encoding: str = "utf-8"
    documents: Literal["blank_line", "line"] = "blank_line"
    columns: Columns = USUAL_COLUMNS
    exclude: tuple[Path, ...] = ()
    held_out_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    side: Literal["train", "held_out"] = "train"

    def paragraphs(self, left_out: Callable[[Paragraph], object] | None = None) -> Iterator[Paragraph]:
        """Stream all paragraphs; a file begins a document. `left_out` is told of those that are excluded.

        Raises:
            UserError: a file is missing, empty, damaged, or not in the encoding; or all is excluded.
        """
        wanted = True
        for paragraph in self._allowed(left_out):
            if paragraph.opens:
                wanted = (_luck(paragraph.text) < self.held_out_share) == (self.side == "held_out")
            if wanted:
                yield paragraph

    def excluded(self) -> frozenset[bytes]:
        """What stands for the texts that are left out: hashes of their lines.

        Raises:
            UserError: as `paragraphs`, of the files of `exclude`.
        """
        for path in self.exclude:
            require_file(path)
        stamps = tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in self.exclude)
        return _keys(self.but(paths=self.exclude, exclude=()), stamps) if self.exclude else frozenset()

    def _allowed(self, left_out: Callable[[Paragraph], object] | None) -> Iterator[Paragraph]:
        """The paragraphs without the excluded ones; what follows the lost beginning of a document opens it."""
        excluded = self.excluded()
        anything = opens = False
        for path in self.paths:
            for paragraph in self.paragraphs_of(path):
                opens = opens or paragraph.opens
                if excluded and _key(paragraph.text) in excluded:
                    if left_out is not None:
                        left_out(paragraph)
                    continue
                yield Paragraph(paragraph.text, opens)
                anything, opens = True, False
        if not anything:
            names = ", ".join(path.name for path in self.exclude)
            raise UserError(
                f"every paragraph of the corpus also stands in {names}, so nothing is left to learn from; "
                "exclude the dev and test files only",
                code="empty_corpus",
            )

    def paragraphs_of(self, path: Path) -> Iterator[Paragraph]:
        """Stream the paragraphs of one file."""
        if path == STREAM:
            raise UserError("a corpus is read more than once: name files, not '-'", code="not_a_file", where="-")
        empty = True
        for paragraph in self._lines(path) if _is_text(path) else self._texts(path):
            empty = False
            yield paragraph
        if empty:
            raise refusal(str(path), "the file holds no text", "empty_file")

    def _lines(self, path: Path) -> Iterator[Paragraph]:
        opens = True
        for line in TextLines(read_chunks(path), str(path), self.encoding):
            text = line.strip()
            if text:
                yield Paragraph(text, opens)
            opens = not text or self.documents == "line"

    def _texts(self, path: Path) -> Iterator[Paragraph]:
        for record in read_records(path, self.columns, labels="none", encoding=self.encoding):
            texts = (record.text, record.text_pair or "")
            lines = [line.strip() for text in texts for line in text.splitlines()]
            for number, line in enumerate(filter(None, lines)):
                yield Paragraph(line, number == 0)


def inspect(corpus: Corpus) -> list[str]:
    """Read the beginning of every file, so that what is wrong is said before the long work starts.

    Returns what a user should know but may have meant.

    Raises:
        UserError: as `Corpus.paragraphs`, for what shows in the first four million characters of a file,
            and for the whole of the excluded files.
    """
    notes = []
    corpus.excluded()
    for path in corpus.paths:
        lines = documents = characters = 0
        for paragraph in corpus.paragraphs_of(path):
            lines += 1
            documents += paragraph.opens
            characters += len(paragraph.text)
            if characters > _HEAD:
                break
        if documents == 1 and lines >= _MANY_LINES:
            notes.append(
                f"{path}: no blank line in {lines:,} lines, so all of them count as one document; "
                "put a blank line between documents, or say --set corpus.documents=line if every line is one"
            )
    return notes


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive paragraphs of a corpus: what becomes one shard."""

    number: int
    paragraphs: list[Paragraph]

    @property
    def checksum(self) -> str:
        """Equal for equal paragraphs."""
        digest = hashlib.blake2b(digest_size=16)
        for text, opens in self.paragraphs:
            digest.update(b"\0" if opens else b"\n")
            digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def parts(paragraphs: Iterable[Paragraph], characters: int) -> Iterator[Part]:
    """Cut at the first document that begins after so many characters; a longer document is cut at twice as many."""
    held: list[Paragraph] = []
    number = size = 0
    for paragraph in paragraphs:
        if held and size >= (characters if paragraph.opens else 2 * characters):
            yield Part(number, held)
            held, size, number = [], 0, number + 1
        held.append(paragraph)
        size += len(paragraph.text)
    if held:
        yield Part(number, held)


@lru_cache(maxsize=4)
def _keys(files: Corpus, stamps: tuple[tuple[int, int], ...]) -> frozenset[bytes]:
    """The keys of all lines; `stamps` tell files that have changed since."""
    return frozenset(_key(paragraph.text) for path in files.paths for paragraph in files.paragraphs_of(path))


def _key(text: str) -> bytes:
    return hashlib.blake2b(comparable(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _luck(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _is_text(path: Path) -> bool:
    suffix = bare_suffix(path)
    if suffix != ".txt" and suffix not in DATA_SUFFIXES:
        raise UserError(
            f"{path}: a corpus is made of .txt files, or of data files ({', '.join(DATA_SUFFIXES)}); "
            "each also with .gz, .xz or .zst",
            code="unknown_format",
            where=str(path),
        )
    return suffix == ".txt"
