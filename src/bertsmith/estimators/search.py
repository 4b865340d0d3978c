"""Search from Python: texts in, the nearest in meaning out."""

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from bertsmith.config import parse_config, with_settings
from bertsmith.errors import UserError
from bertsmith.files import atomic_folder, require_new_folder
from bertsmith.recipes import (
    BundleEmbedder,
    EncoderChoice,
    Reranker,
    Searcher,
    SearchRecipe,
    SentenceBundle,
    embedder_of,
    lasting,
    open_encoder,
)
from bertsmith.search import (
    Entry,
    Id,
    IndexSettings,
    SearchSettings,
    TextEmbedder,
    VectorIndex,
    add,
    build,
    delete,
    require_model,
)
from bertsmith.training import DeviceName, resolve_device

Kind = Literal["auto", "exact", "hnsw", "ivf"]


class Index:
    """Texts that are found by what they mean.

    `Index.build` makes one, `Index.open` opens what `save`, `build` or `bertsmith index` wrote. An index that was
    built without a folder lives in a temporary one, and ends with this object; `save` keeps it.
    """

    def __init__(self, folder: str | Path, embedder: TextEmbedder, *, device: DeviceName = "auto") -> None:
        self.folder = Path(folder)
        self.embedder = embedder
        self.device: DeviceName = device
        self._index = VectorIndex.open(self.folder)
        require_model(self.folder, self._index.manifest, embedder)

    @classmethod
    def build(  # noqa: PLR0913 - all that an index can be made of
        cls,
        encoder: Any,
        texts: Iterable[Any],
        *,
        ids: Iterable[Any] | None = None,
        metadata: Iterable[Mapping[str, Any]] | None = None,
        folder: str | Path | None = None,
        kind: Kind = "auto",
        words: bool = False,
        settings: Sequence[str] = (),
        device: DeviceName = "auto",
    ) -> "Index":
        """Index texts, one id and one mapping of metadata for each where they are given; all may be streams.

        `encoder` is the name or folder of a sentence encoder, a `SentenceEncoder`, or anything with
        `encode`, `encode_queries` and a `fingerprint`. With `words`, texts can also be searched by words and by both.
        `settings` reach every other choice: `["neighbours.codes=int8", "vectors=float16"]`.

        Raises:
            UserError: a text is blank, an id stands twice, the folder holds something, or faiss is missing.
        """
        embedder, source = _embedder(encoder, device)
        chosen: dict[str, Any] = {"neighbours": {"kind": kind}, **({"words": {}} if words else {})}
        made = parse_config(IndexSettings, with_settings(chosen, settings))
        entries = _entries(texts, ids, metadata)
        if folder is not None:
            require_new_folder(Path(folder), option="folder")
            build(Path(folder), entries, embedder, source=source, settings=made)
            return cls(folder, embedder, device=device)
        place = Path(tempfile.mkdtemp(prefix="bertsmith-index-"))
        try:
            build(place, entries, embedder, source=source, settings=made)
            index = cls(place, embedder, device=device)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        weakref.finalize(index, shutil.rmtree, place, ignore_errors=True)
        return index

    @classmethod
    def open(cls, folder: str | Path, encoder: Any = None, *, device: DeviceName = "auto") -> "Index":
        """Open an index, with the model that made it; `encoder` says where that is now.

        Raises:
            UserError: there is no index, it is damaged, or the model is another one.
        """
        place = Path(folder)
        if encoder is None:
            return cls(place, embedder_of(place, VectorIndex.open(place).manifest, device=device), device=device)
        if isinstance(encoder, str | Path):
            manifest = VectorIndex.open(place).manifest
            return cls(place, embedder_of(place, manifest, model=str(encoder), device=device), device=device)
        return cls(place, _embedder(encoder, device)[0], device=device)

    def __len__(self) -> int:
        return len(self._index)

    def search(
        self,
        queries: str | Sequence[str],
        *,
        top: int = 10,
        by: Literal["vectors", "words", "hybrid"] = "vectors",
        where: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        settings: Sequence[str] = (),
    ) -> Any:
        """The `top` best texts as `Hit(rank, score, id, text, metadata)`: a list for a query, lists for several.

        `where` names columns and the values that texts must have there; `rerank` is the folder of a pair
        classifier that reads the best candidates again. `settings` reach every other choice: `["fusion.k=10"]`.

        Raises:
            UserError: a query is blank, or the index has no words and they are asked for.
        """
        how = parse_config(SearchSettings, with_settings({"top": top, "by": by}, settings))
        recipe = SearchRecipe(
            index=self.folder,
            search=how,
            where={name: str(value) for name, value in (where or {}).items()},
            rerank=Reranker(source=rerank) if rerank else None,
            device=self.device,
        )
        searcher = Searcher.on(recipe, self._index, self.embedder)
        asked = [queries] if isinstance(queries, str) else list(queries)
        found = list(searcher.search(asked))
        return found[0] if isinstance(queries, str) else found

    def add(
        self,
        texts: Iterable[Any],
        *,
        ids: Iterable[Any] | None = None,
        metadata: Iterable[Mapping[str, Any]] | None = None,
    ) -> "Index":
        """Put more texts in; what fails leaves the index as it was.

        Raises:
            UserError: a text is blank, or an id is there already.
        """
        add(self.folder, _entries(texts, ids, metadata), self.embedder)
        self._index = VectorIndex.open(self.folder)
        return self

    def delete(self, ids: Sequence[Id]) -> "Index":
        """Take texts out by their ids.

        Raises:
            UserError: there is no text of an id.
        """
        delete(self.folder, ids)
        self._index = VectorIndex.open(self.folder)
        return self

    def save(self, folder: str | Path) -> None:
        """Write a copy that `open` and `bertsmith search` read.

        Raises:
            UserError: the folder holds something already, or cannot be written.
        """
        place = Path(folder)
        require_new_folder(place, option="folder")
        with atomic_folder(place) as temporary:
            shutil.copytree(self.folder, temporary, dirs_exist_ok=True)


