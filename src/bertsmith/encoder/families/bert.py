"""BERT: also whole-word masking, MacBERT, SpanBERT, Chinese RoBERTa-wwm, WoBERT and SimBERT."""

from bertsmith.encoder.naming import Family

LAYER = {
    "attention.{}.query": "encoder.layer.{}.attention.self.query",
    "attention.{}.key": "encoder.layer.{}.attention.self.key",
    "attention.{}.value": "encoder.layer.{}.attention.self.value",
    "attention.{}.output": "encoder.layer.{}.attention.output.dense",
    "attention.{}.norm": "encoder.layer.{}.attention.output.LayerNorm",
    "feed_forward.{}.up": "encoder.layer.{}.intermediate.dense",
    "feed_forward.{}.down": "encoder.layer.{}.output.dense",
    "feed_forward.{}.norm": "encoder.layer.{}.output.LayerNorm",
}
EMBEDDINGS = {
    "embeddings.token": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.segment": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
}
POOLER = {"pooler.weight": "pooler.dense.weight", "pooler.bias": "pooler.dense.bias"}
PREDICTIONS = {
    "mlm.dense.weight": "cls.predictions.transform.dense.weight",
    "mlm.dense.bias": "cls.predictions.transform.dense.bias",
    "mlm.norm.weight": "cls.predictions.transform.LayerNorm.weight",
    "mlm.norm.bias": "cls.predictions.transform.LayerNorm.bias",
    "mlm.bias": "cls.predictions.bias",
    "mlm.decoder": "cls.predictions.decoder.weight",
}
RELATION = {"relation.weight": "cls.seq_relationship.weight", "relation.bias": "cls.seq_relationship.bias"}
FIELDS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "type_vocab_size": "type_vocab_size",
    "position.max_positions": "max_position_embeddings",
    "activation": "hidden_act",
    "layer_norm_eps": "layer_norm_eps",
    "hidden_dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "initializer_range": "initializer_range",
}
SHARING = {"distinct_layers": "distinct_layers", "share": "share"}
DEFAULTS = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "type_vocab_size": 2,
    "max_position_embeddings": 512,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
    "pad_token_id": 0,
}
FIXED = {
    "is_decoder": False,
    "is_encoder_decoder": False,
    "add_cross_attention": False,
    "position_embedding_type": "absolute",
    "pruned_heads": {},
    "rescale_embeddings": False,
}

BERT = Family(
    model_types=("bert",),
    prefixes=("bert.",),
    modules={**EMBEDDINGS, "embeddings.projection": "encoder.embedding_hidden_mapping_in", **LAYER},
    heads={**POOLER, **PREDICTIONS, **RELATION},
    aliases={
        "embeddings.embedding_hidden_mapping_in": "encoder.embedding_hidden_mapping_in",
        "embeddings_project": "encoder.embedding_hidden_mapping_in",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    fields={**FIELDS, **SHARING, "embedding_size": "embedding_size"},
    defaults=DEFAULTS,
    fixed=FIXED,
    architectures={
        "": "BertModel",
        "mlm": "BertForMaskedLM",
        "mlm+relation": "BertForPreTraining",
        "relation": "BertForNextSentencePrediction",
    },
    foreign="transformers has no BERT with factorised embeddings (SimBERT-small, -tiny); bertsmith can load it",
)
