"""RoFormer: no position table, queries and keys rotated in interleaved pairs."""

from bertsmith.encoder.edits import Sinusoid
from bertsmith.encoder.families.bert import BERT, DEFAULTS, FIELDS, LAYER, POOLER, PREDICTIONS, RELATION, SHARING

ROFORMER = BERT.but(
    model_types=("roformer",),
    prefixes=("roformer.",),
    modules={
        "embeddings.token": "embeddings.word_embeddings",
        "embeddings.segment": "embeddings.token_type_embeddings",
        "embeddings.norm": "embeddings.LayerNorm",
        "embeddings.projection": "embeddings_project",
        "embeddings.sinusoid": "encoder.embed_positions",
        **LAYER,
    },
    heads={**POOLER, **PREDICTIONS, **RELATION},
    aliases={
        "encoder.embedding_hidden_mapping_in": "embeddings_project",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    fields={**FIELDS, **SHARING, "embedding_size": "embedding_size", "position.rotate_values": "rotary_value"},
    defaults={**DEFAULTS, "vocab_size": 50000, "max_position_embeddings": 1536},
    position="rotary",
    edits=(Sinusoid(),),
    architectures={"": "RoFormerModel", "mlm": "RoFormerForMaskedLM"},
    foreign=None,
)
