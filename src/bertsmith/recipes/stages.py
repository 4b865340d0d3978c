"""The stages of a run: each a training of its own, with its own snapshots and log, gone on from where it stopped."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bertsmith.config import Config
from bertsmith.data import Record
from bertsmith.recipes.folder import SNAPSHOTS, STAGE_LOGS
from bertsmith.recipes.schema import recipe_yaml, without_free
from bertsmith.training import Listener, LogFile, Ranks, Snapshots, Surroundings


def final_stage(task: str) -> str:
    """The name of the stage in which a task goes on alone."""
    return f"final_{task}"


def stage_log(out: Path, stage: str) -> Path:
    """The log of a stage before or after the main one."""
    return out / STAGE_LOGS.replace("*", stage)


def around_stage(
    stage: str, out: Path | None, ranks: Ranks, *, identity: str, resume: bool, listeners: Sequence[Listener]
) -> Surroundings:
    """What a stage meets: snapshots in a folder of its own, a log of its own; onlookers see every stage.

    A stage that is over has a snapshot of its end, so that going on costs nothing.
    """
    heard = [listener for listener in listeners if not isinstance(listener, LogFile)]
    if out is None:
        return Surroundings(device=ranks.device, ranks=ranks, listeners=heard)
    snapshots = Snapshots(out / SNAPSHOTS / stage, identity=f"{identity} {stage}")
    begun = ranks.from_leader(bool(snapshots.steps()))
    return Surroundings(
        device=ranks.device,
        ranks=ranks,
        snapshots=snapshots,
        resume=resume and bool(begun),
        listeners=[*heard, LogFile(stage_log(out, stage))],
    )


def run_identity(recipe: Config, rows: Mapping[str, Iterable[Record]], fingerprints: Iterable[str] = ()) -> str:
    """Hash of the recipe, every row and every teacher: what a snapshot must agree with to be gone on from."""
    told = hashlib.sha256(recipe_yaml(without_free(recipe)).encode())
    for fingerprint in fingerprints:
        told.update(fingerprint.encode())
    for name, records in rows.items():
        for record in records:
            told.update(
                repr((name, record.text, record.text_pair, record.label, *_spans(record))).encode(
                    "utf-8", "surrogatepass"
                )
            )
    return told.hexdigest()


def _spans(record: Record) -> tuple[object, ...]:
    return () if record.marks is None else (record.marks.spans, record.marks.units)
