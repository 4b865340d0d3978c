"""What holds for every family: names one-to-one, outputs equal to transformers', files read back and forth."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from bertsmith.batch import pack
from bertsmith.encoder import load_checkpoint, save_checkpoint
from bertsmith.encoder.families import FAMILIES, family_of
from tests.encoder.samples import example

SIZES = {
    "vocab_size": 37,
    "hidden_size": 21,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "intermediate_size": 17,
    "max_position_embeddings": 31,
}
LENGTHS = (1, 2, 5, 13, 29)


@dataclass(frozen=True)
class Published:
    """A transformers class with a tiny config, and what its files hold that ours write otherwise."""

    architecture: str
    settings: dict[str, Any]
    rewritten: tuple[str, ...] = ()

    def model(self) -> Any:
        """The model with random weights, large enough that every tensor matters."""
        kind = getattr(transformers, self.architecture)
        model = kind(kind.config_class(**{**SIZES, **self.settings}))
        generator = torch.Generator().manual_seed(7)
        for name, parameter in model.named_parameters():
            if "embed_positions" not in name:
                parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
        return model.eval()


ROBERTA_ROWS = ("embeddings.position_embeddings.weight",)
TASK_ROWS = ("embeddings.token_type_embeddings.weight", "embeddings.task_type_embeddings.weight")
ELECTRA = {"embedding_size": 11}
ROFORMER = {"hidden_size": 30, "embedding_size": 11}
ROBERTA = {"pad_token_id": 1}
XLMR = {"type_vocab_size": 1, "pad_token_id": 1}
CASES = [
    Published("BertModel", {}),
    Published("BertForPreTraining", {"hidden_act": "relu", "type_vocab_size": 3}),
    Published("BertForMaskedLM", {"layer_norm_eps": 1e-3}),
    Published("BertForSequenceClassification", {"num_labels": 5}),
    Published("RobertaModel", ROBERTA, ROBERTA_ROWS),
    Published("RobertaForMaskedLM", ROBERTA, ROBERTA_ROWS),
    Published("RobertaForSequenceClassification", {"pad_token_id": 3, "max_position_embeddings": 37}, ROBERTA_ROWS),
    Published("XLMRobertaModel", XLMR, ROBERTA_ROWS),
    Published("CamembertForMaskedLM", ROBERTA, ROBERTA_ROWS),
    Published("AlbertModel", ELECTRA),
    Published("AlbertForPreTraining", {"embedding_size": 11, "num_hidden_groups": 2}),
    Published("AlbertForMaskedLM", {"embedding_size": 21, "num_hidden_groups": 4, "hidden_act": "gelu"}),
    Published("ElectraModel", {"embedding_size": 21}),
    Published("ElectraForPreTraining", ELECTRA),
    Published("ElectraForMaskedLM", ELECTRA),
    Published("ErnieModel", {}),
    Published("ErnieForPreTraining", {"use_task_id": True, "task_type_vocab_size": 3}, TASK_ROWS),
    Published("RoFormerModel", {"hidden_size": 30}),
    Published("RoFormerForMaskedLM", ROFORMER),
    Published("RoFormerForMaskedLM", {**ROFORMER, "rotary_value": True, "hidden_act": "silu"}),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case.architecture}-{len(case.settings)}")
def published(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    model = request.param.model()
    model.save_pretrained(folder)
    return request.param, model, folder


def texts(model: Any) -> list[Any]:
    return [example(length, segments=model.config.type_vocab_size) for length in LENGTHS]


def run(model: Any, text: Any) -> Any:
    ids, segments = (torch.from_numpy(array)[None] for array in (text.token_ids, text.segment_ids))
    ids = torch.where(ids == model.config.pad_token_id, 7, ids)
    with torch.no_grad():
        return model(input_ids=ids, token_type_ids=segments, output_hidden_states=True)


def ours(encoder: Any, text: Any, pad: int) -> Any:
    batch = pack([text])
    batch.token_ids[batch.token_ids == pad] = 7
    with torch.no_grad():
        return encoder.eval()(batch, keep_layers=range(encoder.config.num_layers + 1))


def test_every_family_is_tried():
    tried = {getattr(transformers, case.architecture).config_class.model_type for case in CASES}
    assert tried == {name for family in FAMILIES for name in family.model_types}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.model_types[0])
def test_names_are_one_to_one(family):
    pairs = {**family.modules, **family.heads}
    assert len(set(pairs.values())) == len(pairs)
    for name in [f"{module.format(3)}.weight" for module in family.modules] + list(family.heads):
        assert family.ours(family.theirs(name)) == name
        assert family.ours(family.prefixes[0] + family.theirs(name)) == name


def test_hidden_states_equal(published):
    _, model, folder = published
    checkpoint = load_checkpoint(folder)
    for text in texts(model):
        theirs = run(model, text).hidden_states
        states = ours(checkpoint.encoder, text, model.config.pad_token_id)
        assert len(theirs) == len(states)
        for layer, expected in enumerate(theirs):
            assert_close(states[layer], expected[0], rtol=0.0, atol=1e-5)


def test_saving_what_was_loaded_gives_the_same_tensors(published, tmp_path):
    case, _, folder = published
    checkpoint = load_checkpoint(folder)
    save_again(checkpoint, tmp_path)
    before, after = (load_file(path / "model.safetensors") for path in (folder, tmp_path))
    for name in before.keys() | after.keys():
        if not name.endswith(case.rewritten):
            assert torch.equal(before[name], after[name]), name


def test_saving_twice_gives_the_same_bytes(published, tmp_path):
    checkpoint = load_checkpoint(published[2])
    save_again(checkpoint, tmp_path / "once")
    save_again(load_checkpoint(tmp_path / "once"), tmp_path / "twice")
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


def test_transformers_loads_what_we_save(published, tmp_path):
    _, model, folder = published
    checkpoint = load_checkpoint(folder)
    save_again(checkpoint, tmp_path)
    again, told = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    auto = transformers.AutoModel.from_pretrained(tmp_path).eval()
    for text in texts(model):
        left, right, plain = run(model, text), run(again.eval(), text), run(auto, text)
        for name, value in left.items():
            assert_close(right[name], value, rtol=0.0, atol=1e-5)
        assert_close(plain.last_hidden_state, left.hidden_states[-1], rtol=0.0, atol=1e-5)


def test_the_architecture_is_named_after_the_heads(published, tmp_path):
    _, model, folder = published
    checkpoint = load_checkpoint(folder)
    if checkpoint.report.unexpected:
        return
    save_again(checkpoint, tmp_path)
    (name,) = json.loads((tmp_path / "config.json").read_text())["architectures"]
    shown = {"XLMRobertaModel": "RobertaModel", "CamembertForMaskedLM": "RobertaForMaskedLM"}
    assert name == shown.get(type(model).__name__, type(model).__name__)


def test_old_names_and_missing_prefixes_are_read(published, tmp_path):
    _, _, folder = published
    tensors = load_file(folder / "model.safetensors")
    prefix = family_of(json.loads((folder / "config.json").read_text())["model_type"]).prefixes[0]
    renamed = {old_name(name.removeprefix(prefix)): tensor for name, tensor in tensors.items()}
    save_file(renamed, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    left, right = load_checkpoint(folder), load_checkpoint(tmp_path)
    assert left.report.found == right.report.found
    for name, tensor in left.encoder.state_dict().items():
        assert torch.equal(tensor, right.encoder.state_dict()[name])


def old_name(name: str) -> str:
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def save_again(checkpoint: Any, folder: Path) -> None:
    save_checkpoint(
        folder,
        checkpoint.encoder,
        family=checkpoint.family,
        heads=checkpoint.heads,
        config_extras=checkpoint.config_extras,
    )
