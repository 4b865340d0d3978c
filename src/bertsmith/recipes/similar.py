"""Similar words of a corpus as a value: what is read, what a word is, how the nearest are found."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data.corpus import Corpus, inspect
from bertsmith.recipes.schema import merged, read_yaml, require_corpus
from bertsmith.recipes.watching import Say, Watch, silent
from bertsmith.text import ChineseSegmenter, SegmenterConfig
from bertsmith.text.neighbours import Neighbours
from bertsmith.text.similar import SimilarWords


class SimilarRecipe(Config):
    """Similar words learned from raw text, for the macbert objective."""

    kind: Literal["similar"] = "similar"
    corpus: Corpus
    words: SegmenterConfig = ChineseSegmenter()
    neighbours: Neighbours = Neighbours()


@dataclass(frozen=True, slots=True)
class LearnedWords:
    """The list, and how much was read for it."""

    similar: SimilarWords
    paragraphs: int
    characters: int
    notes: tuple[str, ...]
    seconds: float


def similar_recipe(
    *, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> SimilarRecipe:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Raises:
        UserError: there is no corpus, a field is unknown, or a value does not fit.
    """
    below = read_yaml(file) if file else {}
    chosen = with_settings({"corpus": {}, **merged(below, given)}, settings)
    require_corpus(chosen)
    return parse_config(SimilarRecipe, chosen, where=str(file) if file else None)


def learn_similar(recipe: SimilarRecipe, *, say: Say = silent) -> LearnedWords:
    """Read the corpus as a stream and list the words most like each of its words.

    The same corpus, settings and seed give the same list: word2vec runs in one thread.

    Raises:
        UserError: gensim is not installed, the corpus cannot be read, or no two similar words were found.
    """
    began, watch = time.perf_counter(), Watch(say)
    recipe.neighbours.require()
    notes = tuple(inspect(recipe.corpus))
    for note in notes:
        say(note)
    texts = watch.texts(recipe.corpus.paragraphs(), "cutting into words")
    similar = recipe.neighbours.learn(texts, recipe.words, say=say)
    return LearnedWords(similar, watch.paragraphs, watch.characters, notes, time.perf_counter() - began)
