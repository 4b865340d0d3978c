"""A model that writes, and makes the vectors by which what it wrote is ranked."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bertsmith.encoder.hub import resolve
from bertsmith.encoder.weights import read_json
from bertsmith.errors import UserError
from bertsmith.generation import AppendedMask, Form, Limits, Shifted, Writer, form_in
from bertsmith.heads import VocabularyHead
from bertsmith.pretraining.stored import put_head
from bertsmith.recipes.folder_kind import is_sentence_encoder
from bertsmith.recipes.sentence_bundle import SentenceBundle
from bertsmith.recipes.sentence_loading import load_sentence_bundle
from bertsmith.sentences import Projection, SentenceEmbedder, features_named
from bertsmith.text import Tokenizer

_WAYS = (
    "train one with `bertsmith contrast --method simbert` or `bertsmith pretrain --objective unilm`, "
    "or convert a published SimBERT with `bertsmith convert --trained-as simbert`"
)


@dataclass(frozen=True, slots=True)
class WritingModel:
    """One encoder that writes and is read; `notes` are what was found at the door."""

    writer: Writer
    sentences: SentenceBundle
    notes: tuple[str, ...]

    @property
    def tokenizer(self) -> Tokenizer:
        """Texts to tokens and back."""
        return self.sentences.tokenizer

    def to(self, device: torch.device) -> None:
        """Move encoder and heads."""
        self.writer.to(device)
        self.sentences.embedder.to(device)

    def readable(self, text: str) -> str:
        """What the tokenizer makes of a text and back: how the model would write it."""
        (made,) = self.tokenizer.tokenize([text])
        return self.tokenizer.decode(made.token_ids).strip()

    def require_room(self, limits: Limits) -> None:
        """Make sure that source and target fit into the positions of the encoder.

        Raises:
            UserError: they do not.
        """
        most = self.writer.encoder.config.position.max_positions
        if limits.source + limits.target > most:
            raise UserError(
                f"limits.source {limits.source} and limits.target {limits.target} tokens are more than the {most} "
                "positions of this encoder; lower one of them",
                code="too_long",
            )


def load_writing_model(source: str | Path, *, form: Form | None = None, pooling: str | None = None) -> WritingModel:
    """Load a model that was trained left to right; `form` and `pooling` say what its files do not, or replace it.

    Vectors are those of the folder if it is a sentence encoder; else SimBERT's: [CLS] through the pooler
    without its tanh (Su 2020); else the usual ones of an encoder that was not made for vectors.

    Raises:
        UserError: there is no such model, it has no head that names tokens, or nothing says that it was
            trained to write.
    """
    folder = resolve(str(source))
    told = form_in(read_json(folder / "config.json")) if (folder / "config.json").is_file() else None
    form = form or told
    plain = pooling is None and not is_sentence_encoder(folder) and isinstance(form, Shifted)
    bundle = load_sentence_bundle(folder, pooling="cls" if plain else pooling)
    _require_writer(bundle, form, folder)
    assert form is not None
    if plain:
        bundle = as_simbert(bundle)
    encoder = bundle.embedder.encoder
    head = VocabularyHead(encoder.config)
    put_head(head, bundle.heads["mlm"], "mlm")
    return WritingModel(Writer(encoder, head, bundle.tokenizer, form).eval(), bundle, bundle.notes)


def as_simbert(bundle: SentenceBundle) -> SentenceBundle:
    """With SimBERT's vectors: [CLS] through the pooler without its tanh (Su 2020), if there is one."""
    if "pooler" not in bundle.heads:
        return replace(bundle, notes=(*bundle.notes, "there is no pooler: texts are ranked by the vectors of [CLS]"))
    linear = bundle.heads["pooler"]
    projection = Projection(width=len(linear["weight"]))
    task = bundle.task.but(features=features_named("cls"), projections=(projection,), normalize=True)
    embedder = SentenceEmbedder(task, bundle.embedder.encoder)
    embedder.load_state_dict({f"projections.0.linear.{name}": part for name, part in linear.items()}, strict=False)
    return replace(bundle, embedder=embedder.eval())


def _require_writer(bundle: SentenceBundle, form: Form | None, folder: Path) -> None:
    if "mlm" not in bundle.heads:
        raise UserError(
            f"{folder} has no head that names tokens (MLM), so it cannot write; {_WAYS}",
            code="no_language_model",
            where=str(folder),
        )
    if form is None:
        raise UserError(
            f"{folder} does not say that it was trained left to right: an encoder that has only filled gaps writes "
            f"nonsense; {_WAYS}. If you know that it was, say how it is asked: --set form.kind=shifted (SimBERT) or "
            "appended_mask (UniLM)",
            code="not_generative",
            where=str(folder),
        )
    if bundle.embedder.encoder.config.type_vocab_size < 2:
        raise UserError(
            f"{folder} tells no segments apart (type_vocab_size 1), so source and target cannot be told; {_WAYS}",
            code="not_generative",
            where=str(folder),
        )
    if isinstance(form, AppendedMask) and bundle.tokenizer.special.mask is None:
        raise UserError(
            f"{folder}: the next token is asked for by a [MASK], but the vocabulary has none; name it in "
            "special_tokens_map.json",
            code="no_mask_token",
            where=str(folder),
        )
