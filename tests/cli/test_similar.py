"""`bertsmith similar` as a user meets it: a list for macbert out of one's own texts."""

import random
import sys

import pytest

from tests.tiny import call, spawn

PAIRS = [("今天", "昨天"), ("北京", "上海"), ("火锅", "烤鸭")]


@pytest.fixture
def corpus(tmp_path):
    """Sentences in which the words of a pair stand in the same places."""
    rng = random.Random(0)
    lines = ["我们{}在{}吃了{}。".format(*(rng.choice(pair) for pair in PAIRS)) for _ in range(300)]
    (tmp_path / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def command(folder, *more):
    small = ["--set", "neighbours.size=16", "--set", "neighbours.epochs=20", "--set", "neighbours.window=1"]
    return ["similar", "--corpus", str(folder / "corpus.txt"), "--out", str(folder / "similar.tsv"), *small, *more]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_list_that_macbert_takes(corpus, capsys):
    pytest.importorskip("gensim")
    told = call(capsys, *command(corpus, "--top", "2", "--json"))
    assert told.code == 0, told.err
    assert told.json["out"] == str(corpus / "similar.tsv")
    assert told.json["paragraphs"] == 300
    lines = dict(line.split("\t") for line in (corpus / "similar.tsv").read_text(encoding="utf-8").splitlines())
    assert told.json["words"] == len(lines)
    assert lines["今天"].split()[0] == "昨天"
    assert all(1 <= len(similar.split()) <= 2 for similar in lines.values())
    assert "the whole corpus" in told.err
    assert "pass 20 of 20" in told.err
    shape = corpus / "shape.json"
    shape.write_text('{"num_layers": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32}')
    (corpus / "pairs.txt").write_text(
        "\n\n".join([f"我们{a}来了。\n我们{b}走了。" for a, b in PAIRS] * 9), encoding="utf-8"
    )
    run = ["pretrain", "--objective", "macbert", "--corpus", corpus / "pairs.txt", "--encoder", shape, "--steps", "1"]
    trained = call(capsys, *run, "--similar", corpus / "similar.tsv", "--out", corpus / "run", "--json")
    assert trained.code == 0, trained.err


def test_the_same_seed_gives_the_same_file_in_any_process(corpus):
    pytest.importorskip("gensim")
    found = []
    for seed in ("1", "1", "2"):
        assert spawn(*command(corpus, "--seed", seed)).code == 0
        found.append((corpus / "similar.tsv").read_bytes())
    assert found[0] == found[1]


def test_without_gensim_the_extra_is_named_before_anything_is_read(corpus, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models.word2vec", None)
    told = call(capsys, *command(corpus, "--json"))
    assert told.code == 2
    assert told.json["error"]["code"] == "missing_package"
    assert "bertsmith[synonyms]" in told.err
    assert not (corpus / "similar.tsv").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty_file"), ("你好".encode("gb18030") * 400, "bad_encoding"), ("一次".encode(), "no_similar_words")],
    ids=["empty", "another encoding", "too small"],
)
def test_a_corpus_that_will_not_do_leaves_the_old_list(content, code, corpus, capsys):
    pytest.importorskip("gensim")
    (corpus / "corpus.txt").write_bytes(content)
    (corpus / "similar.tsv").write_text("old\tlist\n")
    told = call(capsys, *command(corpus, "--json"))
    assert told.code == 2
    assert told.json["error"]["code"] == code
    assert (corpus / "similar.tsv").read_text() == "old\tlist\n"
    assert {path.name for path in corpus.iterdir()} == {"corpus.txt", "similar.tsv"}


def test_no_corpus_and_no_such_field(corpus, capsys):
    told = call(capsys, "similar", "--out", corpus / "x.tsv")
    assert told.code == 2
    assert "--corpus" in told.err
    told = call(capsys, *command(corpus, "--set", "neighbours.colour=3"))
    assert told.code == 2
    assert "neighbours.colour" in told.err
