"""BERT and ALBERT in numpy, on variables as their authors' code names and multiplies them: inputs times kernels."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import erf

Variables = Mapping[str, np.ndarray]


def hidden_states(
    variables: Variables, config: Mapping, ids: list[int], segments: list[int], *, scope: str = "bert"
) -> np.ndarray:
    """The output of the last layer for one text."""
    gelu = _tanh_gelu if "bert/encoder/transformer/group_0/inner_group_0/LayerNorm/beta" in variables else _erf_gelu
    tables = "electra/embeddings" if scope in ("electra", "generator") else "bert/embeddings"
    states = variables[f"{tables}/word_embeddings"][ids] + variables[f"{tables}/token_type_embeddings"][segments]
    states = states + variables[f"{tables}/position_embeddings"][: len(ids)]
    states = _norm(states, variables, f"{tables}/LayerNorm")
    for projection in (f"{scope}/encoder/embedding_hidden_mapping_in", f"{scope}/embeddings_project"):
        if f"{projection}/kernel" in variables:
            states = _dense(states, variables, projection)
    for layer in range(config["num_hidden_layers"]):
        states = _layer(states, variables, config["num_attention_heads"], f"{scope}/encoder", layer, gelu)
    return states


def _layer(states: np.ndarray, variables: Variables, heads: int, scope: str, layer: int, gelu: Callable) -> np.ndarray:
    shared = f"{scope}/transformer/group_0/inner_group_0"
    if f"{shared}/LayerNorm/beta" in variables:
        names = (f"{shared}/attention_1", f"{shared}/LayerNorm", f"{shared}/ffn_1/intermediate")
        down, last = f"{shared}/ffn_1/intermediate/output/dense", f"{shared}/LayerNorm_1"
    else:
        place = f"{scope}/layer_{layer}"
        names = (f"{place}/attention", f"{place}/attention/output/LayerNorm", f"{place}/intermediate")
        down, last = f"{place}/output/dense", f"{place}/output/LayerNorm"
    attention, norm, up = names
    query, key, value = (
        _dense(states, variables, f"{attention}/self/{part}").reshape(len(states), heads, -1)
        for part in ("query", "key", "value")
    )
    scores = np.einsum("qhs,khs->hqk", query, key) / np.sqrt(query.shape[-1])
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    mixed = np.einsum("hqk,khs->qhs", shares, value).reshape(states.shape)
    states = _norm(states + _dense(mixed, variables, f"{attention}/output/dense"), variables, norm)
    wide = gelu(_dense(states, variables, f"{up}/dense"))
    return _norm(states + _dense(wide, variables, down), variables, last)


def _dense(values: np.ndarray, variables: Variables, name: str) -> np.ndarray:
    return values @ variables[f"{name}/kernel"].astype(np.float64) + variables[f"{name}/bias"]


def _norm(values: np.ndarray, variables: Variables, name: str) -> np.ndarray:
    values = values.astype(np.float64)
    centred = values - values.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
    return scaled * variables[f"{name}/gamma"] + variables[f"{name}/beta"]


def _erf_gelu(values: np.ndarray) -> np.ndarray:
    return values * 0.5 * (1 + erf(values / np.sqrt(2)))


def _tanh_gelu(values: np.ndarray) -> np.ndarray:
    return values * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3)))
