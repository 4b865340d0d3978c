"""Bytes to numbered lines, with a diagnosis where the bytes are not what was promised."""

import codecs
from collections.abc import Iterable, Iterator

from bertsmith.data.record import refusal
from bertsmith.errors import UserError

LONGEST_LINE = 1_000_000  # characters

_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"} | {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MAGIC = {
    b"\x1f\x8b": "gzip data: name the file with .gz",
    b"\xfd7zXZ": "xz data: name the file with .xz",
    b"\x28\xb5\x2f\xfd": "zstd data: name the file with .zst",
    b"PAR1": "Parquet: name the file .parquet",
    b"PK\x03\x04": "a zip archive or an Excel workbook: save the table as CSV UTF-8",
}


class TextLines:
    """The lines of a text, each with its line end; `number` is the physical number of the last one given.

    Raises:
        UserError: the bytes are not in the encoding, hold a NUL byte, or a line is too long to be a text.
    """

    def __init__(self, chunks: Iterable[bytes], name: str, encoding: str = "utf-8") -> None:
        self.name = name
        self.number = 0
        self._encoding = known_encoding(encoding)
        self._chunks = chunks
        self._line_ends = 0

    def __iter__(self) -> Iterator[str]:
        pending = ""
        for text in self._texts():
            *lines, pending = (pending + text).split("\n")
            for line in lines:
                yield self._counted(line + "\n")
            self._require_short(pending)
        if pending:
            yield self._counted(pending)

    def place(self, number: int | None = None) -> str:
        """Where a line is: the last one given, or one named by its number."""
        return f"{self.name}:{self.number if number is None else number}"

    def _counted(self, line: str) -> str:
        self._require_short(line)
        self.number += 1
        return line

    def _require_short(self, line: str) -> None:
        if len(line) > LONGEST_LINE:
            raise refusal(
                self.place(self.number + 1),
                f"the line is longer than {LONGEST_LINE:,} characters, the limit for one row; "
                "have the line ends been lost? Cut longer texts beforehand",
                "line_too_long",
            )

    def _texts(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self._encoding)()
        read = 0
        for chunk in self._chunks:
            if read == 0:
                self._require_plain(chunk)
            text = self._decoded(decoder, chunk, read, final=False)
            yield text.removeprefix("\ufeff") if read == 0 else text
            read += len(chunk)
        yield self._decoded(decoder, b"", read, final=True)

    def _decoded(self, decoder: codecs.IncrementalDecoder, chunk: bytes, read: int, *, final: bool) -> str:
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            raise self._broken(error, read - (len(error.object) - len(chunk))) from None
        nul = text.find("\0")
        if nul >= 0:
            what = "a NUL byte: no text holds one. Is it a binary file, or UTF-16 (--encoding utf-16)?"
            raise refusal(self.place(self._line_ends + text.count("\n", 0, nul) + 1), what, "nul_byte")
        self._line_ends += text.count("\n")
        return text

    def _require_plain(self, head: bytes) -> None:
        for magic, what in _MAGIC.items():
            if head.startswith(magic):
                raise refusal(self.name, f"not a text file but {what}", "not_text")
        for mark, encoding in _MARKS.items():
            if head.startswith(mark) and self._encoding == "utf-8":
                what = f"the file is {encoding.upper()}, not UTF-8; add --encoding {encoding}, or save it as UTF-8"
                raise refusal(self.name, what, "bad_encoding")

    def _broken(self, error: UnicodeDecodeError, before: int) -> UserError:
        line = self._line_ends + error.object.count(b"\n", 0, error.start) + 1
        offset = before + error.start
        fact = f"not {self._encoding.upper()}: byte 0x{error.object[error.start]:02x} at offset {offset}"
        if self._encoding == "utf-8" and looks_like_gb18030(error.object):
            advice = "the file looks like GB18030/GBK (Chinese Windows): add --encoding gb18030, or save it as UTF-8"
        else:
            advice = "repair it, or name the file's encoding (--encoding gb18030, cp1252, ...)"
        return refusal(self.place(line), f"{fact} ({error.reason}); {advice}", "bad_encoding")


def known_encoding(name: str) -> str:
    """Return the canonical name of a text encoding; UTF-8 is always read with or without a BOM.

    Raises:
        UserError: Python knows no text encoding of this name.
    """
    try:
        b"a".decode(name)
    except UnicodeDecodeError:
        pass  # of two or four bytes, as UTF-16
    except (LookupError, UnicodeError, ValueError):
        message = f"--encoding {name!r} is unknown; examples: utf-8, gb18030, big5, utf-16, cp1252"
        raise UserError(message, code="bad_encoding_name") from None
    canonical = codecs.lookup(name).name
    return "utf-8" if canonical == "utf-8-sig" else canonical


def looks_like_gb18030(sample: bytes) -> bool:
    """Whether bytes that are not UTF-8 read as Chinese in GB18030.

    They must decode, nearly all beyond ASCII within GB2312 (what people write), and as UTF-8 be more
    broken than not: one bad byte in a UTF-8 file does not make it GB18030.
    """
    try:
        text = codecs.getincrementaldecoder("gb18030")().decode(sample)
    except UnicodeDecodeError:
        return False
    foreign = [character for character in text if ord(character) > 127]
    common = sum(len(character.encode("gb2312", "ignore")) == 2 for character in foreign)
    as_utf8 = sample.decode("utf-8", "replace")
    broken = as_utf8.count("\ufffd")
    intact = sum(ord(character) > 127 for character in as_utf8) - broken
    return bool(foreign) and common >= 0.9 * len(foreign) and broken > intact
