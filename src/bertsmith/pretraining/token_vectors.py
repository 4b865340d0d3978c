"""What the token table of random weights may begin as: vectors of the tokens, learned from the corpus by word2vec."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import NonNegativeInt, PositiveInt

from bertsmith.config import Config
from bertsmith.data.shards import ShardSet
from bertsmith.encoder import Encoder
from bertsmith.files import atomic_path
from bertsmith.text.neighbours import require_word2vec


class TokenVectors(Config):
    """Skip-gram with negative samples (Mikolov et al. 2013, arXiv 1310.4546 §2) over the first `tokens` of the corpus.

    Which tokens stand near which is the first thing that masked tokens teach, slowly; word2vec learns it in
    minutes. What the rest of the encoder then learns first is order.
    """

    tokens: PositiveInt = 20_000_000
    window: PositiveInt = 5
    negative: PositiveInt = 8
    least_count: PositiveInt = 5
    """A rarer token keeps its random row."""
    epochs: PositiveInt = 1
    seed: NonNegativeInt = 0

    def require(self) -> None:
        """Make sure that vectors can be learned here.

        Raises:
            UserError: gensim is not installed.
        """
        require_word2vec()

    def learn(self, shards: ShardSet, *, width: int) -> "LearnedVectors":
        """Learn in one thread, so that the same corpus gives the same vectors.

        Raises:
            UserError: gensim is not installed.
        """
        model = require_word2vec().Word2Vec(
            _Lines(shards, min(self.tokens, shards.tokens)),
            vector_size=width,
            window=self.window,
            negative=self.negative,
            min_count=self.least_count,
            sg=1,
            sample=1e-4,
            epochs=self.epochs,
            seed=self.seed,
            workers=1,
        )
        ids = np.array([int(token) for token in model.wv.index_to_key], dtype=np.int64)
        return LearnedVectors(ids, np.array(model.wv.vectors, dtype=np.float32).reshape(-1, width))


@dataclass(frozen=True, slots=True)
class LearnedVectors:
    """The tokens that occur often enough, and their vectors."""

    ids: Int[np.ndarray, "known"]
    vectors: Float[np.ndarray, "known width"]

    def put(self, encoder: Encoder) -> None:
        """Write them into the token table, centred, each as long as a random row is on average."""
        table = encoder.embeddings.token.weight
        centred = self.vectors - self.vectors.mean(axis=0)
        centred /= np.linalg.norm(centred, axis=1, keepdims=True).clip(min=1e-12)
        length = encoder.config.initializer_range * table.shape[1] ** 0.5
        with torch.no_grad():
            table[torch.from_numpy(self.ids)] = torch.from_numpy(centred * length).to(table.dtype)

    def save(self, path: Path) -> None:
        """Write them to a file, whole or not at all."""
        with atomic_path(path) as target, target.open("wb") as file:
            np.savez(file, ids=self.ids, vectors=self.vectors)

    @classmethod
    def load(cls, path: Path) -> "LearnedVectors":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["ids"], stored["vectors"])


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of the first tokens of a corpus, as often as asked for; tokens are told apart by their ids in words."""

    shards: ShardSet
    tokens: int

    def __iter__(self) -> Iterator[list[str]]:
        for number in range(len(self.shards)):
            begin, end = int(self.shards.bounds[number]), min(int(self.shards.bounds[number + 1]), self.tokens)
            if begin >= end:
                return
            ids = self.shards.read(begin, end).token_ids.astype(str)
            starts = self.shards.line_starts(number)
            for line in np.split(ids, starts[(starts > begin) & (starts < end)] - begin):
                yield line.tolist()
