"""RoBERTa, XLM-R and CamemBERT: BERT whose positions start behind the padding id."""

from bertsmith.encoder.edits import DropRows
from bertsmith.encoder.families.bert import BERT, DEFAULTS, EMBEDDINGS, FIELDS, LAYER, POOLER, SHARING

ROBERTA = BERT.but(
    model_types=("roberta", "xlm-roberta", "camembert"),
    prefixes=("roberta.",),
    modules={**EMBEDDINGS, **LAYER},
    heads={
        **POOLER,
        "mlm.dense.weight": "lm_head.dense.weight",
        "mlm.dense.bias": "lm_head.dense.bias",
        "mlm.norm.weight": "lm_head.layer_norm.weight",
        "mlm.norm.bias": "lm_head.layer_norm.bias",
        "mlm.bias": "lm_head.bias",
        "mlm.decoder": "lm_head.decoder.weight",
    },
    aliases={"lm_head.decoder.bias": "lm_head.bias"},
    fields={**FIELDS, **SHARING},
    defaults={**DEFAULTS, "vocab_size": 50265, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
    edits=(DropRows(),),
    architectures={"": "RobertaModel", "mlm": "RobertaForMaskedLM"},
    foreign=None,
)
