"""Indexes made, added to, deleted from and broken; always whole, always as if made afresh."""

import json
import os
from itertools import count

import numpy as np
import pytest

from bertsmith.errors import Interrupted, UserError
from bertsmith.search import (
    Auto,
    Entry,
    Exact,
    Hnsw,
    IndexSettings,
    Ivf,
    SearchSettings,
    VectorIndex,
    Words,
    add,
    build,
    building,
    compact,
    delete,
    derived,
    read_manifest,
    search,
    verify,
)

from ..tiny import contents
from .embedder import WordEmbedder, sentences

KINDS = [Exact(), Exact(codes="int8"), Hnsw(links=8), Ivf(cells=4), Auto()]


def entries(texts, ids=None):
    named = ids or [None] * len(texts)
    return [
        Entry(text, name, where=f"docs.csv:{row}") for row, (text, name) in enumerate(zip(texts, named, strict=True), 2)
    ]


def made(folder, texts, ids=None, *, embedder=None, **settings):
    build(folder, entries(texts, ids), embedder or WordEmbedder(), source="words", settings=IndexSettings(**settings))
    return VectorIndex.open(folder)


def answers(index, queries, embedder=None, **settings):
    found = search(index, queries, embedder or WordEmbedder(), settings=SearchSettings(**settings))
    return [[(hit.id, hit.text, round(hit.score, 4)) for hit in hits] for hits in found]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.kind}-{getattr(kind, 'codes', '')}")
@pytest.mark.parametrize("by", ["vectors", "words", "hybrid"])
def test_after_additions_and_deletions_as_made_afresh(kind, by, tmp_path):
    first, second, third = sentences(150), sentences(60, seed=1), sentences(40, seed=2)
    ids = [f"a{row}" for row in range(150)], [f"b{row}" for row in range(60)], [f"c{row}" for row in range(40)]
    made(tmp_path / "i", first, ids[0], neighbours=kind, words=Words())
    add(tmp_path / "i", entries(second, ids[1]), WordEmbedder())
    gone = {"a3", "a149", "b0", *ids[0][20:50]}
    assert delete(tmp_path / "i", sorted(gone)).compacted is False
    add(tmp_path / "i", entries(third, ids[2]), WordEmbedder())
    alive = [
        (text, name)
        for some, names in zip((first, second, third), ids, strict=True)
        for text, name in zip(some, names, strict=True)
        if name not in gone
    ]
    fresh = made(tmp_path / "fresh", *map(list, zip(*alive, strict=True)), words=Words())
    grown = VectorIndex.open(tmp_path / "i")
    assert len(grown) == len(fresh) == len(alive)
    queries = [*first[:5], third[7], "w1 w2 w3"]
    assert answers(grown, queries, by=by, rescore=100) == answers(fresh, queries, by=by)
    compact(tmp_path / "i")
    assert answers(VectorIndex.open(tmp_path / "i"), queries, by=by, rescore=100) == answers(fresh, queries, by=by)
    assert verify(tmp_path / "i") > 0


def test_a_text_finds_itself_with_its_id_and_metadata(tmp_path):
    texts = sentences(20)
    some = [Entry(text, metadata={"n": row, "list": ["字", 1]}) for row, text in enumerate(texts)]
    build(tmp_path / "i", some, WordEmbedder(), source="words")
    index = VectorIndex.open(tmp_path / "i")
    (hits,) = search(index, [texts[7]], WordEmbedder(), settings=SearchSettings(top=3))
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert (hits[0].id, hits[0].text, hits[0].metadata) == (7, texts[7], {"n": 7, "list": ["字", 1]})
    assert hits[0].score == pytest.approx(1.0, abs=1e-6)
    assert hits[0].score > hits[1].score >= hits[2].score
    assert answers(index, [texts[7]], top=50)[0][19]
    assert len(answers(index, [texts[7]], top=50)[0]) == 20


