"""One self-contained HTML page and one model card per run: pure functions of plain values."""

from bertsmith.report.card import model_card
from bertsmith.report.contrast import contrast_report, write_contrast
from bertsmith.report.contrast_card import sentence_card
from bertsmith.report.finetuning import finetune_report
from bertsmith.report.folds import write_folds
from bertsmith.report.laddered import write_climbed
from bertsmith.report.masking import mask_page
from bertsmith.report.multitask import MultiTaskReport, multitask_card, multitask_page, multitask_report
from bertsmith.report.outputs import write_multitask, write_outputs, write_pretrained
from bertsmith.report.page import Section, page
from bertsmith.report.pretraining import CorpusFacts, Courses, PretrainReport, SourceFile, courses, pretrain_page
from bertsmith.report.pretraining_card import pretraining_card
from bertsmith.report.render import SECTIONS, run_page
from bertsmith.report.run import (
    Answers,
    Course,
    Curves,
    LabelSets,
    Notice,
    Numbers,
    ParameterGroup,
    RunReport,
    Speed,
    Split,
    Truncation,
)
from bertsmith.report.sts import sts_page, write_sts
from bertsmith.report.tuned import write_tuned

__all__ = [
    "SECTIONS",
    "Answers",
    "CorpusFacts",
    "Course",
    "Courses",
    "Curves",
    "LabelSets",
    "MultiTaskReport",
    "Notice",
    "Numbers",
    "ParameterGroup",
    "PretrainReport",
    "RunReport",
    "Section",
    "SourceFile",
    "Speed",
    "Split",
    "Truncation",
    "contrast_report",
    "courses",
    "finetune_report",
    "mask_page",
    "model_card",
    "multitask_card",
    "multitask_page",
    "multitask_report",
    "page",
    "pretrain_page",
    "pretraining_card",
    "run_page",
    "sentence_card",
    "sts_page",
    "write_climbed",
    "write_contrast",
    "write_folds",
    "write_multitask",
    "write_outputs",
    "write_pretrained",
    "write_sts",
    "write_tuned",
]
