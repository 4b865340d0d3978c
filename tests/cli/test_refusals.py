"""Bad input: one clear message, exit code 2, nothing written, an old result untouched."""

import errno
import gzip
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import bertsmith.files

from ..tiny import Told, arguments, call, contents, environment, spawn


@dataclass(frozen=True)
class Case:
    """How to spoil the files of a folder, what to add to the command, and what must be said."""

    name: str
    spoil: Callable[[Path], object]
    code: str
    said: tuple[str, ...]
    more: tuple[str, ...] = ()

    def command(self, folder: Path, *more: str) -> list[str]:
        parts = [part.replace("{folder}", str(folder)) for part in self.more]
        if self.more[:1] in {(), ("--set",), ("--colour",)}:
            return arguments(folder, *parts, *more)
        return arguments(folder, *more, **{parts[0][2:].replace("-", "_"): parts[1]})


def train(content: str | bytes) -> Callable[[Path], object]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / "train.csv").write_bytes(data)


def written(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content, encoding="utf-8")


def nothing(folder: Path) -> None:
    """The files are fine, the options are not."""


CHINESE = "text,label\n" + "".join(f"这个手机的屏幕很好看{i},好\n快递太慢了我要退货{i},差\n" for i in range(5))
HUNDRED = "x" * 100
DATA = (
    Case("missing file", lambda f: (f / "train.csv").unlink(), "missing_file", ("train.csv: no such file", "test.csv")),
    Case("a folder", lambda f: f, "unknown_format", (".csv, .tsv, .jsonl or .parquet",), ("--train", "{folder}")),
    Case("missing column", train("txt,label\na,b\n"), "missing_column", ("no column 'text'", "text=txt")),
    Case("missing label column", train("text\na\n"), "missing_column", ("no column 'label'",)),
    Case("empty file", train(""), "empty_file", ("train.csv: the file holds no rows",)),
    Case("header only", train("text,label\n"), "empty_file", ("train.csv: the file holds no rows",)),
    Case("one label only", train("text,label\na,x\nb,x\n"), "one_label", ('"x"', "label column")),
    Case("unseen label", written("dev.csv", "text,label\na,pos\nb,sportz\n"), "unseen_label", ("dev.csv:3", "sportz")),
    Case("broken UTF-8", train(b"text,label\ngood,pos\nb\xffad,neg\n"), "bad_encoding", ("train.csv:3", "0xff", "21")),
    Case("GB18030", train(CHINESE.encode("gb18030")), "bad_encoding", ("GB18030", "--encoding gb18030")),
    Case("UTF-16", train(CHINESE.encode("utf-16")), "bad_encoding", ("UTF-16", "--encoding utf-16")),
    Case("gzip without its name", train(gzip.compress(b"text,label\n")), "not_text", ("gzip data",)),
    Case("ragged row", train("text,label\na,x\nb,y,z\n"), "ragged_row", ("train.csv:3", "3")),
    Case("long line", train("text,label\n" + "a" * 10_000_000 + ",x\n"), "line_too_long", ("train.csv:2", "1,000,000")),
    Case("only spaces", train('text,label\nfine,x\n" \u3000\t",y\n'), "blank_text", ("train.csv:3", "no visible")),
    Case("missing label", train("text,label\nfine,\n"), "missing_label", ("train.csv:2", "label is missing")),
    Case(
        "broken JSON",
        written("bad.jsonl", '{"text": "a", "label": "x"}\n{"text": "b",\n'),
        "broken_json",
        ("bad.jsonl:2",),
        ("--train", "{folder}/bad.jsonl"),
    ),
    Case(
        "too few for a dev part",
        train("text,label\na,x\nb,y\n"),
        "too_few_rows",
        ("2 rows", "--dev"),
        ("--set", "data={train: '{folder}/train.csv'}"),
    ),
)
OPTIONS = (
    Case("unknown option", nothing, "bad_usage", ("--colour", "finetune --help"), ("--colour", "red")),
    Case("unknown setting", nothing, "bad_setting", ("optimizer.speed",), ("--set", "optimizer.speed=1")),
    Case("setting through a value", nothing, "bad_setting", ("seed", "{'x': 1}"), ("--set", "seed.x=1")),
    Case("setting without value", nothing, "bad_setting", ("path.to.field=value", "seed"), ("--set", "seed")),
    Case("setting that is no YAML", nothing, "bad_setting", ("valid YAML",), ("--set", "seed=[1")),
    Case("start as a number", nothing, "bad_setting", ("start",), ("--set", "start=3")),
    Case("value out of range", nothing, "bad_setting", ("budget.epochs", "0"), ("--epochs", "0")),
    Case("unknown metric", nothing, "bad_setting", ("'f7'", "macro_f1"), ("--set", "selection.metric=f7")),
    Case(
        "class weights of other labels",
        nothing,
        "bad_setting",
        ("3 class_weights for 2 labels",),
        ("--set", "criterion.class_weights=[1,2,3]"),
    ),
    Case(
        "layer that is not there",
        nothing,
        "bad_setting",
        ("layer 9", "layers 0 (embeddings) to 1"),
        ("--set", "features.layers={kind: one, number: 9}"),
    ),
    Case("bad columns", nothing, "bad_columns", ("--columns 'foo'", "text=COLUMN"), ("--columns", "foo")),
    Case("unknown encoding", nothing, "bad_encoding_name", ("'klingon'",), ("--encoding", "klingon")),
    Case("unknown shape", nothing, "unknown_shape", ("huge", "tiny, mini"), ("--encoder", "huge")),
    Case(
        "shape without sense",
        written("s.json", '{"num_heads": 5}'),
        "bad_setting",
        ("multiple",),
        ("--encoder", "{folder}/s.json"),
    ),
    Case("model and encoder", nothing, "bad_setting", ("either model",), ("--model", "x")),
    Case("task unknown here", nothing, "bad_usage", ("classification", "pair"), ("--task", "poetry")),
    Case("missing recipe", nothing, "missing_file", ("no.yaml",), ("--recipe", "no.yaml")),
    Case(
        "recipe that is no mapping",
        written("r.yaml", "- 1\n"),
        "bad_recipe",
        ("r.yaml",),
        ("--recipe", "{folder}/r.yaml"),
    ),
    Case("more than the positions", nothing, "too_long", ("9999", "512"), ("--max-length", "9999")),
    Case("no room for text", nothing, "too_short", ("leaves no room",), ("--max-length", "2")),
    Case("a path too long", nothing, "bad_path", ("too long",), ("--train", HUNDRED * 3 + ".csv")),
    Case("pairs without a second text", nothing, "missing_column", ("text_pair",), ("--task", "pair")),
)
CUDA = Case("no GPU", nothing, "no_device", ("--device cpu",), ("--device", "cuda"))
CASES = (*DATA, *OPTIONS, *(() if torch.cuda.is_available() else (CUDA,)))


