"""index, search and mine from the command line, on a tiny encoder."""

import io
import json
import re
import shutil

import pytest

from bertsmith.recipes import load_sentence_bundle
from bertsmith.recipes.search_models import fingerprint_of

from ..tiny import arguments, call, rows, write_table


@pytest.fixture(scope="module")
def indexed(trained, tmp_path_factory):
    """An index with words of 40 texts, ids and a column."""
    folder = tmp_path_factory.mktemp("indexed")
    lines = [(f"d{row}", text, label) for row, (text, label) in enumerate(rows(40))]
    write_table(folder / "docs.csv", lines, header="doc_id,text,label")
    code = ["index", "--model", str(trained / "out"), "--input", str(folder / "docs.csv"), "--hybrid"]
    from bertsmith.cli import main

    assert main([*code, "--out", str(folder / "index")]) == 0
    return folder


@pytest.fixture
def copied(indexed, tmp_path):
    """A copy of the index, to be changed."""
    shutil.copytree(indexed / "index", tmp_path / "index")
    return tmp_path / "index"


TEXTS = [text for text, _ in rows(40)]


def test_a_text_finds_itself(indexed, capsys):
    told = call(capsys, "search", "--index", indexed / "index", TEXTS[7], TEXTS[8], "--top", "3", "--json")
    assert told.code == 0, told.err
    assert [result["query"] for result in told.json["results"]] == TEXTS[7:9]
    first = told.json["results"][0]["hits"]
    assert [hit["rank"] for hit in first] == [1, 2, 3]
    assert (first[0]["id"], first[0]["text"]) == ("d7", TEXTS[7])
    assert first[0]["score"] == pytest.approx(1.0, abs=1e-5)
    assert first[0]["metadata"] == {"label": rows(40)[7][1]}
    people = call(capsys, "search", "--index", indexed / "index", TEXTS[7])
    assert people.code == 0
    assert re.search(rf"1\.\s+1\.0000\s+\[d7\] {TEXTS[7]}", people.out)


def test_index_tells_what_it_made(trained, tmp_path, capsys):
    (tmp_path / "lines.txt").write_text("good film\n\nbad town\n" + "word " * 700 + "\n", encoding="utf-8")
    command = ["index", "--model", trained / "out", "--input", tmp_path / "lines.txt", "--out", tmp_path / "i"]
    told = call(capsys, *command, "--json", "--kind", "exact", "--set", "index.neighbours.codes=int8")
    assert told.code == 0, told.err
    assert {"rows": 3, "added": 3, "dim": 16, "kind": "exact", "words": None}.items() <= told.json.items()
    assert told.json["truncated"]["texts"] == 1
    assert told.json["truncated"]["tokens"] > 100
    assert any("longer than 512 tokens" in note for note in told.json["notes"])
    assert told.json["fingerprint"] == fingerprint_of(load_sentence_bundle(trained / "out"))
    found = call(capsys, "search", "--index", tmp_path / "i", "bad town", "--top", "1", "--json")
    assert found.json["results"][0]["hits"][0]["id"] == 1
    again = call(capsys, *command, "--json")
    assert again.json["error"]["code"] == "out_not_empty"
    assert call(capsys, *command, "--overwrite", "--json", "--set", "index.vectors=float16").code == 0


def test_emoji_alone_are_counted_as_unknown(trained, tmp_path, capsys):
    (tmp_path / "lines.txt").write_text("😀😀\ngood film\n", encoding="utf-8")
    command = ["index", "--model", trained / "out", "--input", tmp_path / "lines.txt", "--out", tmp_path / "i"]
    told = call(capsys, *command, "--json")
    assert told.code == 0
    assert told.json["unknown"] == 1
    found = call(capsys, "search", "--index", tmp_path / "i", "😀😀", "--top", "1", "--json")
    assert found.json["results"][0]["hits"][0]["text"] == "😀😀"


