"""One self-contained HTML page and one model card per run: pure functions of a `RunReport`."""

from bertsmith.report.card import model_card
from bertsmith.report.finetuning import finetune_report
from bertsmith.report.outputs import write_outputs, write_pretrained
from bertsmith.report.page import Section, page
from bertsmith.report.render import SECTIONS, run_page
from bertsmith.report.run import (
    Answers,
    Curves,
    Notice,
    ParameterGroup,
    RunReport,
    Speed,
    Split,
    Truncation,
)

__all__ = [
    "SECTIONS",
    "Answers",
    "Curves",
    "Notice",
    "ParameterGroup",
    "RunReport",
    "Section",
    "Speed",
    "Split",
    "Truncation",
    "finetune_report",
    "model_card",
    "page",
    "run_page",
    "write_outputs",
    "write_pretrained",
]
