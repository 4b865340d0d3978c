"""Decoding under the prefix mask: texts in, new texts out."""

from bertsmith.generation.beam import searched
from bertsmith.generation.decoding import Beam, Decoding, Limits, Sampling
from bertsmith.generation.edits import one_edit
from bertsmith.generation.form import (
    TRAINED_AS,
    AnyForm,
    AppendedMask,
    Form,
    Shifted,
    TrainedAs,
    form_in,
    generation_block,
)
from bertsmith.generation.sampling import sampled
from bertsmith.generation.sources import Read, read_sources
from bertsmith.generation.writer import Writer
from bertsmith.generation.written import Written

__all__ = [
    "TRAINED_AS",
    "AnyForm",
    "AppendedMask",
    "Beam",
    "Decoding",
    "Form",
    "Limits",
    "Read",
    "Sampling",
    "Shifted",
    "TrainedAs",
    "Writer",
    "Written",
    "form_in",
    "generation_block",
    "one_edit",
    "read_sources",
    "sampled",
    "searched",
]
