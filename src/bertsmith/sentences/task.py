"""What a sentence encoder computes, as a value: features, what comes on top of them, and how texts are read."""

from collections.abc import Mapping
from typing import Literal

from pydantic import PositiveInt, model_validator

from bertsmith.config import Config
from bertsmith.errors import UserError
from bertsmith.features import NAMED_FEATURES, Average, Features

POOLINGS: dict[str, Features] = {
    "cls": NAMED_FEATURES["cls"],
    "pooler": NAMED_FEATURES["pooler"],
    "last-avg": NAMED_FEATURES["mean"],
    "first-last-avg": NAMED_FEATURES["first_last_avg"],
    "mean": NAMED_FEATURES["mean"],
    "max": NAMED_FEATURES["max"],
}
"""The poolings of sentence vectors by name; the first four are P1 to P4 of Su's experiments."""

_PLACES = {"p1": "cls", "p2": "pooler", "p3": "last-avg", "p4": "first-last-avg"}


class Projection(Config):
    """A dense layer on top of the pooled vector: `width` outputs, then `activation`.

    SimBERT's linear pooler is one without activation; sentence-transformers calls it Dense.
    """

    width: PositiveInt
    activation: Literal["none", "tanh"] = "none"
    bias: bool = True


class SentenceTask(Config):
    """features × projections × whitening × width × length: a text's vector.

    `whitening`: how many whitened dimensions are kept (Su et al. 2021, arXiv 2103.15316); its numbers are
    stored with the weights. `dim`: only the first so many dimensions are given (Kusupati et al. 2022,
    Matryoshka, arXiv 2205.13147); `matryoshka` are those the model was trained to be cut to.
    `normalize`: vectors of length 1. `similarity`: what was trained, and is meant to be compared by.

    `prompts` are written before a text, by name: `query` and `passage` for models that tell questions from
    what answers them; `default_prompt` names the one used where none is asked for. `max_length` counts
    special tokens and the prompt; the beginning of a longer text is read.
    """

    features: Features = Features(layers=Average(), pooling="mean")
    projections: tuple[Projection, ...] = ()
    whitening: PositiveInt | None = None
    dim: PositiveInt | None = None
    normalize: bool = True
    similarity: Literal["cosine", "dot"] = "cosine"
    matryoshka: tuple[PositiveInt, ...] = ()
    max_length: PositiveInt | None = None
    prompts: Mapping[str, str] = {}
    default_prompt: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> "SentenceTask":
        if self.features.per_token:
            raise ValueError(
                "a sentence encoder gives a vector a text; set features.pooling to cls, mean, max or pooler"
            )
        if self.default_prompt is not None and self.default_prompt not in self.prompts:
            raise ValueError(f"default_prompt {self.default_prompt!r} is none of the prompts {sorted(self.prompts)}")
        return self

    @property
    def pooling(self) -> str:
        """The features by name, as people call them; layers and pooling where they have none."""
        return pooling_name(self.features)

    def prompt(self, asked: str | None) -> str:
        """What is written before each text: a prompt by its name, a text of one's own, or None for the usual.

        `query` and `passage` (or `document`) of a model without prompts are nothing.
        """
        if asked is None:
            return self.prompts[self.default_prompt] if self.default_prompt is not None else ""
        for name in _ALIASES.get(asked, (asked,)):
            if name in self.prompts:
                return self.prompts[name]
        return "" if asked in _ALIASES else asked


_ALIASES = {
    "query": ("query",),
    "passage": ("passage", "document", "corpus"),
    "document": ("document", "passage", "corpus"),
}
"""The two sides of a search, and the names that folders give them."""


def features_named(name: str) -> Features:
    """The features of a pooling by name: `cls`, `first-last-avg` ..., P1 to P4, or one of `NAMED_FEATURES`.

    Raises:
        UserError: there is no such pooling.
    """
    asked = name.strip().lower().replace("_", "-")
    asked = _PLACES.get(asked, asked)
    if asked in POOLINGS:
        return POOLINGS[asked]
    known = {each.replace("_", "-"): features for each, features in NAMED_FEATURES.items()}
    if asked in known:
        return known[asked]
    others = [each for each in known if each not in POOLINGS]
    raise UserError(
        f"no pooling is called {name!r}; choose {', '.join(POOLINGS)} (P1 to P4 are the first four), "
        f"or {', '.join(others)}",
        code="unknown_pooling",
    )


def pooling_name(features: Features) -> str:
    """The shortest usual name of features, or layers and pooling in words."""
    for name in ("cls", "pooler", "mean", "max", "first-last-avg"):
        if POOLINGS[name] == features:
            return name
    for name, each in NAMED_FEATURES.items():
        if each == features:
            return name.replace("_", "-")
    layers = features.layers.model_dump(exclude={"kind"})
    return f"{features.pooling} of {features.layers.kind} {next(iter(layers.values()), '')}".strip()
