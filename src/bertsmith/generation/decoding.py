"""How tokens are chosen from what the encoder says of the next one, as values."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from bertsmith.config import Config

Share = Annotated[float, Field(gt=0.0, le=1.0)]


class Sampling(Config):
    """Draw each token by chance, `count` texts of each source (SimBERT, Su 2020: 100 texts from the top 5).

    In this order: scores are divided by `temperature`; only the `top_k` likeliest tokens stay (Fan et al.
    2018, arXiv 1805.04833 §5.4); of these only the likeliest whose chances first sum to `top_p` or more, the token that
    crosses it included (Holtzman et al. 2020, arXiv 1904.09751 §3.1). What stays is renormalised. None leaves
    a step out. `block_ngrams` forbids a text to repeat any run of so many tokens.
    """

    kind: Literal["sampling"] = "sampling"
    count: PositiveInt = 100
    top_k: PositiveInt | None = 5
    top_p: Share | None = None
    temperature: PositiveFloat = 1.0
    block_ngrams: PositiveInt | None = None


class Beam(Config):
    """Keep the `width` best beginnings of each source; a text's score is the sum of its log-probabilities.

    With `length_penalty` α the sum is divided by ((5 + length) / 6)^α (Wu et al. 2016, arXiv 1609.08144 §7),
    the closing [SEP] counted. `block_ngrams` 3 is trigram blocking (Paulus et al. 2018, arXiv 1705.04304 §2.5).
    """

    kind: Literal["beam"] = "beam"
    width: PositiveInt = 20
    length_penalty: NonNegativeFloat = 0.0
    block_ngrams: PositiveInt | None = None


Decoding = Annotated[Sampling | Beam, Field(discriminator="kind")]


class Limits(Config):
    """How long texts may be, special tokens included, and how many are written side by side.

    A source longer than `source` tokens is cut at its end, and counted. A text that has not ended after
    `target` tokens is given as it is, and counted too; `keep_unfinished: false` leaves it out.
    """

    source: Annotated[int, Field(ge=3)] = 32
    target: PositiveInt = 32
    keep_unfinished: bool = True
    rows: PositiveInt = 256
