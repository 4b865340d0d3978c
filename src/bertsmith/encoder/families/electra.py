"""ELECTRA: the discriminator (replaced tokens, `rtd`) and the generator (`mlm`), embeddings projected."""

from bertsmith.encoder.families.bert import BERT, DEFAULTS, EMBEDDINGS, FIELDS, LAYER, SHARING

ELECTRA = BERT.but(
    model_types=("electra",),
    prefixes=("electra.",),
    modules={**EMBEDDINGS, "embeddings.projection": "embeddings_project", **LAYER},
    heads={
        "rtd.dense.weight": "discriminator_predictions.dense.weight",
        "rtd.dense.bias": "discriminator_predictions.dense.bias",
        "rtd.output.weight": "discriminator_predictions.dense_prediction.weight",
        "rtd.output.bias": "discriminator_predictions.dense_prediction.bias",
        "mlm.dense.weight": "generator_predictions.dense.weight",
        "mlm.dense.bias": "generator_predictions.dense.bias",
        "mlm.norm.weight": "generator_predictions.LayerNorm.weight",
        "mlm.norm.bias": "generator_predictions.LayerNorm.bias",
        "mlm.bias": "generator_lm_head.bias",
        "mlm.decoder": "generator_lm_head.weight",
    },
    aliases={},
    fields={**FIELDS, **SHARING, "embedding_size": "embedding_size"},
    defaults={
        **DEFAULTS,
        "embedding_size": 128,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    architectures={"": "ElectraModel", "mlm": "ElectraForMaskedLM", "rtd": "ElectraForPreTraining"},
    foreign=None,
)
