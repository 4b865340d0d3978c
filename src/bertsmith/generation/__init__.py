"""Decoding under the prefix mask: texts in, new texts out."""

from bertsmith.generation.form import TRAINED_AS, AppendedMask, Form, Shifted, TrainedAs, form_in, generation_block

__all__ = ["TRAINED_AS", "AppendedMask", "Form", "Shifted", "TrainedAs", "form_in", "generation_block"]
