"""Texts to vectors, in the order they came: any number of them, as a stream, in constant memory."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bertsmith.allocator import give_back_freed_memory
from bertsmith.batch import Example, PackedBatch, pack
from bertsmith.data import plan_inference
from bertsmith.errors import UserError
from bertsmith.text import Tokenizer
from bertsmith.text.characters import is_blank
from bertsmith.text.shortening import Truncated, room_for, shorten

WINDOW = 4096
"""Texts read at a time, sorted by length among themselves."""

INFERENCE_TOKENS = 4096
"""Tokens packed together at once; more leave the caches of a CPU."""


Vectors = Float[np.ndarray, "texts width"]


@runtime_checkable
class Embedder(Protocol):
    """What makes vectors of a packed batch."""

    width: int

    def __call__(self, batch: PackedBatch) -> Float[Tensor, "texts width"]:
        """One vector a text."""
        ...


@dataclass(frozen=True, slots=True)
class TextCounts:
    """What was read: texts, tokens (special ones included), and what a user should know of.

    `blank` texts have nothing to see in them; their vector is that of special tokens alone. `unknown` texts
    are all unknown tokens (emoji under a vocabulary without them): the vectors of two of equal length are equal.
    """

    texts: int = 0
    tokens: int = 0
    truncated: Truncated = field(default_factory=Truncated)
    blank: int = 0
    unknown: int = 0

    def __add__(self, other: "TextCounts") -> "TextCounts":
        return TextCounts(
            self.texts + other.texts,
            self.tokens + other.tokens,
            self.truncated + other.truncated,
            self.blank + other.blank,
            self.unknown + other.unknown,
        )

    def notes(self, max_length: int) -> tuple[str, ...]:
        """In words, what a user should know of."""
        cut = self.truncated
        told = []
        if cut.texts:
            told.append(
                f"{cut.texts:,} of {self.texts:,} texts are longer than {max_length} tokens; "
                f"the beginning is read, {cut.tokens:,} tokens are lost"
            )
        if self.blank:
            told.append(f"{self.blank:,} of {self.texts:,} texts are blank; their vectors say nothing")
        if self.unknown:
            told.append(
                f"{self.unknown:,} of {self.texts:,} texts have no token the vocabulary knows (emoji?); "
                "their vectors say little more than how long they are"
            )
        return tuple(told)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors of some texts in their order, and what was read."""

    vectors: Float[np.ndarray, "texts width"]
    counts: TextCounts


@dataclass(frozen=True, slots=True)
class TextReader:
    """How texts become examples: at most `max_length` tokens, special ones and the prompt before them included.

    Raises:
        UserError: `max_length` leaves no room for text.
    """

    tokenizer: Tokenizer
    max_length: int
    prompt: str = ""

    def __call__(self, texts: Sequence[str]) -> tuple[list[Example], TextCounts]:
        """Tokenize, shorten to the beginning, and count."""
        room = room_for(self.max_length, self.tokenizer.overhead(pair=False), setting="max_length")
        ids = [one.token_ids for one in self.tokenizer.tokenize([self.prompt + text for text in texts])]
        lost = np.array([max(len(each) - room, 0) for each in ids], dtype=np.int64)
        examples = [self.tokenizer.assemble(shorten(each, room, "head")) for each in ids]
        unknown = self.tokenizer.special.unk
        counts = TextCounts(
            texts=len(texts),
            tokens=sum(map(len, examples)),
            truncated=Truncated(texts=int((lost > 0).sum()), tokens=int(lost.sum())),
            blank=sum(is_blank(text) for text in texts),
            unknown=sum(bool(len(each)) and bool((each == unknown).all()) for each in ids),
        )
        return examples, counts


def encode_stream(
    embedder: Embedder,
    reader: TextReader,
    texts: Iterable[str],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    max_tokens: int = INFERENCE_TOKENS,
) -> Iterator[Encoded]:
    """Make float32 vectors of texts, `WINDOW` of them at a time; the embedder must be on the device, in eval mode.

    While a window is with the model, the next is drawn and tokenized. A text beyond the length is read from its
    beginning, and counted. A blank text is special tokens alone.

    Raises:
        UserError: a vector holds NaN or an infinity (names its row), or the length leaves no room.
    """
    done = 0
    for chunk, examples, counts in _tokenized_ahead(reader, texts):
        vectors = _vectors(embedder, examples, device=device, dtype=dtype, max_tokens=max_tokens)
        _require_finite(vectors, chunk, before=done)
        done += len(chunk)
        yield Encoded(vectors, counts)
        if len(chunk) == WINDOW:  # of a few texts nothing is worth the milliseconds
            give_back_freed_memory()


def _tokenized_ahead(reader: TextReader, texts: Iterable[str]) -> Iterator[tuple[list[str], list[Example], TextCounts]]:
    """Windows of texts, the one after each being tokenized beside whatever is done with it.

    Texts are drawn in the caller's thread, so that none blocks where it cannot be interrupted; what goes wrong with a
    window is raised when the one before it is done with.
    """
    windows = _windows(texts)
    with ThreadPoolExecutor(1, thread_name_prefix="tokenizing") as beside:

        def begun() -> "tuple[list[str], Future[tuple[list[Example], TextCounts]]] | None":
            window = next(windows, None)
            return None if window is None else (window, beside.submit(reader, window))

        current = begun()
        while current is not None:
            following, failure = None, None
            try:
                following = begun()
            except Exception as error:
                failure = error
            window, made = current
            yield window, *made.result()
            if failure is not None:
                raise failure
            current = following


def _windows(texts: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    while chunk := list(islice(rest, WINDOW)):
        yield chunk


def _vectors(
    embedder: Embedder, examples: list[Example], *, device: torch.device, dtype: torch.dtype, max_tokens: int
) -> Float[np.ndarray, "texts width"]:
    vectors = np.zeros((len(examples), embedder.width), dtype=np.float32)
    lengths = np.array([len(example) for example in examples], dtype=np.int64)
    half = torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
    with torch.inference_mode(), half:
        for rows in plan_inference(lengths, max_tokens, window=len(examples)):
            batch = pack([examples[row] for row in rows]).to(device)
            vectors[rows] = embedder(batch).float().cpu().numpy()
    return vectors


def _require_finite(vectors: Float[np.ndarray, "texts width"], texts: list[str], *, before: int) -> None:
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"row {before + row + 1}: the vector of {texts[row]!r:.60} holds NaN or an infinity (as do "
            f"{len(wrong) - 1} others of the {len(texts):,} texts read with it); the weights of the model are damaged, "
            "or its numbers too large for bfloat16: check the checkpoint, or compute in float32",
            code="nan_vectors",
            where=f"row {before + row + 1}",
        )
