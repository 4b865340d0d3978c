"""The second spelling of the families: the names of their authors' TensorFlow code, which bert4keras writes too.

google-research/bert, /albert and /electra; SimBERT, RoFormer and WoBERT (ZhuiyiTechnology) bear BERT's
names, factorised embeddings are projected under ALBERT's, and RoFormer has no position table.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import Field

from bertsmith.encoder.families.albert import ALBERT
from bertsmith.encoder.families.bert import BERT
from bertsmith.encoder.families.electra import ELECTRA
from bertsmith.encoder.families.roformer import ROFORMER
from bertsmith.encoder.naming import Family
from bertsmith.errors import UserError

Part = Literal["discriminator", "generator"]
"""ELECTRA keeps two encoders in one checkpoint."""

KERNEL = "kernel"
"""The leaf of matrices that are stored as inputs by outputs, and transposed on the way."""
_LEAVES = {KERNEL: "weight", "gamma": "weight", "bias": "bias", "beta": "bias"}
_SLOT = re.compile(r"/(adam_[mv]|lamb_[mv]|Adam(_1)?|Momentum|ExponentialMovingAverage)$")
_COUNTERS = re.compile(r"(global_step|beta[12]_power|good_steps|loss_scale|.*/(global_step|local_step))(_\d+)?$")


class Original(Family):
    """A family as TensorFlow spells it: slashes, tables that are tensors themselves, values that mean another thing."""

    values: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    """What a value of their config is called elsewhere, since their code computes it so."""

    def parted(self, name: str) -> tuple[str, str]:
        """Take the leaf off; a table has none."""
        module, _, leaf = name.rpartition("/")
        return (module, _LEAVES[leaf]) if leaf in _LEAVES else (name, "weight")

    def joined(self, ours: str, theirs: str, leaf: str) -> str:
        """Put the leaf back."""
        if ours.endswith(".norm"):
            return f"{theirs}/{'gamma' if leaf == 'weight' else 'beta'}"
        is_table = ours.startswith("embeddings.") and ours != "embeddings.projection"
        return theirs if is_table else f"{theirs}/{KERNEL if leaf == 'weight' else leaf}"

    def translated(self, raw: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Their config in the words of Hugging Face, and what was changed."""
        changed = {key: names[raw[key]] for key, names in self.values.items() if raw.get(key) in names}
        notes = (f"{key} {raw[key]!r} means {value!r} in the authors' code" for key, value in changed.items())
        return {**raw, **changed, "model_type": self.model_types[0]}, tuple(notes)


def is_slot(name: str) -> bool:
    """Whether a variable belongs to the optimizer, or only counts steps."""
    return _SLOT.search(name) is not None or _COUNTERS.fullmatch(name) is not None


def original_of(names: Collection[str], part: Part, where: str) -> Original:
    """The spelling that the names of a checkpoint show.

    Raises:
        UserError: they are of no code that is known.
    """
    if any(name.startswith(("electra/encoder/", "generator/encoder/")) for name in names):
        return ORIGINALS["electra" if part == "discriminator" else "generator"]
    if any("/encoder/transformer/group_0/" in name for name in names):
        return ORIGINALS["albert"]
    if any(name.endswith("/embeddings/word_embeddings") for name in names):
        _refuse_relatives(names, where)
        positions = any(name.endswith("/embeddings/position_embeddings") for name in names)
        return ORIGINALS["bert" if positions else "roformer"]
    written = "tf.train.Checkpoint (TensorFlow 2) wrote it" if any(".ATTRIBUTES" in name for name in names) else None
    shown = ", ".join(sorted(names)[:3]) or "nothing"
    raise UserError(
        f"{where}: its variables bear no names of BERT, ALBERT, ELECTRA, SimBERT, RoFormer or WoBERT "
        f"({written or f'found {shown}'}); only checkpoints with the names of the authors' TensorFlow 1 code are read",
        code="unknown_model_type",
        where=where,
    )


def _refuse_relatives(names: Collection[str], where: str) -> None:
    """Models that bear BERT's names and compute something else."""
    if any("layer_shared" in name or name.endswith("/word_embeddings_2") for name in names):
        raise UserError(
            f"{where}: an ALBERT of albert_zh, which projects tokens before it adds positions and is not computed "
            "here; take Google's Chinese ALBERT instead",
            code="unsupported_model",
            where=where,
        )