def test_only_rows_of_a_kind_are_found(tmp_path):
    some = [Entry(text, metadata={"shop": row % 3}) for row, text in enumerate(sentences(60))]
    build(tmp_path / "i", some, WordEmbedder(), source="words", settings=IndexSettings(words=Words()))
    delete(tmp_path / "i", [4])
    index = VectorIndex.open(tmp_path / "i")
    for by in ("vectors", "words", "hybrid"):
        (hits,) = search(
            index,
            ["w1 w2 w3"],
            WordEmbedder(),
            settings=SearchSettings(top=60, by=by),
            among=index.where({"shop": "1"}),
        )
        assert {hit.metadata["shop"] for hit in hits} == {1}
        assert 4 not in {hit.id for hit in hits}
    assert not index.where({"shop": "9"}).any()
    with pytest.raises(UserError, match="no column 'shp' in this index; there are shop") as refused:
        index.where({"shop": "1", "shp": "1"})
    assert refused.value.code == "unknown_column"
    assert list(search(index, ["w1"], WordEmbedder(), among=index.where({"shop": "9"}))) == [[]]


@pytest.mark.parametrize("ids", [[10, 5, 7], ["x", "10", "y"]])
def test_ids_are_given_back_as_they_came_and_numbers_go_on(ids, tmp_path):
    index = made(tmp_path / "i", sentences(3), ids)
    assert [index.id_of(row) for row in range(3)] == ids
    if ids[0] == 10:
        add(tmp_path / "i", entries(sentences(2, seed=1)), WordEmbedder())
        assert [VectorIndex.open(tmp_path / "i").id_of(row) for row in (3, 4)] == [11, 12]
    add(tmp_path / "i", entries(["late"], ["z"]), WordEmbedder())
    assert isinstance(VectorIndex.open(tmp_path / "i").id_of(0), str)


@pytest.mark.parametrize("kind", ["float32", "float16"])
@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_vectors_are_stored_as_asked(kind, score, tmp_path):
    texts = sentences(30)
    index = made(tmp_path / "i", texts, vectors=kind, score=score)
    assert index.vectors.dtype == kind
    raw = WordEmbedder().encode(texts)
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True) if score == "cosine" else raw
    np.testing.assert_allclose(index.vectors.astype(np.float32), expected, rtol=2e-3 if kind == "float16" else 1e-6)


# Streams.


def test_texts_stream_in_constant_memory(tmp_path, monkeypatch):
    """No more than a block of texts is ever alive, and every text is encoded once."""
    monkeypatch.setattr(building, "TEXTS_ENCODED_AT_ONCE", 64)
    monkeypatch.setattr("bertsmith.search.entries.AT_ONCE", 50)
    alive, most, total = set(), [0], 1000

    class Tracked(str):
        def __del__(self):
            alive.discard(id(self))

    def stream():
        for row in range(total):
            text = Tracked(f"n{row} w{row % 7}")
            alive.add(id(text))
            most[0] = max(most[0], len(alive))
            yield Entry(text)

    embedder = WordEmbedder()
    build(tmp_path / "i", stream(), embedder, source="words")
    assert embedder.encoded == total
    assert len(VectorIndex.open(tmp_path / "i")) == total
    assert most[0] <= 2 * 50


# What is refused, and that nothing changes then.


@pytest.mark.parametrize(
    ("texts", "ids", "message"),
    [
        (["a", "b", "c"], ["x", "y", "x"], "docs.csv:4: id 'x' stands at docs.csv:2 already"),
        (["a", "b"], [1, "1"], "docs.csv:3: id '1' stands at docs.csv:2 already"),
        ([], [], "there is no text to index"),
    ],
)
def test_what_cannot_be_indexed_leaves_nothing(texts, ids, message, tmp_path):
    with pytest.raises(UserError, match=message):
        made(tmp_path / "i", texts, ids)
    assert not list((tmp_path / "i").glob("data-*"))
    with pytest.raises(UserError, match="holds no index") as told:
        VectorIndex.open(tmp_path / "i")
    assert told.value.code == "no_index"


class Broken(WordEmbedder):
    """Gives NaN for one text."""

    def encode(self, texts):
        vectors = super().encode(texts)
        vectors[["bad" in text for text in texts], 3] = np.nan
        return vectors


