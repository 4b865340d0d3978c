import socket
import time

import pytest
from huggingface_hub import constants

from bertsmith.encoder import hub
from bertsmith.encoder.hub import bundled_names, resolve
from bertsmith.errors import UserError

from .hub_server import COMMITS, HubServer

NEEDED = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "vocab.txt": b"[PAD]\n",
    "tokenizer_config.json": b"{}",
}
NOT_NEEDED = {"pytorch_model.bin": b"pickle", "tf_model.h5": b"tf", "onnx/model.onnx": b"onnx", "README.md": b"card"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    with HubServer().running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        for name in ("HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.chdir(tmp_path)
        yield server


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_local_folder_is_itself(tmp_path):
    assert resolve(tmp_path) == tmp_path
    assert resolve(str(tmp_path)) == tmp_path


def test_a_bundled_encoder_comes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "bundle" / "tiny-xx").mkdir(parents=True)
    (tmp_path / "bundle" / "tiny-xx" / "config.json").write_text("{}")
    (tmp_path / "tiny-xx").mkdir()
    monkeypatch.setattr(hub, "_bundled_folder", lambda: tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    assert bundled_names() == ("tiny-xx",)
    assert resolve("tiny-xx") == tmp_path / "bundle" / "tiny-xx"


def test_only_what_an_encoder_needs_is_fetched(server):
    server.files["org/model", "main"] = NEEDED | NOT_NEEDED
    folder = resolve("org/model")
    assert names(folder) == set(NEEDED)
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    fetched = [path.rpartition("/")[2] for path in server.paths() if "/resolve/" in path]
    assert fetched[-1] == "model.safetensors"


def test_the_pickled_weights_only_without_safetensors(server):
    server.files["org/old", "main"] = {"config.json": b"{}", "vocab.txt": b"a", "pytorch_model.bin": b"pickle"}
    assert names(resolve("org/old")) == {"config.json", "vocab.txt", "pytorch_model.bin"}


def test_all_shards_are_fetched_and_an_incomplete_cache_is_completed(server):
    shards = {f"model-0000{number}-of-00002.safetensors": b"part" for number in (1, 2)}
    server.files["org/big", "main"] = {"config.json": b"{}", "model.safetensors.index.json": b"{}"} | shards
    folder = resolve("org/big")
    assert set(shards) <= names(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert set(shards) <= names(resolve("org/big"))


def test_the_second_time_comes_from_the_cache_without_a_server(server, monkeypatch):
    server.files["org/model", "main"] = NEEDED
    folder = resolve("org/model")
    asked = len(server.requests)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert resolve("org/model") == folder
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert resolve("org/model") == folder
    assert resolve(f"org/model@{COMMITS['main']}") == folder
    assert len(server.requests) == asked


def test_the_revision_is_honoured(server):
    server.files["org/model", "main"] = NEEDED
    server.files["org/model", "v1"] = NEEDED | {"model.safetensors": b"first"}
    assert (resolve("org/model@v1") / "model.safetensors").read_bytes() == b"first"
    assert (resolve("org/model") / "model.safetensors").read_bytes() == b"weights"


def test_the_token_is_sent(server, monkeypatch):
    server.files["org/model", "main"] = NEEDED
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    resolve("org/model")
    asked = [token for _, path, token in server.requests if path != "/"]
    assert asked
    assert set(asked) == {"Bearer hf_secret"}


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("org/absent", "not_found", "no such repository, or it is private"),
        ("org/model@v9", "not_found", "no revision 'v9'"),
        ("org/gated", "gated", "accept its terms"),
        ("org/private", "not_found", "set HF_TOKEN"),
        ("org/forbidden", "not_found", "set HF_TOKEN"),
        ("org/down", "unreachable", "answered 500"),
        ("org/data", "not_an_encoder", "it has data.csv"),
    ],
)
def test_what_the_hub_refuses_is_said(server, monkeypatch, source, code, says):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the hub's client waits between attempts
    server.files["org/model", "main"] = NEEDED
    server.files["org/data", "main"] = {"data.csv": b""}
    server.refused |= {"org/gated": (403, "GatedRepo"), "org/private": (401, ""), "org/forbidden": (403, "")}
    server.refused["org/down"] = (500, "")
    with pytest.raises(UserError, match=says) as caught:
        resolve(source)
    assert caught.value.code == code
    assert "\n" not in caught.value.message


def test_offline_says_what_was_tried(server, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="HF_HUB_OFFLINE") as caught:
        resolve("org/model")
    assert caught.value.code == "offline"
    assert "bundled" in caught.value.message
    assert "local cache" in caught.value.message
    assert not server.requests


def test_an_unreachable_hub_is_said_at_once(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(UserError, match="cannot be reached") as caught:
        resolve("org/model")
    assert time.monotonic() - started < 3
    assert caught.value.code == "unreachable"


def test_a_silent_hub_is_said_within_three_seconds(server, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(UserError, match="cannot be reached"):
            resolve("org/model")
        assert time.monotonic() - started < 3


def test_no_folder_and_no_hub_name(server, tmp_path):
    (tmp_path / "my-model").mkdir()
    (tmp_path / "weights.bin").touch()
    with pytest.raises(UserError, match=r"Did you mean .*my-model") as caught:
        resolve(f"{tmp_path}/my-modle")
    assert caught.value.code == "not_found"
    with pytest.raises(UserError, match="a file, not a folder"):
        resolve(tmp_path / "weights.bin")
    assert not server.requests


def test_a_cache_that_cannot_be_written_is_said(server, tmp_path, monkeypatch):
    server.files["org/model", "main"] = NEEDED
    (tmp_path / "blocked").touch()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "blocked"))
    with pytest.raises(UserError, match="cannot write") as caught:
        resolve("org/model")
    assert caught.value.code == "not_a_folder"
