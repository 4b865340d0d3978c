"""Indexes and searches as values: which model, which texts, how they are stored, found and ordered."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data import Columns
from bertsmith.data.formats import require_file
from bertsmith.encoder.hub import bundled_names
from bertsmith.errors import UserError
from bertsmith.files import require_output_folder
from bertsmith.recipes.schema import merged, read_yaml
from bertsmith.recipes.search_models import (
    BundleEmbedder,
    EncoderChoice,
    PairJudge,
    Reranker,
    open_encoder,
    open_reranker,
)
from bertsmith.recipes.search_reading import read_entries
from bertsmith.recipes.watching import Say, silent
from bertsmith.search import (
    MANIFEST,
    Entry,
    Hit,
    IndexSettings,
    Manifest,
    SearchSettings,
    TextEmbedder,
    VectorIndex,
    add,
    build,
    read_manifest,
    require_model,
    search,
)
from bertsmith.training import resolve_device

DeviceName = Literal["auto", "cpu", "cuda"]
R = TypeVar("R", bound=Config)


class IndexRecipe(Config):
    """Texts of a file, a sentence encoder, and how the index is made. `id_column` None: the usual ones."""

    kind: Literal["index"] = "index"
    encoder: EncoderChoice
    input: Path
    columns: Columns = Columns()
    id_column: str | None = None
    encoding: str = "utf-8"
    index: IndexSettings = IndexSettings()
    device: DeviceName = "auto"


class SearchRecipe(Config):
    """An index, how it is searched, and what reads the best candidates again; `model` None: that of the index."""

    kind: Literal["search"] = "search"
    index: Path
    model: str | None = None
    search: SearchSettings = SearchSettings()
    rerank: Reranker | None = None
    where: dict[str, str] = Field(default_factory=dict)
    device: DeviceName = "auto"


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an index holds after a change, and what it took."""

    folder: Path
    manifest: Manifest
    added: int
    embedder: BundleEmbedder
    seconds: float

    def summary(self) -> dict[str, Any]:
        """As JSON."""
        counts, told = self.embedder.counts, self.manifest
        approximate = told.approximate
        return {
            "out": str(self.folder),
            "rows": told.live_rows,
            "added": self.added,
            "dim": told.width,
            "kind": told.chosen.kind if told.chosen else None,
            **({"recall": approximate.recall, "effort": approximate.effort} if approximate else {}),
            "words": told.settings.words.units if told.settings.words else None,
            "bytes": sum(file.size for file in told.files.values()),
            "truncated": {"texts": counts.truncated.texts, "tokens": counts.truncated.tokens},
            "unknown": counts.unknown,
            "seconds": round(self.seconds, 3),
            "tokens_per_second": round(counts.tokens / max(self.seconds, 1e-9)),
            "fingerprint": told.model.fingerprint,
            "notes": [*told.notes, *self.embedder.bundle.notes, *counts.notes(self.embedder.bundle.max_length)],
        }


def parse_recipe(
    kind: type[R], *, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> R:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Raises:
        UserError: a field is unknown, missing, or does not fit.
    """
    return parse_config(kind, _chosen(given, file, settings), where=str(file) if file else None)


def index_recipe(*, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()) -> IndexRecipe:
    """The recipe of a new index, put together as by `parse_recipe`.

    Raises:
        UserError: no model or no texts are named, a field is unknown, or a value does not fit.
    """
    chosen = _chosen(given, file, settings)
    for field, what, option in (("encoder", "model", "--model MODEL"), ("input", "texts", "--input FILE")):
        if not chosen.get(field):
            raise UserError(f"no {what}: give {option}", code="bad_usage")
    return parse_config(IndexRecipe, chosen, where=str(file) if file else None)


def make_index(
    recipe: IndexRecipe, folder: Path, *, resume: bool = False, overwrite: bool = False, say: Say = silent
) -> Indexed:
    """Index the texts of a file.

    Raises:
        UserError: the folder holds something already, the file or the model cannot be read, or as `build`.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    require_output_folder(folder, overwrite=overwrite, resume=resume)
    if overwrite and folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder):
        raise UserError(
            f"--out {folder} holds something that is no index; it is not replaced. Choose another folder",
            code="out_not_empty",
            where=str(folder),
        )
    require_file(recipe.input)
    entries = entries_of(recipe)
    embedder = open_encoder(recipe.encoder, resolve_device(recipe.device))
    return index_entries(recipe, folder, entries, embedder, resume=resume, say=say)


def index_entries(
    recipe: IndexRecipe,
    folder: Path,
    entries: Iterable[Entry],
    embedder: BundleEmbedder,
    *,
    resume: bool = False,
    say: Say = silent,
) -> Indexed:
    """Index texts from wherever they come; the recipe's own file is not read."""
    began, every = time.perf_counter(), now_and_then(say)
    for note in embedder.bundle.notes:
        say(note)
    made = build(
        folder,
        entries,
        embedder,
        source=lasting(recipe.encoder.source),
        choices=recipe.encoder.choices,
        settings=recipe.index,
        resume=resume,
        say=every,
    )
    return Indexed(folder, made, made.rows, embedder, time.perf_counter() - began)