def test_a_vector_with_nan_is_refused_by_id_and_text(tmp_path):
    with pytest.raises(UserError, match=r"id 'k' \('bad one'\): its vector holds NaN") as told:
        made(tmp_path / "i", ["fine", "bad one"], ["j", "k"], embedder=Broken())
    assert told.value.code == "bad_vector"


class Huge(WordEmbedder):
    """Vectors beyond what half a float can hold."""

    def encode(self, texts):
        return super().encode(texts) * np.float32(1e7)


def test_numbers_too_large_to_be_stored_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"id '0'.*holds NaN or infinity"):
        made(tmp_path / "i", sentences(3), embedder=Huge(), vectors="float16", score="dot")
    made(tmp_path / "j", sentences(3), embedder=Huge(), vectors="float16")


def test_additions_that_fail_leave_the_index_as_it_was(tmp_path):
    folder = tmp_path / "i"
    before = answers(made(folder, sentences(30), words=Words()), ["w1 w2"], by="hybrid")
    manifest = (folder / "index.json").read_bytes()
    with pytest.raises(UserError, match="id '3' is in the index already; delete it first"):
        add(folder, entries(["again"], [3]), WordEmbedder())
    with pytest.raises(UserError, match="its vector holds NaN"):
        add(folder, entries([*sentences(5, seed=3), "bad one"]), Broken())
    with pytest.raises(UserError, match="made with another model") as told:
        add(folder, entries(["more"]), WordEmbedder("other"))
    assert told.value.code == "other_model"
    assert (folder / "index.json").read_bytes() == manifest
    assert answers(VectorIndex.open(folder), ["w1 w2"], by="hybrid") == before
    verify(folder)
    add(folder, entries(["w1 w2 at last"]), WordEmbedder())
    verify(folder)
    assert VectorIndex.open(folder).id_of(30) == 30


def test_deleted_ids_can_come_again_and_unknown_ones_are_refused(tmp_path):
    folder = tmp_path / "i"
    made(folder, sentences(10))
    with pytest.raises(UserError, match=r"no text with id '77' \(and 1 more\) in the index.*Nothing was deleted"):
        delete(folder, [1, 77, "x"])
    assert len(VectorIndex.open(folder)) == 10
    delete(folder, [1])
    with pytest.raises(UserError, match="no text with id '1'"):
        delete(folder, [1])
    add(folder, entries(["anew w1"], [1]), WordEmbedder())
    index = VectorIndex.open(folder)
    assert answers(index, ["anew w1"], top=1)[0][0][:2] == (1, "anew w1")
    with pytest.raises(UserError, match="all that the index holds"):
        delete(folder, list(range(10)))


def test_many_deletions_rewrite_the_index(tmp_path):
    folder = tmp_path / "i"
    before = made(folder, sentences(40), neighbours=Exact(codes="int8"), words=Words())
    assert delete(folder, list(range(12))).compacted is False
    assert delete(folder, [12]).compacted is True
    index = VectorIndex.open(folder)
    assert index.manifest.rows == len(index) == 27
    assert index.manifest.deleted is None
    assert index.id_of(0) == 13
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "data-0002", "index.json"]
    assert before.texts[0]  # an index that was open reads on


# Interruptions.