def test_weights_that_give_no_numbers_are_refused_by_id(trained, tmp_path, capsys):
    from safetensors.torch import load_file, save_file

    shutil.copytree(trained / "out", tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    table = next(name for name in weights if name.endswith("word_embeddings.weight"))
    token = load_sentence_bundle(trained / "out").tokenizer.tokenize(["film"])[0].token_ids[0]
    weights[table][int(token)] = float("nan")
    save_file(weights, tmp_path / "model" / "model.safetensors", metadata={"format": "pt"})
    write_table(tmp_path / "docs.csv", [("a", "old town"), ("b", "good film")], header="id,text")
    command = ["index", "--model", tmp_path / "model", "--input", tmp_path / "docs.csv", "--out", tmp_path / "i"]
    told = call(capsys, *command, "--json")
    assert told.code == 2
    assert told.json["error"]["code"] == "nan_vectors"
    assert told.json["error"]["where"] == "id 'b'"
    assert "the vector of 'good film' holds NaN" in told.json["error"]["message"]
    command[command.index("--model") + 1] = trained / "out"
    assert call(capsys, *command, "--json").json["rows"] == 2


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ((), "no model: give --model MODEL"),
        (("--model", "MODEL"), "no texts: give --input FILE"),
        (("--model", "MODEL", "--input", "docs.csv", "--id", "nope"), "the columns are 'id', 'text'"),
    ],
)
def test_what_an_index_lacks_is_named(more, word, trained, tmp_path, capsys, monkeypatch):
    write_table(tmp_path / "docs.csv", [("a", "old town")], header="id,text")
    monkeypatch.chdir(tmp_path)
    told = call(capsys, "index", "--out", "i", *(trained / "out" if part == "MODEL" else part for part in more))
    assert told.code == 2
    assert word in told.err


def test_refused_texts_leave_nothing_in_the_way(trained, tmp_path, capsys):
    command = ["index", "--model", trained / "out", "--input", tmp_path / "docs.csv", "--out", tmp_path / "i", "--json"]
    write_table(tmp_path / "docs.csv", [("a", "old town"), ("a", "good film")], header="id,text")
    assert call(capsys, *command).code == 2
    write_table(tmp_path / "docs.csv", [("a", "old town"), ("b", "good film")], header="id,text")
    assert call(capsys, *command).json["rows"] == 2


def piped(monkeypatch, objects):
    content = "".join(json.dumps(each) + "\n" for each in objects).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_texts_and_queries_from_a_pipe(trained, tmp_path, capsys, monkeypatch):
    piped(monkeypatch, ({"text": f"{text} {row}", "n": row} for row, text in enumerate(TEXTS * 30)))
    told = call(capsys, "index", "--model", trained / "out", "--input", "-", "--out", tmp_path / "i", "--json")
    assert told.code == 0, told.err
    assert told.json["rows"] == 1200
    piped(monkeypatch, [{"text": f"{TEXTS[3]} 3"}, {"text": f"{TEXTS[4]} 44"}])
    found = call(capsys, "search", "--index", tmp_path / "i", "--input", "-", "--top", "1", "--json")
    assert [result["hits"][0]["id"] % 40 for result in found.json["results"]] == [3, 4]


def test_hybrid_where_and_words(indexed, capsys):
    command = ["search", "--index", indexed / "index", TEXTS[5], "--top", "40", "--json"]
    plain, hybrid = call(capsys, *command).json, call(capsys, *command, "--hybrid").json
    words = call(capsys, *command, "--set", "search.by=words").json
    for told in (plain, hybrid, words):
        assert told["results"][0]["hits"][0]["id"] == "d5"
    assert hybrid["results"][0]["hits"][0]["score"] == pytest.approx(2 / 61)
    assert len(words["results"][0]["hits"]) < 40
    misspelt = call(capsys, *command, "--where", "lable=pos")
    assert misspelt.code == 2
    assert "no column 'lable' in this index; there are label" in misspelt.json["error"]["message"]
    only = call(capsys, *command, "--where", "label=pos").json["results"][0]["hits"]
    assert {hit["metadata"]["label"] for hit in only} == {"pos"}
    assert len(only) == 20


def test_add_and_delete(copied, tmp_path, capsys):
    write_table(tmp_path / "more.csv", [("n1", "a new story"), ("n2", "old people talk")], header="id,text")
    added = call(capsys, "index", "--out", copied, "--add", "--input", tmp_path / "more.csv", "--json")
    assert added.code == 0, added.err
    assert (added.json["rows"], added.json["added"]) == (42, 2)
    (tmp_path / "ids.txt").write_text("d1\nd2\n")
    gone = call(capsys, "index", "--out", copied, "--delete-file", tmp_path / "ids.txt", "--json")
    assert gone.json == {"out": str(copied), "deleted": 2, "compacted": False, "rows": 40}
    assert call(capsys, "index", "--out", copied, "--delete", "n1", "d0", "--json").json["rows"] == 38
    found = call(capsys, "search", "--index", copied, "a new story", TEXTS[1], "--top", "40", "--json")
    ids = [{hit["id"] for hit in result["hits"]} for result in found.json["results"]]
    assert not {"n1", "d0", "d1", "d2"} & (ids[0] | ids[1])
    assert call(capsys, "index", "--out", copied, "--compact", "--json").json["rows"] == 38
    assert call(capsys, "index", "--out", copied, "--verify", "--json").json["rows"] == 38


