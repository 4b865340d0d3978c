"""Original checkpoints become encoders: each number in its place, as a second computation in numpy shows."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bertsmith.batch import Example, pack
from bertsmith.encoder import Rotary, load_checkpoint, read_config, save_checkpoint
from bertsmith.encoder.families.tensorflow import ORIGINALS, is_slot
from bertsmith.encoder.hub import resolve
from bertsmith.encoder.original import find_bundle, load_original
from bertsmith.encoder.tensorbundle import TensorBundle
from bertsmith.errors import UserError

from . import layouts, oracle

FIXTURES = Path(__file__).parent / "fixtures"
IDS, SEGMENTS = [2, 9, 14, 30, 3, 21, 3], [0, 0, 0, 0, 0, 1, 1]


def ours(checkpoint) -> np.ndarray:
    example = Example(np.array(IDS, dtype=np.int32), np.array(SEGMENTS, dtype=np.int32))
    with torch.inference_mode():
        return checkpoint.encoder(pack([example]))[-1].numpy()


def variables(name: str) -> dict[str, np.ndarray]:
    return {each: layouts.numbers(each, shape) for each, shape in layouts.variables(name).items()}


@pytest.mark.parametrize("name", ["bert", "simbert", "albert", "electra"])
def test_hidden_states_equal_the_authors_arithmetic(name):
    converted = load_original(find_bundle(FIXTURES / name))
    scope = "electra" if name == "electra" else "bert"
    expected = oracle.hidden_states(variables(name), layouts.CONFIGS[name], IDS, SEGMENTS, scope=scope)
    np.testing.assert_allclose(ours(converted.checkpoint), expected, atol=2e-5)


def test_the_generator_of_electra_is_the_other_encoder():
    converted = load_original(find_bundle(FIXTURES / "electra"), part="generator")
    expected = oracle.hidden_states(variables("electra"), layouts.GENERATOR, IDS, SEGMENTS, scope="generator")
    np.testing.assert_allclose(ours(converted.checkpoint), expected, atol=2e-5)
    assert set(converted.checkpoint.heads) == {"mlm"}
    assert converted.other_part == 38


@pytest.mark.parametrize(
    ("name", "heads", "slots"),
    [
        ("bert", {"pooler", "mlm", "relation"}, 9),
        ("simbert", {"pooler", "mlm"}, 0),
        ("roformer", {"pooler", "mlm"}, 0),
        ("albert", {"pooler", "mlm", "relation"}, 0),
        ("electra", {"rtd"}, 0),
    ],
)
def test_heads_are_kept_and_slots_counted(name, heads, slots):
    converted = load_original(find_bundle(FIXTURES / name))
    assert set(converted.checkpoint.heads) == heads
    assert converted.slots == slots
    assert converted.checkpoint.report.unexpected == ()
    total = len(layouts.variables(name))
    assert converted.variables == total + slots


def test_heads_by_hand():
    heads = load_original(find_bundle(FIXTURES / "bert")).checkpoint.heads
    for head, part, variable, shape, turned in (
        ("pooler", "weight", "bert/pooler/dense/kernel", (12, 12), True),
        ("relation", "weight", "cls/seq_relationship/output_weights", (2, 12), False),
        ("mlm", "dense.weight", "cls/predictions/transform/dense/kernel", (12, 12), True),
        ("mlm", "norm.bias", "cls/predictions/transform/LayerNorm/beta", (12,), False),
        ("mlm", "bias", "cls/predictions/output_bias", (len(layouts.VOCAB),), False),
    ):
        values = layouts.numbers(variable, shape)
        np.testing.assert_array_equal(heads[head][part].numpy(), values.T if turned else values)


def test_roformer_is_known_by_its_lack_of_positions():
    converted = load_original(find_bundle(FIXTURES / "roformer"))
    assert converted.checkpoint.family == "roformer"
    assert isinstance(converted.checkpoint.encoder.config.position, Rotary)
    assert "no position table: read as RoFormer, positions are rotated" in converted.checkpoint.report.notes


def test_albert_gelu_is_the_tanh_form():
    converted = load_original(find_bundle(FIXTURES / "albert"))
    assert converted.checkpoint.encoder.config.activation == "gelu_tanh"
    assert any("gelu_new" in note for note in converted.checkpoint.report.notes)


@pytest.mark.parametrize("name", ["bert", "simbert", "roformer", "albert", "electra"])
def test_saved_and_loaded_it_is_the_same(name, tmp_path):
    checkpoint = load_original(find_bundle(FIXTURES / name)).checkpoint
    save_checkpoint(
        tmp_path,
        checkpoint.encoder,
        family=checkpoint.family,
        heads=checkpoint.heads,
        config_extras=checkpoint.config_extras,
    )
    again = load_checkpoint(tmp_path)
    assert again.encoder.config == checkpoint.encoder.config
    for key, tensor in checkpoint.encoder.state_dict().items():
        assert torch.equal(tensor, again.encoder.state_dict()[key])
    assert {head: set(parts) for head, parts in again.heads.items()} == {
        head: set(parts) for head, parts in checkpoint.heads.items()
    }


@pytest.mark.parametrize("spelling", ORIGINALS)
def test_names_are_one_to_one(spelling):
    family = ORIGINALS[spelling]
    for mine in family.modules:
        for leaf in ("weight",) if mine in TABLES else ("weight", "bias"):
            ours = f"{mine.format(1)}.{leaf}"
            assert family.ours(family.theirs(ours)) == ours
    for ours in family.heads:
        assert family.ours(family.theirs(ours)) == ours


TABLES = ("embeddings.token", "embeddings.segment", "embeddings.position")


def test_slots_are_told_from_weights():
    for name in (
        "a/kernel/adam_m",
        "a/kernel/adam_v",
        "a/Adam",
        "a/Adam_1",
        "global_step",
        "beta1_power",
        "loss_scale",
    ):
        assert is_slot(name)
    for name in ("bert/pooler/dense/kernel", "adam_model/kernel", "cls/predictions/output_bias", "a/steps"):
        assert not is_slot(name)


# What is meant by a path, and what is refused.


@pytest.mark.parametrize(
    "path", ["", "bert_model.ckpt", "bert_model.ckpt.index", "bert_model.ckpt.data-00001-of-00004"]
)
def test_a_checkpoint_by_any_of_its_names(path):
    assert find_bundle(FIXTURES / "bert" / path) == FIXTURES / "bert" / "bert_model.ckpt"


def test_folders_without_or_with_several(tmp_path):
    with pytest.raises(UserError, match=r"there is no \*.index"):
        find_bundle(tmp_path)
    with pytest.raises(UserError, match="neither a folder nor the beginning"):
        find_bundle(tmp_path / "nothing")
    for path in (FIXTURES / "simbert").iterdir():
        shutil.copy(path, tmp_path / path.name)
        shutil.copy(path, tmp_path / path.name.replace("bert_model", "other_model"))
    with pytest.raises(UserError, match=r"several checkpoints \(bert_model.ckpt, other_model.ckpt\); name one"):
        find_bundle(tmp_path)


@pytest.mark.parametrize("load", [load_checkpoint, read_config])
def test_loading_one_directly_names_the_converter(load, tmp_path):
    with pytest.raises(UserError, match=r"bertsmith convert --from .*bert --out DIR") as caught:
        load(FIXTURES / "bert")
    assert caught.value.code == "tensorflow_checkpoint"
    with pytest.raises(UserError, match="bertsmith convert --from"):
        resolve(str(FIXTURES / "bert" / "bert_model.ckpt"))


@pytest.fixture
def copy(tmp_path) -> Path:
    shutil.copytree(FIXTURES / "bert", tmp_path / "bert")
    return tmp_path / "bert"


def test_without_a_config_the_weights_are_not_enough(copy):
    (copy / "bert_config.json").unlink()
    with pytest.raises(UserError, match="how many attention heads") as caught:
        load_original(find_bundle(copy))
    assert "--set settings.num_attention_heads=N" in caught.value.message
    assert "num_hidden_layers 2" in caught.value.message
    assert "intermediate_size 20" in caught.value.message
    sizes = {key: value for key, value in layouts.SIZES.items() if isinstance(value, int)}
    converted = load_original(find_bundle(copy), settings=sizes)
    assert converted.checkpoint.encoder.config.num_heads == 3


def test_another_config_is_refused(copy):
    config = json.loads((copy / "bert_config.json").read_text())
    (copy / "bert_config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(
        UserError, match=r"lack 16 of the encoder's .* bert/encoder/layer_2/attention/self/query/kernel"
    ):
        load_original(find_bundle(copy))
    (copy / "bert_config.json").write_text(json.dumps({**config, "intermediate_size": 24}))
    with pytest.raises(UserError, match=r"layer_0/intermediate/dense/kernel has shape \[20, 12\]"):
        load_original(find_bundle(copy))


def test_nezha_and_albert_zh_and_strangers_are_refused(copy, tmp_path, monkeypatch):
    raw = {**layouts.CONFIGS["roformer"], "use_relative_position": True}
    path = tmp_path / "nezha.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(UserError, match="NEZHA"):
        load_original(find_bundle(FIXTURES / "roformer"), config=path)
    for names, match in (
        (["bert/embeddings/word_embeddings", "bert/encoder/layer_shared/output/dense/kernel"], "albert_zh"),
        (["model/layer/.ATTRIBUTES/VARIABLE_VALUE"], "TensorFlow 2"),
        (["resnet/conv1/kernel"], "found resnet/conv1/kernel"),
    ):
        found = dict.fromkeys(names, TensorBundle(copy / "bert_model.ckpt").variables["global_step"])
        monkeypatch.setattr(TensorBundle, "variables", found)
        with pytest.raises(UserError, match=match):
            load_original(copy / "bert_model.ckpt")
        monkeypatch.undo()
