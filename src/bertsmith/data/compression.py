"""Bytes in and out of plain and compressed files."""

import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast, runtime_checkable

import zstandard

from bertsmith.data.formats import STREAM, Compression, compression_of, display_name, require_file
from bertsmith.data.record import refusal

CHUNK = 1 << 18  # bytes


@runtime_checkable
class ByteSink(Protocol):
    """Where bytes are written."""

    def write(self, data: bytes, /) -> int:
        """Take some bytes and return how many."""
        ...


def read_chunks(path: Path) -> Iterator[bytes]:
    """Stream the decompressed bytes of a file.

    Raises:
        UserError: the file is missing, a folder, not readable, or its compression is damaged or cut short.
    """
    compression = compression_of(path)
    require_file(path)
    with _reading(path):
        if path == STREAM:
            yield from iter(lambda: cast(io.BufferedReader, sys.stdin.buffer).read1(CHUNK), b"")
        else:
            with path.open("rb") as file:
                yield from _decompressed(file, compression)


@contextmanager
def compressing(path: Path, compression: Compression) -> Iterator[ByteSink]:
    """Open a file for writing through its compression; equal content gives equal bytes."""
    with path.open("wb") as raw:
        if compression == "gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                yield packed
        elif compression == "xz":
            with lzma.LZMAFile(raw, "wb") as squeezed:
                yield squeezed
        elif compression == "zst":
            with zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as written:
                yield written
        else:
            yield raw


def _decompressed(file: BinaryIO, compression: Compression) -> Iterator[bytes]:
    if compression == "zst":
        yield from _zstd(file)
    elif compression == "gz":
        with gzip.GzipFile(fileobj=file) as packed:
            yield from iter(lambda: packed.read(CHUNK), b"")
    elif compression == "xz":
        with lzma.LZMAFile(file) as squeezed:
            yield from iter(lambda: squeezed.read(CHUNK), b"")
    else:
        yield from iter(lambda: file.read(CHUNK), b"")


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    """Frame after frame; unlike the library's own reader, notice a frame that is cut short."""
    decoder = zstandard.ZstdDecompressor()
    frame = decoder.decompressobj()
    begun = False
    for chunk in iter(lambda: file.read(CHUNK), b""):
        while chunk:
            begun = True
            yield frame.decompress(chunk)
            chunk = b""
            if frame.eof:
                chunk, frame, begun = frame.unused_data, decoder.decompressobj(), False
    if begun:
        raise EOFError


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    name = display_name(path)
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstandard.ZstdError) as error:
        reason = "cut short" if isinstance(error, EOFError) else f"damaged ({error})"
        what = f"the compressed file is {reason}; copy or download it again"
        raise refusal(name, what, "damaged_file") from error
    except OSError as error:
        raise refusal(name, f"cannot be read: {error.strerror or error}", "unreadable_file") from error
