"""transformers' Trainer at a classifier and at a tagger with CRF, with length grouping and without.

What is timed begins with texts and a checkpoint, and ends with the last update.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices
from transformers.utils import logging

from harness.child import Watch
from harness.files import rows
from harness.peers import needed
from harness.protocol import Ask, Job, Measure

Rows = list[dict[str, Any]]
Given = list[dict[str, Any]]


class Stop(TrainerCallback):
    """Stops the watch at the end of every update; with `after`, begins it there."""

    def __init__(self, job: Job, *, after: int = 0) -> None:
        self.job, self.after, self.counted = job, after, 0
        self.watch = Watch(job.device)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """After an update."""
        if state.global_step == self.after:
            self.watch = Watch(self.job.device)
        elif state.global_step > self.after:
            self.counted += 1
            self.watch.stop()


MEGABATCH = 50
"""Batches among which the Trainer groups texts by length; it takes fewer of sets under two hundred batches."""


class LikeLarge(LengthGroupedSampler):
    """The grouping of a large set, whatever the size of this one."""

    def __iter__(self) -> Iterator[int]:
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, mega_batch_mult=MEGABATCH))


class Grouping(Trainer):
    """The Trainer at its best with little data."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        return LikeLarge(self.args.train_batch_size, lengths=[len(row["input_ids"]) for row in self.train_dataset])


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """A short training warms up."""
    quiet()
    work = {"finetune": classify, "tagging": tag}[job.task]
    train, test = rows(job.files["train"]), rows(job.files["test"])
    work(job, train[: 2 * job.options["batch_size"]], None, Ask({"group_by_length": False}, 0))
    return lambda ask: work(job, train, test if job.options["real"] else None, ask)


def quiet() -> None:
    """No bars, no advice."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def classify(job: Job, train: Given, test: Given | None, ask: Ask) -> Measure:
    """One label a text."""
    stop = Stop(job)
    set_seed(ask.round)
    names = sorted({row["label"] for row in train} | {row["label"] for row in test or ()})
    tokenizer = AutoTokenizer.from_pretrained(job.files["model"])
    model = AutoModelForSequenceClassification.from_pretrained(
        job.files["model"], num_labels=len(names), dtype=torch.float32
    )
    data = tokenized(train, job, tokenizer, names)
    trainer = trained(job, ask, model, data, DataCollatorWithPadding(tokenizer), stop)
    figures = {}
    if test is not None:
        answers = trainer.predict(tokenized(test, job, tokenizer, names))
        figures["accuracy"] = 100 * float(np.mean(answers.predictions.argmax(-1) == answers.label_ids))
    return stop.watch.measure(figures=figures)


def trained(job: Job, ask: Ask, model: nn.Module, data: Rows, collator: Any, stop: Stop) -> Trainer:
    """One training, which says nothing and leaves nothing behind."""
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Grouping(
            model=model,
            args=arguments(job, ask, scratch),
            train_dataset=data,
            data_collator=collator,
            callbacks=[stop],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return trainer


def arguments(job: Job, ask: Ask, scratch: str) -> TrainingArguments:
    """The case in the Trainer's words; fused AdamW is its fastest optimiser."""
    grouped = ask.setting.get("group_by_length", False)
    return TrainingArguments(
        output_dir=scratch,
        use_cpu=job.device == "cpu",
        bf16=job.way == "bfloat16",
        gradient_checkpointing=job.options.get("activations") == "recomputed",
        per_device_train_batch_size=job.options["batch_size"],
        per_device_eval_batch_size=64,
        learning_rate=job.options["lr"],
        weight_decay=0.01,
        warmup_steps=0.1,
        lr_scheduler_type="linear",
        optim="adamw_torch_fused",
        train_sampling_strategy="group_by_length" if grouped else "random",
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=ask.round,
        num_train_epochs=job.options.get("epochs", 1),
    )


def tokenized(texts: Given, job: Job, tokenizer: Any, names: Sequence[str]) -> Rows:
    """Token ids with label numbers."""
    numbers = {name: number for number, name in enumerate(names)}
    found = tokenizer([row["text"] for row in texts], truncation=True, max_length=job.options["max_length"])
    return [
        {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": numbers[row["label"]]}
        for ids, row in zip(found["input_ids"], texts, strict=True)
    ]


class Tagger(nn.Module):
    """An encoder, a linear head and pytorch-crf, as its users join them."""

    def __init__(self, path: str, tags: int) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(path, dtype=torch.float32, add_pooling_layer=False)
        self.dropout = nn.Dropout(self.encoder.config.hidden_dropout_prob)
        self.head = nn.Linear(self.encoder.config.hidden_size, tags)
        self.crf = needed("torchcrf").CRF(tags, batch_first=True)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """The loss; what is padding has no tag, [CLS] and [SEP] have the tag of what is no name."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        scores = self.head(self.dropout(states)).float()
        found = self.crf(scores, labels.clamp(min=0), mask=attention_mask.bool(), reduction="token_mean")
        return {"loss": -found}


def tag(job: Job, train: Given, _: Given | None, ask: Ask) -> Measure:
    """A tag a character; nothing is measured of what was learned, which needs more than the Trainer has."""
    stop = Stop(job)
    set_seed(ask.round)
    numbers = {
        name: number for number, name in enumerate(sorted({tag for row in train for tag in row["tags"]} | {"O"}))
    }
    tokenizer = AutoTokenizer.from_pretrained(job.files["model"])
    model, data = Tagger(job.files["model"], len(numbers)), tagged(train, job, tokenizer, numbers)
    trained(job, ask, model, data, DataCollatorForTokenClassification(tokenizer), stop)
    return stop.watch.measure()


def tagged(sentences: Given, job: Job, tokenizer: Any, numbers: Mapping[str, int]) -> Rows:
    """Token ids, each with the tag of its word."""
    found = tokenizer(
        [row["tokens"] for row in sentences],
        is_split_into_words=True,
        truncation=True,
        max_length=job.options["max_length"],
    )
    made = []
    for number, row in enumerate(sentences):
        places = found.word_ids(number)
        labels = [numbers["O" if place is None else row["tags"][place]] for place in places]
        ids = found["input_ids"][number]
        made.append({"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels})
    return made