def test_another_model_is_refused_and_a_moved_one_is_found(trained, copied, tmp_path, capsys):
    assert main_model(arguments(trained, out=tmp_path / "other", epochs="1")) == 0
    told = call(capsys, "search", "--index", copied, "x", "--model", tmp_path / "other", "--json")
    assert told.code == 2
    assert told.json["error"]["code"] == "other_model"
    shutil.copytree(trained / "out", tmp_path / "moved")
    assert call(capsys, "search", "--index", copied, "x", "--model", tmp_path / "moved").code == 0
    manifest = json.loads((copied / "index.json").read_text())
    manifest["model"]["source"] = str(tmp_path / "gone")
    (copied / "index.json").write_text(json.dumps(manifest))
    lost = call(capsys, "search", "--index", copied, "x", "--json")
    assert lost.json["error"]["code"] == "not_found"
    assert "say with --model where it is now" in lost.json["error"]["message"]


def main_model(command):
    from bertsmith.cli import main

    return main(command)


def test_the_choices_of_an_index_are_remembered(trained, tmp_path, capsys):
    write_table(tmp_path / "docs.csv", rows(5))
    command = ["index", "--model", trained / "out", "--input", tmp_path / "docs.csv", "--out", tmp_path / "i"]
    told = call(capsys, *command, "--set", "encoder.pooling=cls", "--set", "encoder.max_length=4", "--json")
    assert told.json["truncated"]["texts"] == 5
    found = call(capsys, "search", "--index", tmp_path / "i", rows(5)[2][0], "--top", "1", "--json")
    assert found.code == 0, found.err
    assert found.json["results"][0]["hits"][0]["score"] == pytest.approx(1.0, abs=1e-5)


def test_retrieval_is_measured(indexed, tmp_path, capsys):
    write_table(tmp_path / "queries.csv", [(f"q{row}", TEXTS[row]) for row in range(10)], header="query_id,text")
    judged = [(f"q{row}", f"d{row}", "1") for row in range(9)]
    write_table(tmp_path / "qrels.tsv", [("\t".join(line),) for line in judged], header="query_id\tdoc_id\trelevance")
    command = ["search", "--index", indexed / "index", "--queries", tmp_path / "queries.csv"]
    told = call(capsys, *command, "--qrels", tmp_path / "qrels.tsv", "--json")
    assert told.code == 0, told.err
    assert told.json["metrics"] == dict.fromkeys(told.json["metrics"], 1.0)
    assert set(told.json["metrics"]) >= {"recall@1", "recall@10", "mrr@10", "ndcg@10", "map"}
    assert told.json["queries"] == 9
    assert told.json["notes"] == ["1 of 10 queries have no judgement and were not asked"]
    assert "recall@10    1.0000   95 % interval" in call(capsys, *command, "--qrels", tmp_path / "qrels.tsv").out
    write_table(tmp_path / "wrong.tsv", [("q1\tother\t1",)], header="query_id\tdoc_id\trelevance")
    wrong = call(capsys, *command, "--qrels", tmp_path / "wrong.tsv", "--json")
    assert wrong.json["error"]["code"] == "bad_qrels"


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """A pair classifier that learned to like texts that begin alike."""
    folder = tmp_path_factory.mktemp("judge")
    from ..tiny import write_files

    write_files(folder)
    pairs = [(TEXTS[row], TEXTS[(row + shift) % 40], str(int(not shift))) for row in range(40) for shift in (0, 1)]
    for name, some in {"train": pairs[:60], "dev": pairs[60:], "test": pairs[60:]}.items():
        write_table(folder / f"{name}.csv", some, header="text,text_pair,label")
    assert main_model(arguments(folder, "--task", "pair", epochs="1")) == 0
    return folder / "out"


