"""A sentence encoder as MTEB wants models (its EncoderProtocol, version 2), without importing it before it is asked."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bertsmith.estimators.sentences import SentenceEncoder

Array = np.ndarray | Tensor


class MtebModel:
    """`mteb.evaluate(MtebModel(SentenceEncoder("path")), tasks)` measures one of our models.

    `name` is what results are filed under, as `org/name`; by default `bertsmith/` and the name of the folder.
    """

    def __init__(self, encoder: SentenceEncoder, *, name: str | None = None, revision: str = "local") -> None:
        self.encoder = encoder
        self.name = name or f"bertsmith/{Path(str(encoder.model)).resolve().name}"
        self.revision = revision

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any = None,
        hf_split: str = "",
        hf_subset: str = "",
        prompt_type: Any = None,
        **kwargs: Any,
    ) -> Float[np.ndarray, "texts width"]:
        """Vectors of all texts of batches `{"text": [...]}`, with the prompt of the task or the side, if there is one.

        Raises:
            UserError: something is no text, or a vector holds NaN.
        """
        texts = [text for batch in inputs for text in batch["text"]]
        return self.encoder.encode(texts, prompt=self.prompt(task_metadata, prompt_type))

    def prompt(self, task_metadata: Any, prompt_type: Any) -> str | None:
        """The name of the prompt by MTEB's order: task and side, task, kind of task and side, kind of task, side."""
        side = getattr(prompt_type, "value", prompt_type)
        places = [getattr(task_metadata, field, None) for field in ("name", "type")]
        asked = [name for place in places if place for name in ((f"{place}-{side}",) if side else ()) + (str(place),)]
        known = self.encoder.bundle.task.prompts
        return next((name for name in asked if name in known), None if side is None else str(side))

    def similarity(self, embeddings1: Array, embeddings2: Array) -> Float[Tensor, "first second"]:
        """How similar each of the one is to each of the other."""
        return torch.from_numpy(self.encoder.similarity(_rows(embeddings1), _rows(embeddings2)))

    def similarity_pairwise(self, embeddings1: Array, embeddings2: Array) -> Float[Tensor, "pairs"]:
        """How similar the two of each pair are."""
        return torch.from_numpy(self.encoder.similarity_pairwise(_rows(embeddings1), _rows(embeddings2)))

    @property
    def mteb_model_meta(self) -> Any:
        """The model's description, made by MTEB.

        Raises:
            ImportError: mteb is not installed.
        """
        from mteb.models import ModelMeta

        bundle = self.encoder.bundle
        facts = {
            "name": self.name,
            "revision": self.revision,
            "max_tokens": bundle.max_length,
            "embed_dim": bundle.width,
            "n_parameters": sum(weight.numel() for weight in bundle.embedder.parameters()),
            "similarity_fn_name": bundle.task.similarity,
            "framework": ["PyTorch"],
            "use_instructions": bool(bundle.task.prompts),
        }
        return ModelMeta.create_empty(overwrites=facts)


def _rows(vectors: Array | Sequence[float]) -> Float[np.ndarray, "rows width"]:
    """Vectors on the host; a single one as a row."""
    host = vectors.detach().cpu().numpy() if isinstance(vectors, Tensor) else np.asarray(vectors)
    return np.atleast_2d(host)
