"""Pre-training by transformers: masked tokens with its collator and Trainer, ELECTRA by a loop of one's own.

Texts are the corpus cut into full lengths, so that no token is padding.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    set_seed,
)

from harness.child import Watch
from harness.peer_training import Rows, Stop, quiet, trained
from harness.protocol import Ask, Job, Measure

WEIGHT = 50.0
"""Of the discriminator's loss beside the generator's (Clark et al. 2020 §3.1)."""


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """Read and cut the corpus once; the updates that warm up are part of every round, and not counted."""
    quiet()
    tokenizer = AutoTokenizer.from_pretrained(job.files["model"])
    texts = full_texts(job, tokenizer)
    work = {"mlm": masked, "electra": electra}[job.options["objective"]]
    return lambda ask: work(job, tokenizer, texts, ask)


def full_texts(job: Job, tokenizer: Any) -> Rows:
    """As many texts as the updates need; the corpus begins anew where it ends."""
    lines = [line for line in Path(job.files["corpus"]).read_text(encoding="utf-8").splitlines() if line]
    ids = [each for line in tokenizer(lines, add_special_tokens=False)["input_ids"] for each in line]
    room = job.options["max_length"] - 2
    blocks = [ids[start : start + room] for start in range(0, len(ids) - room + 1, room)]
    needed = (job.options["warm"] + job.options["updates"]) * job.options["batch_size"]
    return [
        {"input_ids": [tokenizer.cls_token_id, *blocks[row % len(blocks)], tokenizer.sep_token_id]}
        for row in range(needed)
    ]


def masked(job: Job, tokenizer: Any, texts: Rows, ask: Ask) -> Measure:
    """Scores over the vocabulary for every token, as BertForMaskedLM computes them."""
    set_seed(ask.round)
    stop = Stop(job, after=job.options["warm"])
    model = BertForMaskedLM.from_pretrained(job.files["model"], dtype=torch.float32)
    trained(
        job, ask, model, texts, DataCollatorForLanguageModeling(tokenizer, mlm_probability=job.options["masked"]), stop
    )
    return stop.watch.measure(tokens=stop.counted * job.options["batch_size"] * job.options["max_length"])


class Pair(torch.nn.Module):
    """A generator a quarter as wide and a discriminator, which share their embeddings."""

    def __init__(self, path: str) -> None:
        super().__init__()
        base = BertConfig.from_pretrained(path)
        shared = {
            "vocab_size": base.vocab_size,
            "embedding_size": base.hidden_size,
            "num_hidden_layers": base.num_hidden_layers,
            "max_position_embeddings": base.max_position_embeddings,
        }
        width = base.hidden_size // 4
        small = ElectraConfig(
            **shared, hidden_size=width, num_attention_heads=max(1, width // 64), intermediate_size=4 * width
        )
        large = ElectraConfig(
            **shared,
            hidden_size=base.hidden_size,
            num_attention_heads=base.num_attention_heads,
            intermediate_size=base.intermediate_size,
        )
        self.generator, self.discriminator = ElectraForMaskedLM(small), ElectraForPreTraining(large)
        self.generator.electra.embeddings = self.discriminator.electra.embeddings
        self.generator.generator_lm_head.weight = self.discriminator.electra.embeddings.word_embeddings.weight

    def forward(self, ids: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """The sum of both losses; a token that was drawn right counts as not replaced."""
        guessed = self.generator(input_ids=ids, labels=labels)
        hidden = labels != -100
        with torch.no_grad():
            chances = guessed.logits[hidden].float().softmax(-1)
            seen = original.clone()
            seen[hidden] = torch.multinomial(chances, 1).squeeze(1)
        found = self.discriminator(input_ids=seen, labels=(seen != original).long())
        loss: Tensor = guessed.loss + WEIGHT * found.loss
        return loss


def electra(job: Job, tokenizer: Any, texts: Rows, ask: Ask) -> Measure:
    """AdamW, clipping and a linear schedule, by hand."""
    set_seed(ask.round)
    options, total = job.options, job.options["warm"] + job.options["updates"]
    model = Pair(job.files["model"]).to(job.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options["lr"], weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / total))
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=options["masked"])
    size, watch = options["batch_size"], Watch(job.device)
    for update in range(total):
        if update == options["warm"]:
            watch = Watch(job.device)
        rows = texts[update * size : (update + 1) * size]
        original = torch.tensor([row["input_ids"] for row in rows])
        batch = collate(rows)
        with torch.autocast(job.device, dtype=torch.bfloat16, enabled=job.way == "bfloat16"):
            loss = model(*(part.to(job.device) for part in (batch["input_ids"], batch["labels"], original)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    watch.stop()
    return watch.measure(tokens=options["updates"] * size * options["max_length"])