def _embedder(encoder: Any, device: DeviceName) -> tuple[TextEmbedder, str]:
    """What embeds, and the name that an index remembers it by."""
    if isinstance(encoder, str | Path):
        return open_encoder(EncoderChoice(source=str(encoder)), resolve_device(device)), lasting(str(encoder))
    bundle = encoder if isinstance(encoder, SentenceBundle) else getattr(encoder, "bundle", None)
    if isinstance(bundle, SentenceBundle):
        return BundleEmbedder(bundle, resolve_device(device)), str(getattr(encoder, "model", "") or "(in memory)")
    if isinstance(encoder, TextEmbedder):
        return encoder, type(encoder).__name__
    raise UserError(
        f"{type(encoder).__name__} embeds no texts; give the folder of a sentence encoder, a SentenceEncoder, or an "
        "object with encode, encode_queries and fingerprint",
        code="not_an_encoder",
    )


def _entries(
    texts: Iterable[Any], ids: Iterable[Any] | None, metadata: Iterable[Mapping[str, Any]] | None
) -> Iterator[Entry]:
    """Texts with their ids and metadata, one by one.

    Raises:
        UserError: a text is blank or none, an id is of another type, or there are not as many as texts.
    """
    if isinstance(texts, str):
        raise UserError("give a list of texts, not a single text: [text]", code="not_a_list")
    missing = object()
    names, fields = iter(ids) if ids is not None else None, iter(metadata) if metadata is not None else None
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            message = f"texts[{number}] must be a text with something in it, got {text!r:.60}"
            raise UserError(message, code="blank_text", where=f"texts[{number}]")
        name: Any = None if names is None else next(names, missing)
        more: Any = {} if fields is None else next(fields, missing)
        if name is missing or more is missing:
            kind = "id" if name is missing else "mapping of metadata"
            raise UserError(f"texts[{number}] has no {kind}; give one for each text", code="uneven")
        name = name.item() if hasattr(name, "item") else name
        if name is not None and (isinstance(name, bool) or not isinstance(name, str | int)):
            raise UserError(f"ids[{number}] is {name!r:.60}; an id is a text or a whole number", code="bad_id")
        yield Entry(text, name, more, f"texts:{number}")
    if any(rest is not None and next(rest, missing) is not missing for rest in (names, fields)):
        raise UserError("there are more ids or metadata than texts; give one for each text", code="uneven")
