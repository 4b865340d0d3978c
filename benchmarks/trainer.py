"""The same job done by transformers' Trainer at its best setting on a CPU: bf16, length grouping, fused AdamW.

It also gets our setting of the allocator, without which it spends half its time on long texts in the system.
"""

import tempfile
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

from bertsmith.finetuning import shorten
from bertsmith.training.allocator import keep_freed_memory
from jobs import Fit, Job, Texts

Rows = list[dict[str, Any]]


class KeepBest(TrainerCallback):
    """Keep the weights of the epoch that is best on dev, in memory: cheaper than the Trainer's way over the disk."""

    def __init__(self) -> None:
        self.accuracy = -1.0
        self.weights: dict[str, torch.Tensor] = {}

    def on_evaluate(self, args, state, control, *, model, metrics, **others) -> None:
        """Of equal epochs the earlier stays."""
        if metrics["eval_accuracy"] > self.accuracy:
            self.accuracy = metrics["eval_accuracy"]
            self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}


def fit(job: Job) -> Fit:
    """Train and measure."""
    keep_freed_memory()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    set_seed(job.seed)
    names = sorted(set(job.train.labels))
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    model = AutoModelForSequenceClassification.from_pretrained(job.model, num_labels=len(names))
    rows = {name: tokenized(texts, job, tokenizer, names) for name, texts in _splits(job).items()}
    best = KeepBest()
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=model,
            args=arguments(job, scratch),
            train_dataset=rows["train"],
            eval_dataset=rows.get("dev"),
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=accuracy,
            callbacks=[best] if job.dev else [],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        if job.dev:
            model.load_state_dict(best.weights)
        found = trainer.predict(rows["test"]).metrics["test_accuracy"]
    return Fit(found, dev_accuracy=best.accuracy if job.dev else None)


def arguments(job: Job, scratch: str) -> TrainingArguments:
    """The job in the Trainer's words."""
    return TrainingArguments(
        output_dir=scratch,
        use_cpu=True,
        bf16=True,
        num_train_epochs=job.epochs,
        per_device_train_batch_size=job.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=job.lr,
        weight_decay=job.weight_decay,
        warmup_steps=job.warmup,
        lr_scheduler_type="linear",
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch" if job.dev else "no",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=job.seed,
    )


def accuracy(answers: Any) -> dict[str, float]:
    """Share of right answers."""
    return {"accuracy": float(np.mean(answers.predictions.argmax(-1) == answers.label_ids))}


def tokenized(texts: Texts, job: Job, tokenizer: Any, names: Sequence[str]) -> Rows:
    """Token ids, cut as the job says, with label numbers."""
    numbers = {name: number for number, name in enumerate(names)}
    if job.keep == "head_tail":
        encoded = _head_tail(texts, job, tokenizer)
    else:
        tokenizer.truncation_side = {"head": "right", "tail": "left"}[job.keep]
        encoded = tokenizer(list(texts.texts), truncation=True, max_length=job.max_length)["input_ids"]
    return [
        {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": numbers[label]}
        for ids, label in zip(encoded, texts.labels, strict=True)
    ]


def _head_tail(texts: Texts, job: Job, tokenizer: Any) -> list[list[int]]:
    """What the Trainer's user writes by hand: no tokenizer option keeps both ends."""
    plain = tokenizer(list(texts.texts), add_special_tokens=False, verbose=False)["input_ids"]
    room = job.max_length - tokenizer.num_special_tokens_to_add()
    cut = [shorten(np.asarray(ids, dtype=np.int64), room, "head_tail").tolist() for ids in plain]
    return [[tokenizer.cls_token_id, *ids, tokenizer.sep_token_id] for ids in cut]


def _splits(job: Job) -> dict[str, Texts]:
    return {name: texts for name in ("train", "dev", "test") if (texts := getattr(job, name)) is not None}