def _layer(scope: str) -> dict[str, str]:
    place = f"{scope}/layer_{{}}/"
    return {
        "attention.{}.query": place + "attention/self/query",
        "attention.{}.key": place + "attention/self/key",
        "attention.{}.value": place + "attention/self/value",
        "attention.{}.output": place + "attention/output/dense",
        "attention.{}.norm": place + "attention/output/LayerNorm",
        "feed_forward.{}.up": place + "intermediate/dense",
        "feed_forward.{}.down": place + "output/dense",
        "feed_forward.{}.norm": place + "output/LayerNorm",
    }


def _tables(scope: str) -> dict[str, str]:
    return {
        "embeddings.token": f"{scope}/word_embeddings",
        "embeddings.position": f"{scope}/position_embeddings",
        "embeddings.segment": f"{scope}/token_type_embeddings",
        "embeddings.norm": f"{scope}/LayerNorm",
    }


_GROUP = "bert/encoder/transformer/group_{}/inner_group_0/"
_PROJECTED = {**_tables("bert/embeddings"), "embeddings.projection": "bert/encoder/embedding_hidden_mapping_in"}
_HEADS = {
    "pooler.weight": "bert/pooler/dense/kernel",
    "pooler.bias": "bert/pooler/dense/bias",
    "mlm.dense.weight": "cls/predictions/transform/dense/kernel",
    "mlm.dense.bias": "cls/predictions/transform/dense/bias",
    "mlm.norm.weight": "cls/predictions/transform/LayerNorm/gamma",
    "mlm.norm.bias": "cls/predictions/transform/LayerNorm/beta",
    "mlm.bias": "cls/predictions/output_bias",
    "relation.weight": "cls/seq_relationship/output_weights",
    "relation.bias": "cls/seq_relationship/output_bias",
}


def _original(family: Family, **changes: Any) -> Original:
    return Original.model_validate({**dict(family), "prefixes": (), "aliases": {}, **changes})


ORIGINALS: dict[str, Original] = {
    "bert": _original(BERT, modules={**_PROJECTED, **_layer("bert/encoder")}, heads=_HEADS),
    "albert": _original(
        ALBERT,
        modules={
            **_PROJECTED,
            "attention.{}.query": _GROUP + "attention_1/self/query",
            "attention.{}.key": _GROUP + "attention_1/self/key",
            "attention.{}.value": _GROUP + "attention_1/self/value",
            "attention.{}.output": _GROUP + "attention_1/output/dense",
            "attention.{}.norm": _GROUP + "LayerNorm",
            "feed_forward.{}.up": _GROUP + "ffn_1/intermediate/dense",
            "feed_forward.{}.down": _GROUP + "ffn_1/intermediate/output/dense",
            "feed_forward.{}.norm": _GROUP + "LayerNorm_1",
        },
        heads=_HEADS,
        values={"hidden_act": {"gelu": "gelu_new"}},
    ),
    "electra": _original(
        ELECTRA,
        modules={
            **_tables("electra/embeddings"),
            "embeddings.projection": "electra/embeddings_project",
            **_layer("electra/encoder"),
        },
        heads={
            "rtd.dense.weight": "discriminator_predictions/dense/kernel",
            "rtd.dense.bias": "discriminator_predictions/dense/bias",
            "rtd.output.weight": "discriminator_predictions/dense_1/kernel",
            "rtd.output.bias": "discriminator_predictions/dense_1/bias",
        },
    ),
    "generator": _original(
        ELECTRA,
        modules={
            **_tables("electra/embeddings"),
            "embeddings.projection": "generator/embeddings_project",
            **_layer("generator/encoder"),
        },
        heads={
            "mlm.dense.weight": "generator_predictions/dense/kernel",
            "mlm.dense.bias": "generator_predictions/dense/bias",
            "mlm.norm.weight": "generator_predictions/LayerNorm/gamma",
            "mlm.norm.bias": "generator_predictions/LayerNorm/beta",
            "mlm.bias": "generator_predictions/output_bias",
        },
        aliases={"generator/embeddings/": "electra/embeddings/"},
    ),
    "roformer": _original(
        ROFORMER,
        modules={
            name: theirs
            for name, theirs in {**_PROJECTED, **_layer("bert/encoder")}.items()
            if name != "embeddings.position"
        },
        heads=_HEADS,
        aliases={"roformer/": "bert/"},
    ),
}
"""Every spelling; `generator` is ELECTRA's other encoder."""

OTHER_PART = {
    "electra": ("generator/", "generator_predictions/"),
    "generator": ("electra/encoder/", "electra/embeddings_project/", "discriminator_predictions/"),
}
"""What belongs to the encoder that is not asked for."""