def require_clear(told: Told, code: str, said: tuple[str, ...]) -> None:
    """One message on stderr, the same in the one object on stdout."""
    assert told.code == 2, told
    assert "Traceback" not in told.err
    assert told.err.count("error: ") == 1
    error = told.json["error"]
    assert set(error) == {"code", "message", "where"}
    assert error["code"] == code, error
    assert f"error: {error['message']}" in told.err
    for part in said:
        assert part in error["message"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_before_anything_is_written(case, files, capsys):
    case.spoil(files)
    before = contents(files)
    require_clear(call(capsys, *case.command(files)), case.code, case.said)
    assert not (files / "out").exists()
    assert contents(files) == before


@pytest.mark.parametrize("case", [*DATA[:6], *OPTIONS[:2], OPTIONS[7]], ids=lambda case: case.name)
def test_refused_without_json_and_with_an_old_result_in_place(case, files, capsys):
    case.spoil(files)
    old = files / "out" / "model.safetensors"
    old.parent.mkdir()
    old.write_bytes(b"precious")
    command = [part for part in case.command(files, "--overwrite") if part != "--json"]
    told = call(capsys, *command)
    assert told.code == 2
    assert told.out == ""
    assert told.err.count("error: ") == 1
    assert contents(files / "out") == {"model.safetensors": b"precious"}


def test_gb18030_is_read_when_named(files, capsys):
    train(CHINESE.encode("gb18030"))(files)
    told = call(capsys, *arguments(files, encoding="gb18030", dev=None, test=None, epochs="1"))
    assert told.code == 0, told.err
    assert set(told.json["labels"]) == {"好", "差"}


# Checkpoints.


def copy_of(trained: Path, folder: Path) -> Path:
    for name, content in contents(trained / "out").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def cut_short(model: Path) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_config(**values: object) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        path = model / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def longer_vocabulary(model: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (model / name).unlink()
    with (model / "vocab.txt").open("a") as file:
        file.write("one\nmore\n")


def shorter_vocabulary(model: Path) -> None:
    """Weights for three more tokens than the tokenizer has: padded tables are usual, so this is fine."""
    change_config(vocab_size=json.loads((model / "config.json").read_text())["vocab_size"] + 3)(model)
    path = model / "model.safetensors"
    tensors = load_file(path)
    (name,) = [name for name in tensors if name.endswith("word_embeddings.weight")]
    tensors[name] = torch.cat([tensors[name], torch.zeros(3, tensors[name].shape[1])])
    save_file(tensors, path, metadata={"format": "pt"})


MODELS = {
    "truncated safetensors": (cut_short, "", ("model.safetensors",)),
    "config of another size": (change_config(hidden_size=32), "", ("word_embeddings.weight",)),
    "config that is no JSON": (lambda m: (m / "config.json").write_text("{"), "broken_json", ("config.json",)),
    "unknown kind of model": (change_config(model_type="gpt2"), "", ("gpt2",)),
    "no weights": (lambda m: (m / "model.safetensors").unlink(), "missing_weights", ("model.safetensors",)),
    "no tokenizer": (
        lambda m: [(m / name).unlink() for name in ("tokenizer.json", "vocab.txt")],
        "",
        ("tokenizer.json", "vocab.txt"),
    ),
    "vocabulary larger than the embedding": (longer_vocabulary, "vocabulary_mismatch", ("rows",)),
}


@pytest.mark.parametrize("name", MODELS)
def test_damaged_checkpoint(name, trained, tmp_path, capsys):
    damage, code, said = MODELS[name]
    model = copy_of(trained, tmp_path / "model")
    damage(model)
    told = call(capsys, *from_model(trained, model, tmp_path / "out"))
    require_clear(told, code or told.json["error"]["code"], said)
    assert not (tmp_path / "out").exists()


def from_model(trained: Path, model: Path | str, out: Path) -> list[str]:
    return arguments(trained, encoder=None, model=model, out=out, epochs="1")


def test_table_larger_than_the_vocabulary_is_fine(trained, tmp_path, capsys):
    model = copy_of(trained, tmp_path / "model")
    shorter_vocabulary(model)
    assert call(capsys, *from_model(trained, model, tmp_path / "out")).code == 0


def test_unknown_model(trained, tmp_path, capsys):
    told = call(capsys, *from_model(trained, "nosuch/model", tmp_path / "out"))
    require_clear(told, "offline", ("nosuch/model", "folder"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_vocabulary_larger_than_the_embedding_is_refused_in_use_too(command, trained, tmp_path, capsys):
    model = copy_of(trained, tmp_path / "model")
    longer_vocabulary(model)
    source = "--input" if command == "predict" else "--data"
    told = call(capsys, command, "--model", model, source, trained / "test.csv", "--json")
    require_clear(told, "vocabulary_mismatch", ("rows",))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (change_config(bertsmith=None), "no_task"),
        (change_config(bertsmith={"format": 99, "task": {}}), "bundle_format"),
        (change_config(bertsmith={"format": 1, "task": {"labels": ["a", "b", "c"]}}), "damaged_bundle"),
    ],
    ids=["plain encoder", "later format", "head of another size"],
)
def test_model_that_cannot_predict(damage, code, trained, tmp_path, capsys):
    model = copy_of(trained, tmp_path / "model")
    damage(model)
    told = call(capsys, "predict", "--model", model, "--input", trained / "test.csv", "--json")
    require_clear(told, code, (str(model),))


# Places.


def test_folder_that_is_not_empty(files, capsys):
    (files / "out").mkdir()
    (files / "out" / "notes.txt").write_text("mine")
    require_clear(call(capsys, *arguments(files)), "out_not_empty", ("--resume", "--overwrite"))
    assert contents(files / "out") == {"notes.txt": b"mine"}


def test_overwriting_leaves_foreign_files(files, capsys):
    (files / "out").mkdir()
    (files / "out" / "notes.txt").write_text("mine")
    (files / "out" / "predictions_dev.jsonl").write_text("old")
    (files / "out" / ".model.safetensors.abcd1234").write_text("left by a kill")
    assert call(capsys, *arguments(files, "--overwrite", epochs="1")).code == 0
    found = contents(files / "out")
    assert found["notes.txt"] == b"mine"
    assert found["predictions_dev.jsonl"] != b"old"
    assert ".model.safetensors.abcd1234" not in found


@pytest.mark.parametrize(
    ("place", "code"),
    [("train.csv", "not_a_folder"), ("train.csv/out", "not_a_folder"), ("/proc/bertsmith", "not_writable")],
)
def test_place_that_cannot_be_written_even_as_root(place, code, files, capsys):
    before = contents(files)
    told = call(capsys, *arguments(files, out=files / place))
    require_clear(told, code, (Path(place).name,))
    assert contents(files) == before


def test_resuming_does_not_clear_a_folder_without_a_run(files, capsys):
    (files / "out").mkdir()
    (files / "out" / "config.json").write_text("{}")
    require_clear(call(capsys, *arguments(files, "--resume")), "not_a_run", ("recipe.yaml", "--overwrite"))
    assert contents(files / "out") == {"config.json": b"{}"}


def test_full_disk_while_training(files):
    told = spawn(*arguments(files, "--set", "snapshot_every=2"), preexec_fn=files_up_to(10_000))
    require_clear(told, "disk_full", ("size limit", "checkpoints"))
    left = contents(files / "out")
    assert set(left) == {"recipe.yaml", "log.jsonl"}


def files_up_to(size: int) -> Callable[[], None]:
    """Called in the new process: no file may grow beyond so many bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_full_disk_at_the_end_keeps_the_snapshots(files, capsys, monkeypatch):
    real = bertsmith.files._settle

    def full(temporary: Path) -> None:
        if "report.html" in temporary.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(temporary)

    with monkeypatch.context() as patch:
        patch.setattr(bertsmith.files, "_settle", full)
        told = call(capsys, *arguments(files))
    require_clear(told, "disk_full", ("report.html", "disk is full"))
    assert not (files / "out" / "metrics.json").exists()
    assert not list((files / "out").glob(".*"))
    assert list((files / "out" / "checkpoints").glob("step-*"))
    weights = (files / "out" / "model.safetensors").read_bytes()
    told = call(capsys, "finetune", "--out", files / "out", "--resume", "--json")
    assert told.code == 0, told.err
    assert (files / "out" / "model.safetensors").read_bytes() == weights
    assert not (files / "out" / "checkpoints").exists()


def test_full_disk_while_predicting_to_a_file(trained, tmp_path):
    command = ["predict", "--model", trained / "out", "--input", trained / "test.csv"]
    answers = tmp_path / "answers.csv"
    answers.write_text("old")
    told = spawn(*command, "--output", answers, "--json", preexec_fn=files_up_to(500))
    require_clear(told, "disk_full", ("answers.csv", "size limit"))
    assert contents(tmp_path) == {"answers.csv": b"old"}


@pytest.mark.parametrize("more", [["--output", "/dev/full"], ["--output", "-"], ["--json"]], ids=" ".join)
def test_full_disk_where_the_answers_go(more, trained):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = ["predict", "--model", str(trained / "out"), "--input", str(trained / "test.csv"), *more]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bertsmith", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            check=False,
        )
    assert done.returncode == 2
    assert "the disk is full" in done.stderr
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr
