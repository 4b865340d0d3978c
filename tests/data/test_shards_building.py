import gc
import os
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import psutil
import pytest

from bertsmith.data import compression
from bertsmith.data.corpus import Corpus
from bertsmith.data.shards import Built, Noted, ShardSet, build_shards
from bertsmith.errors import UserError
from bertsmith.text import LatinSegmenter
from tests.data.corpora import annotator, documents, tokenizer, write

CHARACTERS = 400


def corpus_in(folder: Path, count: int = 60) -> Corpus:
    return Corpus(paths=(write(folder / "corpus.txt", documents(count)),))


def build(corpus, folder, *, made=None, **settings):
    heard = []
    made = build_shards(corpus, folder, made or annotator(), characters=CHARACTERS, listener=heard.append, **settings)
    return made, heard


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_processes_write_the_same_bytes(tmp_path):
    corpus = corpus_in(tmp_path)
    one, heard = build(corpus, tmp_path / "one")
    two, heard_two = build(corpus, tmp_path / "two", processes=2)
    assert content(one.folder) == content(two.folder)
    assert heard == heard_two == [*heard[:-1], Built(len(one), one.tokens, 60, reused=False)]
    assert len(one) > 5
    one.verify()


def test_a_second_build_returns_at_once(tmp_path):
    corpus = corpus_in(tmp_path)
    build(corpus, tmp_path / "shards")
    assert build(corpus, tmp_path / "shards")[1] == []


def test_excluded_texts_are_counted_also_by_a_second_build(tmp_path):
    corpus = corpus_in(tmp_path)
    before, _ = build(corpus, tmp_path / "shards")
    aside = write(tmp_path / "dev.txt", documents(60)[:3])
    lost = sum(len(lines) for lines in documents(60)[:3])
    for _ in range(2):
        made, _ = build(corpus.but(exclude=(aside,)), tmp_path / "shards")
        assert (made.meta.excluded, made.documents) == (lost, 57)
        assert made.meta.recipe != before.meta.recipe
    write(aside, documents(60)[:4])
    assert build(corpus.but(exclude=(aside,)), tmp_path / "shards")[0].documents == 56


def test_a_changed_corpus_keeps_the_shards_that_did_not_change(tmp_path):
    corpus = corpus_in(tmp_path)
    before, _ = build(corpus, tmp_path / "shards")
    write(corpus.paths[0], documents(60)[:20])
    made, heard = build(corpus, tmp_path / "shards")
    assert [event.reused for event in heard] == [True] * (len(made) - 1) + [heard[-1].reused]
    assert 1 < len(made) < len(before)
    fresh, _ = build(corpus, tmp_path / "fresh")
    assert content(made.folder) == content(fresh.folder)


@pytest.mark.parametrize("change", ["words", "documents"])
def test_another_recipe_makes_other_shards(tmp_path, change):
    corpus = corpus_in(tmp_path)
    build(corpus, tmp_path / "shards")
    made = annotator()
    if change == "words":
        made = type(made)(tokenizer(), LatinSegmenter())
    else:
        corpus = corpus.but(documents="line")
    again, heard = build(corpus, tmp_path / "shards", made=made)
    assert not any(event.reused for event in heard)
    fresh, _ = build(corpus, tmp_path / "fresh", made=made)
    assert content(again.folder) == content(fresh.folder)


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from tests.data.test_shards_building import CHARACTERS, annotator, build_shards, corpus_in

    def kill(event):
        if event.shards == 3:
            print("third", flush=True)
            if processes == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()

    folder, processes = Path(sys.argv[1]), int(sys.argv[2])
    if __name__ == "__main__":
        build_shards(corpus_in(folder), folder / "shards", annotator(), characters=CHARACTERS,
                     processes=processes, listener=kill)
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_build_goes_on_and_leaves_no_worker_behind(tmp_path, processes):
    script = tmp_path / "killed.py"
    script.write_text(textwrap.dedent(KILLED))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), str(processes)], stdout=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdout.readline() == b"third\n"
        workers = [] if processes == 1 else psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGKILL)
        running.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    with pytest.raises(UserError, match="begun but not finished"):
        ShardSet.open(tmp_path / "shards")
    corpus = corpus_in(tmp_path)
    resumed, heard = build(corpus, tmp_path / "shards", processes=processes)
    assert [event.reused for event in heard][:3] == [True] * 3
    fresh, _ = build(corpus, tmp_path / "fresh")
    assert content(resumed.folder) == content(fresh.folder)


def test_half_written_files_are_swept_away(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for name in ("shard-00000.json", ".shard-00001.bin.x1", "shard-00099.bin"):
        (folder / name).write_text("{")
    (folder / "mine.txt").write_text("kept")
    made, _ = build(corpus_in(tmp_path), folder)
    fresh, _ = build(corpus_in(tmp_path), tmp_path / "fresh")
    assert content(made.folder) == content(fresh.folder) | {"mine.txt": b"kept"}


def test_a_corpus_without_blank_lines_is_noted_before_the_work(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("北京大学。\n" * 1500, encoding="utf-8")
    _, heard = build(Corpus(paths=(path,)), tmp_path / "shards")
    assert [type(event) for event in heard[:2]] == [Noted, Built]


def test_a_broken_second_file_stops_before_the_first_is_worked_on(tmp_path):
    good, bad = corpus_in(tmp_path).paths[0], tmp_path / "bad.txt"
    bad.write_bytes("今天天气很好".encode("gb18030") * 100)
    with pytest.raises(UserError, match="gb18030"):
        build(Corpus(paths=(good, bad)), tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_a_corpus_without_a_token_is_refused(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("\u200b\u200b\n" * 3, encoding="utf-8")
    with pytest.raises(UserError, match="no token"):
        build(Corpus(paths=(path,)), tmp_path / "shards")


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(UserError, match="not a folder"):
        build(corpus_in(tmp_path), tmp_path / "corpus.txt")


def test_memory_does_not_grow_with_the_corpus(tmp_path, monkeypatch):
    """A tenth of the usual sizes; at 2 and 20 MB of text and the usual ones, the process grows by 4 %."""
    monkeypatch.setattr(compression, "CHUNK", 1 << 13)

    def once(count: int, turn: int) -> int:
        folder = tmp_path / f"{count}-{turn}"
        folder.mkdir()
        corpus = corpus_in(folder, count)
        gc.collect()
        tracemalloc.start()
        build_shards(corpus, folder / "shards", annotator(), characters=4_000)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    def peak(count: int) -> int:
        """The smaller of two: garbage of other tests is collected at any time."""
        return min(once(count, turn) for turn in range(2))

    peak(5)
    small, large = peak(100), peak(1000)
    assert large < 1.1 * small
