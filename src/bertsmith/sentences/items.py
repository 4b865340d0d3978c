"""Training items on the host: which texts stand together in pairs and triplets, and which mean the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Real

Slots = Int[np.ndarray, "items roles"]
"""The number of each text of each item."""


@dataclass(frozen=True, slots=True)
class Partners:
    """Texts known to mean the same: those of class `c` are `others[starts[c] : starts[c + 1]]`, classes too."""

    starts: Int[np.ndarray, "boundaries"]
    others: Int[np.ndarray, "pairs"]

    @classmethod
    def of(cls, pairs: Int[np.ndarray, "pairs two"], classes: int) -> "Partners":
        """From pairs of classes, both ways."""
        both = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
        both = both[both[:, 0] != both[:, 1]]
        counts = np.bincount(both[:, 0], minlength=classes)
        return cls(np.concatenate([[0], np.cumsum(counts)]), both[:, 1])

    def beside(self, classes: Int[np.ndarray, "slots"]) -> tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"]]:
        """For each slot its own class and those known to mean the same: places of slots, and classes."""
        counts = self.starts[classes + 1] - self.starts[classes]
        places = np.repeat(np.arange(len(classes)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        found = self.others[np.repeat(self.starts[classes], counts) + within]
        return np.concatenate([np.arange(len(classes)), places]), np.concatenate([classes, found])


@dataclass(frozen=True, slots=True)
class Items:
    """What is learned from: texts, and in which items they stand.

    `classes` are equal for texts that are the same but for width, case and spaces, and for those of one
    group of similar texts. `draw` gives the items of an epoch; groups give other pairs every time.
    """

    texts: Sequence[str]
    classes: Int[np.ndarray, "texts"]
    draw: Callable[[int], Slots]
    partners: Partners
    labels: Real[np.ndarray, "items"] | None = None

    @property
    def roles(self) -> int:
        """Texts in an item."""
        return int(self.draw(0).shape[1])

    def __len__(self) -> int:
        return len(self.draw(0))


def alike(classes: Slots, partners: Partners) -> Int[np.ndarray, "pairs two"]:
    """Places (`item · roles + role`) of two different texts of a batch that mean the same."""
    flat = classes.ravel()
    places, wanted = partners.beside(flat)
    order = np.argsort(flat, kind="stable")
    first = np.searchsorted(flat[order], wanted, side="left")
    counts = np.searchsorted(flat[order], wanted, side="right") - first
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ones, others = np.repeat(places, counts), order[np.repeat(first, counts) + within]
    pairs = np.stack([ones, others], axis=1)[ones != others]
    return np.unique(pairs, axis=0)


def drawn_pairs(members: Sequence[Int[np.ndarray, "_"]], *, seed: int) -> Callable[[int], Slots]:
    """Two different texts of every group, drawn anew each epoch (SimBERT: shuffle, take two)."""
    sizes = np.array([len(group) for group in members], dtype=np.int64)
    starts, flat = np.cumsum(sizes) - sizes, np.concatenate(list(members))

    def draw(epoch: int) -> Slots:
        random = np.random.Generator(np.random.PCG64([seed, epoch, 2]))
        first = random.integers(sizes)
        second = (first + 1 + random.integers(sizes - 1)) % sizes
        return np.stack([flat[starts + first], flat[starts + second]], axis=1)

    return draw
