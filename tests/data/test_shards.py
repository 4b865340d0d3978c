import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.data.corpus import Paragraph
from bertsmith.data.shards import DOCUMENT, ENTITY, INSIDE, LINE, WORD, Annotator, ShardSet, annotating
from bertsmith.data.shards.layout import token_type
from bertsmith.errors import UserError
from bertsmith.text import ChineseSegmenter, LatinSegmenter, word_spans
from bertsmith.text.entities import EntityLexicon, entity_spans
from bertsmith.text.sentences import sentence_starts
from tests.data.corpora import annotator, documents, shards, tokenizer

MIXED = "我们在Beijing吃了PyTorch火锅，2026年真的还行！"


def paragraphs_of(texts):
    return [Paragraph(line, number == 0) for lines in texts for number, line in enumerate(lines)]


def flagged(run, flag):
    return np.flatnonzero(run.flags & flag).tolist()


def test_words_of_mixed_text():
    run = annotator().annotate([Paragraph(MIXED, True)])
    tokens = tokenizer().tokens(run.token_ids)
    words = np.split(np.array(tokens), flagged(run, WORD)[1:])
    assert ["2026"] in [["".join(word).replace("##", "")] for word in words]
    assert ["PyTorch".lower()] in [["".join(word).replace("##", "")] for word in words]
    assert ["火锅"] in [["".join(word)] for word in words]
    assert flagged(run, DOCUMENT) == flagged(run, LINE) == [0]


LINES = st.text(alphabet="北京大学生 Ab1。！.?\u200b,", min_size=1, max_size=20).map(str.strip).filter(bool)


@given(st.lists(st.tuples(LINES, st.booleans()), min_size=1, max_size=8), st.integers(1, 40))
def test_flags_of_many_paragraphs_are_those_of_each(texts, at_once):
    paragraphs = [Paragraph(*text) for text in texts]
    lexicon = EntityLexicon(["北京", "大学生"])
    made = Annotator(tokenizer(), ChineseSegmenter(), lexicon)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotating, "_CHARACTERS_AT_ONCE", at_once)
        run = made.annotate(paragraphs)
    base = 0
    expected = np.zeros(len(run), dtype=np.uint8)
    for text, opens in paragraphs:
        (tokenized,) = tokenizer().tokenize([text])
        own = expected[base:]
        own[word_spans(text, tokenized, ChineseSegmenter())[:, 0]] |= WORD
        for first, stop in entity_spans(text, tokenized, lexicon):
            own[first] |= ENTITY
            own[first:stop] |= INSIDE
        for start in sentence_starts(text):
            expected[base + np.searchsorted(tokenized.offsets[:, 0], start) :][:1] |= LINE
        own[:1] |= DOCUMENT if opens else 0
        base += len(tokenized)
    assert len(run) == base
    np.testing.assert_array_equal(run.flags, expected)


def test_entities_are_marked_whole():
    made = Annotator(tokenizer(), LatinSegmenter(), EntityLexicon(["北京大学", "火锅", "天气"]))
    run = made.annotate([Paragraph("北京大学天气火锅了", True)])
    assert flagged(run, ENTITY) == [0, 4, 6]
    assert flagged(run, INSIDE) == list(range(8))


@pytest.mark.parametrize("characters", [1_000_000, 200, 1])
def test_the_tokens_of_a_corpus_come_back(tmp_path, characters):
    texts = documents(30, lines=3)
    made = shards(tmp_path, texts, characters=characters)
    whole = annotator().annotate(paragraphs_of(texts))
    run = made.read(0, made.tokens)
    np.testing.assert_array_equal(run.token_ids, whole.token_ids)
    np.testing.assert_array_equal(run.flags, whole.flags)
    assert (made.documents, made.meta.paragraphs) == (30, sum(map(len, texts)))
    lines = np.concatenate([made.line_starts(shard) for shard in range(len(made))])
    assert lines.tolist() == flagged(whole, LINE)


def test_any_stretch_can_be_read_and_no_other(tmp_path):
    made = shards(tmp_path, documents(30), characters=300)
    assert len(made) > 3
    whole = made.read(0, made.tokens)
    random = np.random.default_rng(0)
    for start, stop in np.sort(random.integers(0, made.tokens + 1, (200, 2)), axis=1).tolist():
        run = made.read(start, stop)
        np.testing.assert_array_equal(run.token_ids, whole.token_ids[start:stop])
        np.testing.assert_array_equal(run.flags, whole.flags[start:stop])
    for start, stop in ((-1, 3), (4, 3), (0, made.tokens + 1)):
        with pytest.raises(IndexError):
            made.read(start, stop)


def test_every_document_is_found_by_its_number(tmp_path):
    texts = documents(40)
    made = shards(tmp_path, texts, characters=300)
    starts = []
    for number in range(int(made.pieces[-1])):
        piece = made.piece(number)
        starts.append(made.line_start(piece.shard, piece.first))
        end = made.line_start(piece.shard, piece.stop)
        assert not flagged(made.read(starts[-1] + 1, end), DOCUMENT)
    assert starts == flagged(made.read(0, made.tokens), DOCUMENT)


def test_a_document_longer_than_a_shard_goes_on_in_the_next(tmp_path):
    made = shards(tmp_path, [["今天天气非常好。"] * 60], characters=100)
    assert made.documents == 1
    assert len(made) == int(made.pieces[-1]) > 2
    assert all(made.line_starts(shard)[0] == made.bounds[shard] for shard in range(len(made)))


def test_large_vocabularies_take_four_bytes(tmp_path):
    assert shards(tmp_path, documents(3)).meta.token_type == "<u2"
    assert (token_type(65_535), token_type(65_536)) == ("<u2", "<u4")


def test_damage_is_found(tmp_path):
    made = shards(tmp_path, documents(5))
    made.verify()
    path = made.folder / "shard-00000.bin"
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.write_bytes(content)
    ShardSet.open(made.folder)
    with pytest.raises(UserError, match=r"shard-00000\.bin: a damaged shard"):
        made.verify()
    path.write_bytes(content[:-2])
    with pytest.raises(UserError, match="bytes; build the shards again"):
        ShardSet.open(made.folder)


def test_shards_that_do_not_fit_are_refused(tmp_path):
    made = shards(tmp_path, documents(3))
    ShardSet.open(made.folder, expect_fingerprint=tokenizer().fingerprint)
    with pytest.raises(UserError, match="another tokenizer"):
        ShardSet.open(made.folder, expect_fingerprint="else")
    meta = made.folder / "meta.json"
    content = meta.read_text()
    meta.write_text(content.replace('"format": 1', '"format": 0'))
    with pytest.raises(UserError, match="another version"):
        ShardSet.open(made.folder)
    meta.write_text(content[:50])
    with pytest.raises(UserError, match="cannot be read"):
        ShardSet.open(made.folder)
    meta.unlink()
    with pytest.raises(UserError, match="build them"):
        ShardSet.open(made.folder)
