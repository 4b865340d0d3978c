"""ONNX Runtime from text to vector: the encoder with pooling and norm as one graph, in float32 or dynamic int8."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.files import texts
from harness.peers import needed
from harness.protocol import Ask, Job, Measure, Missing
from harness.vectors import measured

WARM = 16


class Vectors(nn.Module):
    """Hidden states, their mean over the tokens of a text, to length 1."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Padded tokens to vectors."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        return nn.functional.normalize((states * weights).sum(1) / weights.sum(1), dim=1)


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """Export once, quantise if asked to, open a session with as many threads as everyone has."""
    if job.device != "cpu":
        raise Missing("measured on CPUs only")
    runtime, transformers = needed("onnxruntime"), needed("transformers")
    needed("onnxscript")
    tokenizer = transformers.AutoTokenizer.from_pretrained(job.files["model"])
    session = opened(runtime, exported(job, transformers, tokenizer), job.threads)
    given, most = texts(job.files["texts"]), job.options["max_length"]

    def encoded(some: list[str], batch: int) -> np.ndarray:
        ids = tokenizer(some, truncation=True, max_length=most, return_attention_mask=False)["input_ids"]
        order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
        vectors: list[Any] = [None] * len(ids)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            found = session.run(None, padded([ids[row] for row in rows], tokenizer.pad_token_id))[0]
            for row, vector in zip(rows, found, strict=True):
                vectors[row] = vector
        return np.stack(vectors)

    encoded(given[:WARM], 32)

    return measured(job, lambda setting: encoded(given, setting["batch"]))


def exported(job: Job, transformers: Any, tokenizer: Any) -> Path:
    """The graph in a file, made again only where it is not there yet."""
    model = Path(job.files["model"])
    told = f"{model} {(model / 'model.safetensors').stat().st_mtime_ns}"
    folder = Path(job.files["scratch"]).parents[1] / "onnx" / hashlib.sha256(told.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    whole, small = folder / "float32.onnx", folder / "int8.onnx"
    if not whole.exists():
        encoder = transformers.AutoModel.from_pretrained(
            job.files["model"], dtype=torch.float32, attn_implementation="eager"
        )
        sample = tokenizer(["one", "two and three"], padding=True, return_tensors="pt")
        made = torch.onnx.export(
            Vectors(encoder).eval(),
            (sample["input_ids"], sample["attention_mask"]),
            dynamo=True,
            input_names=["input_ids", "attention_mask"],
            dynamic_shapes={name: {0: "texts", 1: "length"} for name in ("input_ids", "attention_mask")},
            verbose=False,
        )
        with replaced(whole) as part:
            made.save(str(part))
    if job.way == "int8" and not small.exists():
        quantization = needed("onnxruntime.quantization")
        with replaced(small) as part:
            quantization.quantize_dynamic(str(whole), str(part), weight_type=quantization.QuantType.QInt8)
    return small if job.way == "int8" else whole


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name to write to, which is `path` when all is written: float32 and int8 get ready at the same time."""
    part = path.with_name(f"{os.getpid()}-{path.name}")
    yield part
    os.replace(part, path)


def opened(runtime: Any, path: Path, threads: int) -> Any:
    """A session on the CPU."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def padded(ids: list[list[int]], pad: int) -> dict[str, np.ndarray]:
    """Token ids of a batch, and which of them are real."""
    lengths = np.array([len(each) for each in ids])
    mask = np.arange(lengths.max()) < lengths[:, None]
    table = np.full(mask.shape, pad, dtype=np.int64)
    table[mask] = np.concatenate([np.array(each) for each in ids])
    return {"input_ids": table, "attention_mask": mask.astype(np.int64)}
