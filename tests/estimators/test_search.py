"""Search from Python."""

import numpy as np
import pytest

from bertsmith import Index, UserError

from ..search.embedder import WordEmbedder, sentences

TEXTS = sentences(30)


def test_built_searched_changed_saved_and_opened(tmp_path):
    index = Index.build(WordEmbedder(), iter(TEXTS), words=True, metadata=({"n": row} for row in range(30)))
    (first, second) = index.search(TEXTS[4], top=2)
    assert (first.rank, first.id, first.text, first.metadata) == (1, 4, TEXTS[4], {"n": 4})
    assert first.score > second.score
    assert [hits[0].id for hits in index.search(TEXTS[5:8])] == [5, 6, 7]
    assert [hit.id for hit in index.search(TEXTS[4], by="hybrid", where={"n": 9})] == [9]
    assert index.search(TEXTS[4], by="words", top=1, settings=["fusion.k=10"])[0].id == 4
    index.add(["a late text"], metadata=[{"n": 30}]).delete([4])
    assert len(index) == 30
    assert index.search("a late text")[0].id == 30
    index.save(tmp_path / "kept")
    again = Index.open(tmp_path / "kept", WordEmbedder())
    assert [hit.id for hit in again.search(TEXTS[4])] == [hit.id for hit in index.search(TEXTS[4])]
    with pytest.raises(UserError, match="is not empty"):
        index.save(tmp_path / "kept")


def test_in_a_folder_with_settings(tmp_path):
    settings = ["neighbours.codes=int8", "vectors=float16"]
    index = Index.build(
        WordEmbedder(), TEXTS, ids=np.arange(100, 130), folder=tmp_path / "i", kind="exact", settings=settings
    )
    assert index.search(TEXTS[4])[0].id == 104
    assert (tmp_path / "i" / "data-0001" / "codes.bin").stat().st_size == 30 * 13


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"texts": "one text"}, "give a list of texts"),
        ({"texts": ["a", " "]}, r"texts\[1\] must be a text with something in it"),
        ({"texts": ["a", 3]}, r"texts\[1\] must be a text"),
        ({"texts": ["a", "b"], "ids": [1]}, r"texts\[1\] has no id"),
        ({"texts": ["a"], "ids": [1, 2]}, "more ids or metadata than texts"),
        ({"texts": ["a"], "ids": [1.5]}, r"ids\[0\] is 1.5"),
        ({"texts": ["a", "b"], "ids": [1, 1]}, "id '1' stands at"),
        ({"texts": ["a"], "settings": ["neighbours.codes=int3"]}, "neighbours.codes"),
        ({"texts": []}, "no text to index"),
    ],
)
def test_refusals(given, message):
    with pytest.raises(UserError, match=message):
        Index.build(WordEmbedder(), **given)


def test_a_wrong_encoder(tmp_path):
    with pytest.raises(UserError, match="int embeds no texts"):
        Index.build(3, TEXTS)
    Index.build(WordEmbedder(), TEXTS, folder=tmp_path / "i")
    with pytest.raises(UserError, match="made with another model"):
        Index.open(tmp_path / "i", WordEmbedder("other"))
