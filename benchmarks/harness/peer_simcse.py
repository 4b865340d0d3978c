"""SimCSE by sentence-transformers' trainer: MultipleNegativesRankingLoss on a text and itself."""

import tempfile
from collections.abc import Callable

import torch
from transformers.trainer_callback import PrinterCallback

from harness.files import texts
from harness.peer_training import Stop, quiet
from harness.peers import needed
from harness.protocol import Ask, Job, Measure


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """A short training warms up."""
    needed("datasets")
    quiet()
    given = texts(job.files["texts"])
    train(job, given[: 2 * job.options["batch_size"]], Ask({}, 0))
    return lambda ask: train(job, given, ask)


def train(job: Job, given: list[str], ask: Ask) -> Measure:
    """One epoch, from texts and a checkpoint to the last update."""
    package, losses = needed("sentence_transformers"), needed("sentence_transformers.sentence_transformer.losses")
    stop = Stop(job)
    model = package.SentenceTransformer(
        job.files["model"],
        device=job.device,
        model_kwargs={"dtype": torch.float32},
        model_card_data=package.SentenceTransformerModelCardData(generate_widget_examples=False),
    )
    model.max_seq_length = job.options["max_length"]
    copies = needed("datasets").Dataset.from_dict({"anchor": given, "positive": given})
    with tempfile.TemporaryDirectory() as scratch:
        trainer = package.SentenceTransformerTrainer(
            model=model,
            args=package.SentenceTransformerTrainingArguments(
                output_dir=scratch,
                use_cpu=job.device == "cpu",
                bf16=job.way == "bfloat16",
                num_train_epochs=1,
                per_device_train_batch_size=job.options["batch_size"],
                learning_rate=job.options["lr"],
                weight_decay=0.0,
                warmup_steps=0.1,
                optim="adamw_torch_fused",
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                seed=ask.round,
            ),
            train_dataset=copies,
            loss=losses.MultipleNegativesRankingLoss(model, scale=20.0),
            callbacks=[stop],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return stop.watch.measure()
