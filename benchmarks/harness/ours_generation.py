"""bertsmith writes similar texts: with memory of what was read, or reading all again for every token."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from bertsmith.batch import Example, pack
from bertsmith.encoder import PrefixLM, load_checkpoint
from bertsmith.generation import Limits, Sampling, Shifted, Writer, sampled
from bertsmith.heads import VocabularyHead
from bertsmith.text import Tokenizer
from harness.child import Watch
from harness.files import texts
from harness.protocol import Ask, Job, Measure


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """The closing token is never drawn, so that every text has as many tokens as asked for."""
    tokenizer = Tokenizer.from_folder(Path(job.files["model"]))
    encoder = load_checkpoint(Path(job.files["model"])).encoder.eval()
    writer = Writer(encoder, VocabularyHead(encoder.config), tokenizer, Shifted()).to(job.device).eval()
    writer.never[writer.end] = True
    sources = [tokenizer.assemble(each.token_ids) for each in tokenizer.tokenize(texts(job.files["texts"]))]
    count, target = job.options["samples"], job.options["target"]
    sampling = Sampling(count=count, top_k=job.options["top_k"])

    def work(seed: int) -> None:
        if job.way == "memory":
            sampled(writer, sources, sampling, Limits(target=target), seed=seed)
        else:
            reading_again(writer, sources, count=count, target=target, top_k=job.options["top_k"], seed=seed)

    sampled(writer, sources[:1], Sampling(count=2), Limits(target=4), seed=0)

    def run(ask: Ask) -> Measure:
        watch = Watch(job.device)
        work(ask.round)
        return watch.measure(tokens=len(sources) * count * target)

    return run


def reading_again(
    writer: Writer, sources: Sequence[Example], *, count: int, target: int, top_k: int, seed: int
) -> None:
    """All samples packed, each read from its beginning for every token."""
    texts = [source for source in sources for _ in range(count)]
    written = np.empty((len(texts), 0), dtype=np.int32)
    generator = torch.Generator(writer.head.bias.device).manual_seed(seed)
    for _ in range(target):
        batch = pack([joined(source, ids) for source, ids in zip(texts, written, strict=True)]).to(generator.device)
        with torch.inference_mode():
            states = writer.encoder(batch, PrefixLM(), rows=batch.cu_seqlens[1:].long() - 1)[-1]
            scores = writer.head.scores(states, writer.encoder.embeddings.token.weight)
            best, places = scores.masked_fill(writer.never, -torch.inf).topk(top_k)
            chosen = places.gather(1, torch.multinomial(best.softmax(1), 1, generator=generator))
        written = np.concatenate([written, chosen.cpu().numpy().astype(np.int32)], axis=1)


def joined(source: Example, ids: np.ndarray) -> Example:
    """A source and what was written of its target so far."""
    segments = np.repeat(np.array([0, 1], dtype=np.int32), [len(source), len(ids)])
    return Example(np.concatenate([source.token_ids, ids]).astype(np.int32), segments)
