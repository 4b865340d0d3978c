"""The variables of tiny checkpoints in the names of their authors' code, with numbers that follow from the name.

Needs numpy only: `make_fixtures.py` lets TensorFlow write them, the tests compare what is read.
"""

import zlib
from collections.abc import Iterator

import numpy as np

VOCAB = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"我你他们在上下大小买卖退货款多久能到怎么办理？，。",
    *("a", "b", "c", "##a", "##b", "##c", "the", "##s"),
]
WORDS = [*VOCAB, "退货", "退款", "怎么", "多久", "我们", "办理", "你们"]

SIZES = {
    "vocab_size": len(VOCAB),
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
}
CONFIGS = {
    "bert": SIZES,
    "albert": {
        **SIZES,
        "embedding_size": 6,
        "num_hidden_groups": 1,
        "inner_group_num": 1,
        "net_structure_type": 0,
        "num_memory_blocks": 0,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    },
    "simbert": {**SIZES, "embedding_size": 6},
    "electra": {**SIZES, "embedding_size": 6},
    "roformer": {**SIZES, "vocab_size": len(WORDS), "embedding_size": 12},
}
GENERATOR = {**CONFIGS["electra"], "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 10}
"""The smaller encoder in the same checkpoint; its tables are the discriminator's."""

Shape = tuple[int, ...]


def numbers(name: str, shape: Shape, dtype: str = "float32") -> np.ndarray:
    """Numbers between -0.1 and 0.1, exact everywhere; whole ones for integers."""
    places = np.arange(int(np.prod(shape)), dtype=np.int64)
    whole = (places * 2654435761 + zlib.crc32(name.encode())) % 2001 - 1000
    values = whole if dtype.startswith("int") else whole / 10000
    return values.astype(dtype).reshape(shape)


def variables(layout: str) -> dict[str, Shape]:
    """Names and shapes of one checkpoint, optimizer slots left out."""
    return dict(_LAYOUTS[layout]())


def _dense(name: str, inner: int, outer: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}/kernel", (inner, outer)
    yield f"{name}/bias", (outer,)


def _norm(name: str, size: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}/beta", (size,)
    yield f"{name}/gamma", (size,)


def _tables(scope: str, config: dict, *, positions: bool = True) -> Iterator[tuple[str, Shape]]:
    width = config.get("embedding_size", config["hidden_size"])
    yield f"{scope}/word_embeddings", (config["vocab_size"], width)
    yield f"{scope}/token_type_embeddings", (config["type_vocab_size"], width)
    if positions:
        yield f"{scope}/position_embeddings", (config["max_position_embeddings"], width)
    yield from _norm(f"{scope}/LayerNorm", width)


def _layers(scope: str, config: dict) -> Iterator[tuple[str, Shape]]:
    size, wide = config["hidden_size"], config["intermediate_size"]
    for layer in range(config["num_hidden_layers"]):
        place = f"{scope}/layer_{layer}"
        for part in ("query", "key", "value"):
            yield from _dense(f"{place}/attention/self/{part}", size, size)
        yield from _dense(f"{place}/attention/output/dense", size, size)
        yield from _norm(f"{place}/attention/output/LayerNorm", size)
        yield from _dense(f"{place}/intermediate/dense", size, wide)
        yield from _dense(f"{place}/output/dense", wide, size)
        yield from _norm(f"{place}/output/LayerNorm", size)


def _heads(config: dict, *, relation: bool) -> Iterator[tuple[str, Shape]]:
    size, width = config["hidden_size"], config.get("embedding_size", config["hidden_size"])
    yield from _dense("bert/pooler/dense", size, size)
    yield from _dense("cls/predictions/transform/dense", size, width)
    yield from _norm("cls/predictions/transform/LayerNorm", width)
    yield "cls/predictions/output_bias", (config["vocab_size"],)
    if relation:
        yield "cls/seq_relationship/output_weights", (2, size)
        yield "cls/seq_relationship/output_bias", (2,)


def _bert() -> Iterator[tuple[str, Shape]]:
    yield from _tables("bert/embeddings", CONFIGS["bert"])
    yield from _layers("bert/encoder", CONFIGS["bert"])
    yield from _heads(CONFIGS["bert"], relation=True)


def _simbert() -> Iterator[tuple[str, Shape]]:
    yield from _tables("bert/embeddings", CONFIGS["simbert"])
    yield from _dense("bert/encoder/embedding_hidden_mapping_in", 6, 12)
    yield from _layers("bert/encoder", CONFIGS["simbert"])
    yield from _heads(CONFIGS["simbert"], relation=False)


def _roformer() -> Iterator[tuple[str, Shape]]:
    yield from _tables("bert/embeddings", CONFIGS["roformer"], positions=False)
    yield from _layers("bert/encoder", CONFIGS["roformer"])
    yield from _heads(CONFIGS["roformer"], relation=False)


def _albert() -> Iterator[tuple[str, Shape]]:
    yield from _tables("bert/embeddings", CONFIGS["albert"])
    yield from _dense("bert/encoder/embedding_hidden_mapping_in", 6, 12)
    place = "bert/encoder/transformer/group_0/inner_group_0"
    for part in ("query", "key", "value"):
        yield from _dense(f"{place}/attention_1/self/{part}", 12, 12)
    yield from _dense(f"{place}/attention_1/output/dense", 12, 12)
    yield from _norm(f"{place}/LayerNorm", 12)
    yield from _dense(f"{place}/ffn_1/intermediate/dense", 12, 20)
    yield from _dense(f"{place}/ffn_1/intermediate/output/dense", 20, 12)
    yield from _norm(f"{place}/LayerNorm_1", 12)
    yield from _heads(CONFIGS["albert"], relation=True)


def _electra() -> Iterator[tuple[str, Shape]]:
    yield from _tables("electra/embeddings", CONFIGS["electra"])
    yield from _dense("electra/embeddings_project", 6, 12)
    yield from _layers("electra/encoder", CONFIGS["electra"])
    yield from _dense("discriminator_predictions/dense", 12, 12)
    yield from _dense("discriminator_predictions/dense_1", 12, 1)
    yield from _dense("generator/embeddings_project", 6, 8)
    yield from _layers("generator/encoder", GENERATOR)
    yield from _dense("generator_predictions/dense", 8, 6)
    yield from _norm("generator_predictions/LayerNorm", 6)
    yield "generator_predictions/output_bias", (len(VOCAB),)


_LAYOUTS = {"bert": _bert, "simbert": _simbert, "roformer": _roformer, "albert": _albert, "electra": _electra}

DTYPES = {
    "single": ("float32", (3, 2)),
    "double": ("float64", (2, 2)),
    "half": ("float16", (5,)),
    "brain": ("bfloat16", (4, 3)),
    "count": ("int32", (3,)),
    "step": ("int64", ()),
    "nothing": ("float32", (0, 4)),
}
"""A checkpoint of one variable for each type; `wide` and `long` beside them are partitioned, by columns and by rows."""

PARTITIONED = {"wide": ((3, 200), 1), "long": ((300, 2), 0)}
"""Shape and the axis along which three parts are cut."""
