"""ERNIE 1.0, and 2.0 and 3.0 with task ids, of which every token reads the first."""

from bertsmith.encoder.edits import FoldRow
from bertsmith.encoder.families.bert import BERT, DEFAULTS, EMBEDDINGS, FIELDS, LAYER, SHARING

ERNIE = BERT.but(
    model_types=("ernie",),
    prefixes=("ernie.", "bert."),
    modules={**EMBEDDINGS, "embeddings.task": "embeddings.task_type_embeddings", **LAYER},
    aliases={"cls.predictions.decoder.bias": "cls.predictions.bias"},
    fields={**FIELDS, **SHARING},
    defaults={**DEFAULTS, "use_task_id": False},
    edits=(FoldRow(),),
    architectures={
        "": "ErnieModel",
        "mlm": "ErnieForMaskedLM",
        "mlm+relation": "ErnieForPreTraining",
        "relation": "ErnieForNextSentencePrediction",
    },
    foreign=None,
)