class Stopping(WordEmbedder):
    """Is interrupted at its third call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = count(1)

    def encode(self, texts):
        if next(self.calls) == 3:
            raise KeyboardInterrupt
        return super().encode(texts)


def test_an_interrupted_build_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "TEXTS_ENCODED_AT_ONCE", 16)
    texts, folder = sentences(100), tmp_path / "i"
    with pytest.raises(Interrupted, match=r"32 of 100 texts are encoded.*go on with --resume"):
        made(folder, texts, embedder=Stopping())
    with pytest.raises(UserError, match="its build was interrupted: go on with --resume"):
        VectorIndex.open(folder)
    for name, other in (("texts", texts[:-1]), ("model", texts)):
        embedder = WordEmbedder("other" if name == "model" else "words")
        with pytest.raises(UserError, match=f"the interrupted build was of other {name}"):
            build(folder, entries(other), embedder, source="words", resume=True)
    embedder = WordEmbedder()
    build(folder, entries(texts), embedder, source="words", resume=True)
    assert embedder.encoded == 68 + 1  # and one text to learn the width
    made(tmp_path / "whole", texts)
    assert contents(folder / "data-0001") == contents(tmp_path / "whole" / "data-0001")
    verify(folder)
    embedder = WordEmbedder()
    build(folder, entries(texts), embedder, source="words", resume=True)
    assert embedder.encoded == 0
    assert [path.name for path in folder.glob("data-*")] == ["data-0001"]


def test_an_interrupted_replacement_leaves_the_old_index(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "TEXTS_ENCODED_AT_ONCE", 16)
    folder = tmp_path / "i"
    before = answers(made(folder, sentences(50)), ["w1 w2"])
    with pytest.raises(Interrupted):
        made(folder, sentences(100, seed=5), embedder=Stopping())
    assert answers(VectorIndex.open(folder), ["w1 w2"]) == before
    with pytest.raises(Interrupted, match="the index is as it was"):
        add(folder, entries(sentences(100, seed=6)), Stopping())
    assert answers(VectorIndex.open(folder), ["w1 w2"]) == before
    made(folder, sentences(100, seed=5))
    assert len(VectorIndex.open(folder)) == 100
    assert [path.name for path in folder.glob("data-*")] == ["data-0003"]


def test_two_changes_at_once_are_refused(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    folder = tmp_path / "i"
    made(folder, sentences(5))
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is changing this index") as told:
            delete(folder, [1])
    assert told.value.code == "index_busy"
    delete(folder, [1])


# Damage.


@pytest.mark.parametrize("name", ["vectors.bin", "texts.txt", "ids.keys", "metadata.ends"])
def test_files_cut_short_or_missing_are_noticed(name, tmp_path):
    folder = tmp_path / "i"
    made(folder, sentences(20))
    path = folder / "data-0001" / name
    size = path.stat().st_size
    os.truncate(path, max(size - 1, 0))
    if size:
        with pytest.raises(UserError, match=rf"{name} has {size - 1:,} bytes instead of {size:,}") as told:
            VectorIndex.open(folder)
        assert told.value.code == "damaged_index"
    path.unlink()
    with pytest.raises(UserError, match=f"{name} is missing; the index is damaged"):
        VectorIndex.open(folder)


def test_a_changed_byte_is_found_by_verify(tmp_path):
    folder = tmp_path / "i"
    made(folder, sentences(20))
    path = folder / "data-0001" / "texts.txt"
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)
    VectorIndex.open(folder)
    with pytest.raises(UserError, match=r"texts\.txt is not what was written"):
        verify(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 99}', "was written in format 99, this version reads format 1"),
        ('{"format": 1, "rows": "many"}', "says what no index says"),
    ],
)
def test_a_broken_manifest_is_said(content, message, tmp_path):
    made(tmp_path / "i", sentences(5))
    (tmp_path / "i" / "index.json").write_text(content)
    with pytest.raises(UserError, match=message):
        VectorIndex.open(tmp_path / "i")


def test_a_broken_faiss_file_is_said(tmp_path):
    pytest.importorskip("faiss")
    index = made(tmp_path / "i", sentences(50), neighbours=Hnsw(links=8))
    (path,) = (tmp_path / "i" / "data-0001").glob("*.faiss")
    path.write_bytes(b"no index" * (path.stat().st_size // 8 + 1))
    with pytest.raises(UserError, match="is no faiss index") as told:
        answers(index, ["w1"])
    assert told.value.code == "damaged_index"


# Kinds.


def without_faiss(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)


def test_without_faiss_its_kinds_are_refused(tmp_path, monkeypatch):
    without_faiss(monkeypatch)
    with pytest.raises(UserError, match=r"kind hnsw needs faiss.*pip install 'bertsmith\[ann\]'") as told:
        made(tmp_path / "i", sentences(50), neighbours=Hnsw())
    assert told.value.code == "missing_package"


def test_auto_says_what_it_chooses(tmp_path, monkeypatch):
    said = []
    settings = IndexSettings(neighbours=Auto(exact_up_to=30))
    build(tmp_path / "i", entries(sentences(30)), WordEmbedder(), source="words", settings=settings, say=said.append)
    assert "kind auto: exact: 30 vectors are compared one by one (up to 30)" in said
    pytest.importorskip("faiss")
    add(tmp_path / "i", entries(sentences(30, seed=1)), WordEmbedder(), say=said.append)
    assert "kind auto: hnsw: 60 vectors are more than 30" in said
    assert read_manifest(tmp_path / "i").approximate.rows == 60
    without_faiss(monkeypatch)
    build(tmp_path / "j", entries(sentences(40)), WordEmbedder(), source="words", settings=settings, say=said.append)
    assert "faiss is not installed; searches will be slow" in said[-1]
    assert read_manifest(tmp_path / "j").chosen == Exact(codes="int8")


def test_added_vectors_are_compared_one_by_one_until_they_are_many(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(derived, "TAIL_ROWS", 20)
    folder, texts = tmp_path / "i", sentences(15, seed=1)
    made(folder, sentences(100), neighbours=Hnsw(links=8))
    add(folder, entries(texts), WordEmbedder())
    assert read_manifest(folder).approximate.rows == 100
    assert answers(VectorIndex.open(folder), [texts[9]], top=1)[0][0][0] == 109
    add(folder, entries(sentences(15, seed=2)), WordEmbedder())
    assert read_manifest(folder).approximate.rows == 130
    assert answers(VectorIndex.open(folder), [texts[9]], top=1)[0][0][0] == 109
    assert len(list((folder / "data-0001").glob("*.faiss"))) == 1


@pytest.mark.parametrize("kind", [Hnsw(recall=0.98, links=8), Ivf(cells=20, recall=0.98), Ivf(cells=20, codes="none")])
def test_the_recall_asked_for_is_reached(kind, tmp_path):
    pytest.importorskip("faiss")
    index = made(tmp_path / "i", sentences(3000, words=5000), neighbours=kind, embedder=WordEmbedder(width=24))
    assert index.manifest.approximate.recall >= kind.recall
    asked = WordEmbedder(width=24).encode(sentences(100, seed=3, words=5000))
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    near, truth = index.nearest(asked, top=10), index.nearest(asked, top=10, exact=True)
    found = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(near.rows, truth.rows, strict=True)])
    assert found > 0.9


def test_no_words_in_the_index(tmp_path):
    index = made(tmp_path / "i", sentences(5))
    with pytest.raises(UserError, match="has no words to search by; build it again with --hybrid") as told:
        answers(index, ["w1"], by="hybrid")
    assert told.value.code == "no_words"


def test_small_additions_do_not_pile_up_files_of_words(tmp_path):
    folder = tmp_path / "i"
    made(folder, sentences(32), words=Words())
    for number in range(20):
        add(folder, entries([f"late{number} w1"]), WordEmbedder())
    assert len(read_manifest(folder).postings) <= 6
    assert answers(VectorIndex.open(folder), ["late13"], by="words")[0][0][0] == 45


def test_metadata_that_json_cannot_hold(tmp_path):
    circle: dict = {}
    circle["self"] = circle
    with pytest.raises(UserError, match="the metadata cannot be stored as JSON"):
        build(tmp_path / "i", [Entry("a", metadata=circle)], WordEmbedder(), source="words")
    assert json.loads('"ok"') == "ok"


class Reversed:
    """A judge that likes short texts."""

    def score(self, queries, texts):
        return -np.array([len(text) for text in texts], dtype=np.float32)


def test_a_judge_orders_the_best_candidates_anew(tmp_path):
    index = made(tmp_path / "i", sentences(50), words=Words())
    for by in ("vectors", "words", "hybrid"):
        settings = SearchSettings(top=3, depth=20, by=by)
        (plain,) = search(index, ["w1 w2"], WordEmbedder(), settings=settings.but(top=20))
        (hits,) = search(index, ["w1 w2"], WordEmbedder(), settings=settings, scorer=Reversed())
        expected = sorted(plain, key=lambda hit: (len(hit.text), hit.rank))[:3]
        assert [hit.id for hit in hits] == [hit.id for hit in expected]
        assert [hit.rank for hit in hits] == [1, 2, 3]
        assert hits[0].score == -len(hits[0].text)
