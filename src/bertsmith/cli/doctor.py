"""`bertsmith doctor`: what is installed, what the machine can do, and how fast it is."""

import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from bertsmith.cli.options import CommonOptions, Device
from bertsmith.cli.output import print_json

if TYPE_CHECKING:
    import torch

PACKAGES = ("bertsmith", "torch", "numpy", "tokenizers", "safetensors", "huggingface-hub", "pydantic", "rjieba")
OPTIONAL = {"pyarrow": "parquet", "scikit-learn": "sklearn", "gensim": "synonyms"}
SPEED_SECONDS = 8.0


def doctor(*, common: CommonOptions | None = None) -> None:
    """Show versions, devices, which ways of computing are active and why, and a ten-second speed check.

    Example: bertsmith doctor --json
    """
    options = common or CommonOptions()
    findings = examine(options.device)
    if options.json:
        print_json(findings)
    else:
        print_findings(findings)


def examine(device: Device) -> dict[str, Any]:
    """Gather everything `doctor` reports."""
    import torch

    from bertsmith.cli.doctor_paths import active_paths
    from bertsmith.training import compute_dtype, resolve_device

    place = resolve_device(device)
    return {
        "versions": versions(),
        "devices": devices(),
        "kernels": {
            "attention": "buckets of similar length, masked inside; no padding elsewhere",
            "precision": str(compute_dtype("auto", place)).removeprefix("torch."),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "paths": active_paths(place),
        },
        "speed": speed(place),
    }


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that matter; None for an optional one that is missing."""
    found: dict[str, str | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for name in (*PACKAGES, *OPTIONAL):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def devices() -> list[dict[str, Any]]:
    """The processor and every GPU."""
    import torch

    found: list[dict[str, Any]] = [{"device": "cpu", "name": platform.processor() or platform.machine()}]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append({"device": f"cuda:{index}", "name": properties.name, "memory_bytes": properties.total_memory})
    return found


def speed(device: "torch.device") -> dict[str, float]:
    """Tokens a second of a mini encoder (4 layers of 256), forward alone and with backward."""
    import torch

    from bertsmith.encoder import SHAPES, EncoderConfig, new_encoder

    encoder = new_encoder(EncoderConfig(vocab_size=8192, **SHAPES["mini"]), seed=0).to(device)
    batch = _random_batch().to(device)

    def infer() -> None:
        with torch.inference_mode():
            encoder.eval()(batch)

    def learn() -> None:
        encoder.train()(batch).last.square().mean().backward()

    return {
        "encode_tokens_per_second": _rate(infer, batch.num_tokens),
        "train_tokens_per_second": _rate(learn, batch.num_tokens),
    }


def _random_batch() -> Any:
    import numpy as np

    from bertsmith.batch import Example, pack

    rng = np.random.default_rng(0)
    lengths = rng.integers(8, 64, size=64)
    return pack([Example(rng.integers(0, 8192, size=n), np.zeros(n, dtype=np.int64)) for n in lengths])


def _rate(work: Any, tokens: int) -> float:
    work()
    started = time.perf_counter()
    rounds = 0
    while time.perf_counter() - started < SPEED_SECONDS / 2:
        work()
        rounds += 1
    return round(rounds * tokens / (time.perf_counter() - started), 1)


def print_findings(findings: dict[str, Any]) -> None:
    """Print the findings for people."""
    for section, values in findings.items():
        print(section)
        rows = values if isinstance(values, list) else [values]
        for row in rows:
            for name, value in row.items():
                if name == "paths":
                    for path, found in value.items():
                        print(f"  {path:30} {found['active']} ({found['why']})")
                else:
                    print(f"  {name:30} {value if value is not None else _missing(name)}")
    sys.stdout.flush()


def _missing(name: str) -> str:
    return (
        f"not installed (optional: pip install 'bertsmith[{OPTIONAL[name]}]')" if name in OPTIONAL else "not installed"
    )
