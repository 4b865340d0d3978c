"""Operations that a piece of work needs, counted from shapes and lengths: the numerator of utilisation.

Only matrix products, a multiplication and an addition each counted; nothing for padding, normalisation or dropout, so
that a system gets no credit for work nobody asked for. A backward pass counts twice its forward pass.
"""

from collections.abc import Mapping
from typing import Any

BACKWARD = 2


def encoder_operations(config: Mapping[str, Any], *, tokens: int, squares: int) -> int:
    """One forward pass over texts with so many tokens; `squares` is the sum of their squared lengths.

    A layer multiplies a token by 4·h² + 2·h·f weights, and two tokens of a text 2·h times (scores and values).
    """
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    weights = 4 * hidden * hidden + 2 * hidden * inner
    return config["num_hidden_layers"] * (2 * weights * tokens + 4 * hidden * squares)


def vocabulary_operations(config: Mapping[str, Any], *, tokens: int) -> int:
    """The head over the vocabulary for so many tokens: a dense layer to the width of the table, and the table."""
    width = config.get("embedding_size", config["hidden_size"])
    return tokens * 2 * width * (config["hidden_size"] + config["vocab_size"])


def amount_of(
    task: str, config: Mapping[str, Any], facts: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, float]:
    """What a round of a task does: texts, real tokens, operations (or those of a token)."""
    if task in ("encode", "curve", "sts"):
        return once(config, facts, times=1)
    if task in ("finetune", "tagging"):
        return trained(config, facts, times=options["epochs"])
    if task == "simcse":
        return {**trained(config, facts, times=2), "texts": facts["texts"]}
    if task == "pretrain":
        return {"operations_per_token": pretraining_per_token(config, options)}
    if task == "generate":
        return written(config, facts, options)
    if task == "search":
        return {"texts": facts["texts"]}
    return {}


def once(config: Mapping[str, Any], facts: Mapping[str, Any], *, times: int) -> dict[str, float]:
    """Forward passes over all texts."""
    operations = encoder_operations(config, tokens=facts["tokens"], squares=facts["squares"])
    per_token = operations / facts["tokens"] if facts["tokens"] else 0.0
    return {
        "texts": times * facts["texts"],
        "tokens": times * facts["tokens"],
        "operations": times * operations,
        "operations_per_token": per_token,
    }


def trained(config: Mapping[str, Any], facts: Mapping[str, Any], *, times: int) -> dict[str, float]:
    """Passes there and back over all texts."""
    found = once(config, facts, times=times)
    return {**found, "operations": (1 + BACKWARD) * found["operations"]}


def written(config: Mapping[str, Any], facts: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, float]:
    """Sources read once, then every token of every sample once: it looks at its source and at what stands before it."""
    samples, target = options["samples"], options["target"]
    tokens = facts["texts"] * samples * target
    seen = samples * target * facts["tokens"] + facts["texts"] * samples * target * (target + 1) // 2
    operations = encoder_operations(config, tokens=facts["tokens"], squares=facts["squares"])
    operations += encoder_operations(config, tokens=tokens, squares=seen)
    operations += vocabulary_operations(config, tokens=tokens)
    return {"texts": facts["texts"] * samples, "operations_per_token": operations / tokens}


def pretraining_per_token(config: Mapping[str, Any], options: Mapping[str, Any]) -> float:
    """Operations a token of full texts, there and back; the vocabulary is scored where tokens are hidden."""
    length, hidden_share = options["max_length"], options["masked"]
    per_token = encoder_operations(config, tokens=length, squares=length * length) / length
    writer = config
    if options["objective"] == "electra":
        writer = generator_config(config)
        per_token += encoder_operations(writer, tokens=length, squares=length * length) / length
    return (1 + BACKWARD) * (per_token + hidden_share * vocabulary_operations(writer, tokens=1))


def generator_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """ELECTRA's generator: a quarter as wide, with the encoder's table (Clark et al. 2020 §3.2)."""
    width = config["hidden_size"] // 4
    return {**config, "hidden_size": width, "intermediate_size": 4 * width, "embedding_size": config["hidden_size"]}