def test_a_pair_classifier_ranks_again(indexed, judge, capsys):
    command = ["search", "--index", indexed / "index", TEXTS[3], "--top", "40", "--json", "--rerank", judge]
    told = call(capsys, *command)
    assert told.code == 0, told.err
    assert "the probability of label '1'" in told.err
    scores = [hit["score"] for hit in told.json["results"][0]["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    turned = call(capsys, *command, "--set", "rerank.positive=0").json["results"][0]["hits"]
    assert turned[0]["score"] == pytest.approx(1 - scores[-1], abs=1e-5)
    unknown = call(capsys, *command, "--set", "rerank.positive=yes")
    assert "its labels are 0, 1" in unknown.json["error"]["message"]


def test_what_reads_no_pairs_ranks_nothing(indexed, trained, capsys):
    told = call(capsys, "search", "--index", indexed / "index", "x", "--rerank", trained / "out", "--json")
    assert told.json["error"]["code"] == "wrong_task"


def test_mining(indexed, judge, tmp_path, capsys):
    pairs = call(capsys, "mine", "pairs", "--index", indexed / "index", "--top", "7", "--json")
    assert pairs.code == 0, pairs.err
    assert pairs.json["pairs"] == len(pairs.json["results"]) == 7
    assert set(pairs.json["results"][0]) == {"score", "id", "id_pair", "text", "text_pair"}
    groups = call(capsys, "mine", "clusters", "--index", indexed / "index", "--threshold", "0.5", "--json")
    assert groups.json["texts"] == sum(map(len, groups.json["results"]))
    out = tmp_path / "groups.tsv"
    written = call(capsys, "mine", "clusters", "--index", indexed / "index", "--threshold", "0.5", "--output", out)
    assert written.code == 0
    assert out.read_text().splitlines()[0] == "group\tid\ttext"
    write_table(
        tmp_path / "pairs.csv",
        [(TEXTS[0], TEXTS[2], "1"), (TEXTS[0], TEXTS[4], "0"), (TEXTS[1], TEXTS[3], "1")],
        header="text,text_pair,label",
    )
    command = ["mine", "negatives", "--index", indexed / "index", "--input", tmp_path / "pairs.csv"]
    settings = ["--set", "negatives.share=null", "--negatives", "2"]
    told = call(capsys, *command, "--output", tmp_path / "t.tsv", "--json", *settings)
    assert told.code == 0, told.err
    assert told.json == {"out": str(tmp_path / "t.tsv"), "pairs": 3, "skipped": 1, "triplets": 4, "without_negative": 0}
    head, *lines = [line.split("\t") for line in (tmp_path / "t.tsv").read_text().splitlines()]
    assert head == ["anchor", "positive", "negative"]
    for anchor, positive, negative in lines:
        assert (anchor, positive) in {(TEXTS[0], TEXTS[2]), (TEXTS[1], TEXTS[3])}
        assert negative not in (anchor, positive)
    judged = call(
        capsys,
        *command,
        "--output",
        tmp_path / "t.jsonl",
        "--rerank",
        judge,
        *settings,
        "--set",
        "negatives.doubtful=1",
    )
    assert judged.code == 0, judged.err
    nothing = call(capsys, *command, "--output", tmp_path / "n.tsv", "--json", "--set", "negatives.share=-9")
    assert nothing.json["error"]["code"] == "no_negatives"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["search", "--index", "nowhere", "x"], "no_index"),
        (["search", "--index", "index"], "bad_usage"),
        (["search", "--index", "index", "x", "--input", "docs.csv"], "bad_usage"),
        (["search", "--index", "index", "x", "--where", "label"], "bad_usage"),
        (["search", "--index", "index", " "], "blank_text"),
        (["search", "--index", "index", "x", "--set", "search.top=0"], "bad_setting"),
        (["index", "--out", "index", "--add"], "bad_usage"),
        (["index", "--out", "index", "--add", "--input", "docs.csv"], "duplicate_id"),
        (["index", "--out", "index", "--delete", "nobody"], "unknown_id"),
        (["index", "--out", "index", "--delete", "d1", "--compact"], "bad_usage"),
        (["index", "--out", "new", "--model", "no-model", "--input", "missing.csv"], "missing_file"),
        (["index", "--out", "new", "--input", "docs.csv"], "bad_usage"),
        (["index", "--out", "nowhere", "--verify"], "no_index"),
        (["mine", "pairs", "--index", "nowhere"], "no_index"),
        (["mine", "negatives", "--index", "index", "--input", "docs.csv", "--output", "t.tsv"], "missing_column"),
    ],
)
def test_refusals(command, code, indexed, capsys, monkeypatch):
    monkeypatch.chdir(indexed)
    told = call(capsys, *command, "--json")
    assert told.code == 2, told.err
    assert told.json["error"]["code"] == code
    assert not (indexed / "new" / "index.json").exists()
