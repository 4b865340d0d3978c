"""Which tokens of a text reach the encoder, and how many do not.

Nothing is cut silently: every shortening is counted and the count travels to the log and the report.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from bertsmith.config import Config
from bertsmith.features import Join
from bertsmith.text.shortening import Ids, shorten


class Truncate(Config):
    """Keep one stretch, or two, of a long text (Sun et al. 2019 §5.3.1).

    `head` keeps the beginning, `tail` the end, `head_tail` the first quarter and the last three
    quarters: 128 + 382 of 510 tokens, the same proportion elsewhere. `max_length` counts special
    tokens; None means 512, or as many as the encoder has positions for.
    """

    kind: Literal["truncate"] = "truncate"
    keep: Literal["head", "tail", "head_tail"] = "head"
    max_length: PositiveInt | None = None


class Windows(Config):
    """Read all of a long text, in windows that overlap: for tasks that answer tokens.

    The answer to a token comes from the window in which it stands farthest from an edge (as in Devlin et
    al.'s run_squad.py, `_check_is_max_context`). The windows of a text are read in one batch, in training
    too. `overlap` are tokens that neighbours share, at most half of a window.
    """

    kind: Literal["windows"] = "windows"
    max_length: PositiveInt | None = None
    overlap: NonNegativeInt = 128


class Chunks(Config):
    """Read all of a long text in chunks, each by itself, and join their vectors (Sun et al. 2019 §5.3.1).

    A text of L tokens becomes the fewest chunks of at most 510 (`max_length` less the special tokens),
    evenly long, each with its own [CLS] and [SEP]; neighbours share `overlap` tokens. `join`: `mean`, `max`,
    or learned `attention` over chunks. Beyond `most_chunks` the rest of a text is not read, and counted
    as lost. The chunks of a text are read in one batch, so that time and memory grow with the length.
    """

    kind: Literal["chunks"] = "chunks"
    max_length: PositiveInt | None = None
    overlap: NonNegativeInt = 0
    most_chunks: PositiveInt = 16
    join: Join = "max"


class Auto(Config):
    """Choose by the lengths of the training texts: the beginning, beginning and end, or chunks.

    The log, metrics.json and the report say what was chosen and why.
    """

    kind: Literal["auto"] = "auto"
    max_length: PositiveInt | None = None


ReadDocument = Truncate | Windows | Chunks
"""How texts are read, decided."""

AnyDocument = Annotated[Truncate | Windows | Chunks, Field(discriminator="kind")]
"""What may become of a long text."""

AskedDocument = Annotated[Truncate | Windows | Chunks | Auto, Field(discriminator="kind")]
"""What a recipe may ask for."""


def shorten_pair(first: Ids, second: Ids, limit: int, keep: Literal["head", "tail", "head_tail"]) -> tuple[Ids, Ids]:
    """Keep at most `limit` tokens of a pair: the longer text gives way first, of two alike the second (BERT's rule)."""
    first_limit = min(len(first), max((limit + 1) // 2, limit - len(second)))
    return shorten(first, first_limit, keep), shorten(second, limit - first_limit, keep)
