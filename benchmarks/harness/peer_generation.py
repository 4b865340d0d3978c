"""transformers' generate(): samples of a decoder of the same shape, with its cache or without.

It has no prefix mask: the source is read left to right, which costs the same.
"""

from collections.abc import Callable

import torch
from transformers import AutoTokenizer, BertConfig, BertLMHeadModel, set_seed

from harness.child import Watch
from harness.files import texts
from harness.peer_training import quiet
from harness.protocol import Ask, Job, Measure


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """Every sample has as many tokens as asked for."""
    quiet()
    tokenizer = AutoTokenizer.from_pretrained(job.files["model"], padding_side="left")
    config = BertConfig.from_pretrained(job.files["model"], is_decoder=True)
    model = BertLMHeadModel.from_pretrained(job.files["model"], config=config, dtype=torch.float32)
    model = model.to(job.device).eval()
    given = texts(job.files["texts"])
    samples, target = job.options["samples"], job.options["target"]

    def write(some: list[str], count: int, length: int) -> None:
        read = tokenizer(some, padding=True, return_tensors="pt", return_token_type_ids=False).to(job.device)
        with torch.inference_mode():
            model.generate(
                **read,
                do_sample=True,
                top_k=job.options["top_k"],
                num_return_sequences=count,
                min_new_tokens=length,
                max_new_tokens=length,
                use_cache=job.way == "memory",
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.sep_token_id,
            )

    write(given[:1], 2, 4)

    def run(ask: Ask) -> Measure:
        set_seed(ask.round)
        at_once = ask.setting["at_once"]
        watch = Watch(job.device)
        for start in range(0, len(given), at_once):
            write(given[start : start + at_once], samples, target)
        return watch.measure(tokens=len(given) * samples * target)

    return run