def extend_index(
    folder: Path, entries: Iterable[Entry], *, model: str | None = None, device: DeviceName = "auto", say: Say = silent
) -> Indexed:
    """Add texts to an index, with the model that made it, or one that is the same.

    Raises:
        UserError: there is no index, the model is another one, an id is there already, or as `build`.
    """
    began, known = time.perf_counter(), read_manifest(folder)
    embedder = embedder_of(folder, known, model=model, device=device)
    made = add(folder, entries, embedder, say=now_and_then(say))
    return Indexed(folder, made, made.rows - known.rows, embedder, time.perf_counter() - began)


def entries_of(recipe: IndexRecipe) -> Iterator[Entry]:
    """The texts that the recipe names."""
    return read_entries(recipe.input, recipe.columns, id_column=recipe.id_column, encoding=recipe.encoding)


def embedder_of(
    folder: Path, manifest: Manifest, *, model: str | None = None, device: DeviceName = "auto"
) -> BundleEmbedder:
    """Load the model of an index, from where it was or from `model`, and make sure that it is the one.

    Raises:
        UserError: it is not there any more, or is another one.
    """
    source = model or manifest.model.source
    try:
        choice = parse_config(EncoderChoice, {"source": source, **manifest.model.choices})
        embedder = open_encoder(choice, resolve_device(device))
    except UserError as error:
        if model is not None or error.code not in ("not_found", "offline", "unreachable"):
            raise
        raise UserError(
            f"{folder}: the model of this index was {source!r}, which is not found ({error.message}); "
            "say with --model where it is now",
            code="not_found",
            where=str(folder),
        ) from None
    require_model(folder, manifest, embedder)
    return embedder


class Searcher:
    """An open index with its models: queries in, hits out."""

    def __init__(
        self, recipe: SearchRecipe, index: VectorIndex, embedder: TextEmbedder | None, judge: PairJudge | None
    ) -> None:
        self.recipe = recipe
        self.index = index
        self.embedder = embedder
        self.judge = judge
        self._among = index.where(dict(recipe.where)) if recipe.where else None

    @classmethod
    def open(cls, recipe: SearchRecipe) -> "Searcher":
        """Open an index and load what its searches need.

        Raises:
            UserError: there is no index, it is damaged, or a model is missing or another one.
        """
        index = VectorIndex.open(recipe.index)
        by_words = recipe.search.by == "words"
        embedder = (
            None if by_words else embedder_of(recipe.index, index.manifest, model=recipe.model, device=recipe.device)
        )
        return cls.on(recipe, index, embedder)

    @classmethod
    def on(cls, recipe: SearchRecipe, index: VectorIndex, embedder: TextEmbedder | None) -> "Searcher":
        """Search an index that is open, with a model that is loaded.

        Raises:
            UserError: the re-ranker is missing, or no pair classifier.
        """
        judge = open_reranker(recipe.rerank, resolve_device(recipe.device)) if recipe.rerank else None
        return cls(recipe, index, embedder, judge)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of what decides the order."""
        if self.judge is None or self.recipe.rerank is None:
            return ()
        return (f"the best {self.recipe.search.depth} are ordered by {self.recipe.rerank.source}: {self.judge.says}",)

    def search(self, queries: Sequence[str], *, top: int | None = None) -> Iterator[list[Hit]]:
        """Answer queries in their order.

        Raises:
            UserError: a query is blank, or the index has no words and they are asked for.
        """
        for number, query in enumerate(queries, start=1):
            if not query.strip():
                raise UserError(f"query {number} is blank; ask something", code="blank_text", where=f"query {number}")
        settings = self.recipe.search if top is None else self.recipe.search.but(top=top)
        return search(self.index, queries, self.embedder, settings=settings, scorer=self.judge, among=self._among)


def lasting(source: str) -> str:
    """The name of a model as an index remembers it: a folder by its whole path, so that it is found from elsewhere."""
    folder = Path(source).expanduser()
    return str(folder.resolve()) if source not in bundled_names() and folder.is_dir() else source


def now_and_then(say: Say, *, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> Say:
    """Say progress no more often than every so many seconds, but everything that counts nothing."""
    last = [clock()]

    def told(message: str) -> None:
        if " of " not in message or clock() - last[0] >= seconds:
            last[0] = clock()
            say(message)

    return told


def _chosen(given: Mapping[str, Any], file: Path | None, settings: Sequence[str]) -> dict[str, Any]:
    return with_settings(merged(read_yaml(file) if file else {}, given), settings)


def _is_ours(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() or any(folder.glob("data-*"))
