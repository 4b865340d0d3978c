"""ALBERT: factorised embeddings, weights numbered by group of layers."""

from bertsmith.encoder.families.bert import BERT, DEFAULTS, EMBEDDINGS, FIELDS, FIXED

_LAYER = "encoder.albert_layer_groups.{}.albert_layers.0."

ALBERT = BERT.but(
    model_types=("albert",),
    prefixes=("albert.",),
    modules={
        **EMBEDDINGS,
        "embeddings.projection": "encoder.embedding_hidden_mapping_in",
        "attention.{}.query": _LAYER + "attention.query",
        "attention.{}.key": _LAYER + "attention.key",
        "attention.{}.value": _LAYER + "attention.value",
        "attention.{}.output": _LAYER + "attention.dense",
        "attention.{}.norm": _LAYER + "attention.LayerNorm",
        "feed_forward.{}.up": _LAYER + "ffn",
        "feed_forward.{}.down": _LAYER + "ffn_output",
        "feed_forward.{}.norm": _LAYER + "full_layer_layer_norm",
    },
    heads={
        "pooler.weight": "pooler.weight",
        "pooler.bias": "pooler.bias",
        "mlm.dense.weight": "predictions.dense.weight",
        "mlm.dense.bias": "predictions.dense.bias",
        "mlm.norm.weight": "predictions.LayerNorm.weight",
        "mlm.norm.bias": "predictions.LayerNorm.bias",
        "mlm.bias": "predictions.bias",
        "mlm.decoder": "predictions.decoder.weight",
        "relation.weight": "sop_classifier.classifier.weight",
        "relation.bias": "sop_classifier.classifier.bias",
    },
    aliases={"predictions.decoder.bias": "predictions.bias"},
    fields={**FIELDS, "embedding_size": "embedding_size", "distinct_layers": "num_hidden_groups"},
    defaults={
        **DEFAULTS,
        "vocab_size": 30000,
        "embedding_size": 128,
        "hidden_size": 4096,
        "num_attention_heads": 64,
        "intermediate_size": 16384,
        "num_hidden_groups": 1,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "bos_token_id": 2,
        "eos_token_id": 3,
    },
    fixed={**FIXED, "inner_group_num": 1, "net_structure_type": 0, "num_memory_blocks": 0},
    numbering="groups",
    projects="always",
    architectures={"": "AlbertModel", "mlm": "AlbertForMaskedLM", "mlm+relation": "AlbertForPreTraining"},
    foreign=None,
)
