"""The `bertsmith` command: finds the command, runs it, and turns what happened into an exit code.

0 done; 2 the user can fix it; 1 a bug of ours (with its traceback); 130 interrupted, state saved.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from cyclopts import App, CycloptsError

from bertsmith.cli import (
    check,
    contrast,
    convert,
    demo,
    doctor,
    encode,
    evaluate,
    finetune,
    folds,
    index,
    ladder,
    mask,
    mine,
    paraphrase,
    predict,
    pretrain,
    search,
    similar,
    sts,
    tune,
    vocabulary,
)
from bertsmith.cli.check import ErrorsFound
from bertsmith.cli.output import forget_stdout, print_error, print_interrupted
from bertsmith.errors import Interrupted, UserError
from bertsmith.files import explained

PRIVACY = {"HF_HUB_DISABLE_TELEMETRY": "1", "ORT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
"""Set unless the user set them: nothing we call may phone home."""

HELP = """BERT-family text encoders, Chinese first: from a file of texts to a proven model in one command.

Example: `bertsmith finetune --task classification --encoder tiny --train train.csv --out runs/first`

Exit codes: 0 done, 2 something you can fix (the message says how), 1 a bug of ours, 130 interrupted, state saved.
"""

app = App(name="bertsmith", help=HELP, version=lambda: version("bertsmith"), suppress_keyboard_interrupt=False)
COMMANDS = (
    demo.demo,
    check.check,
    finetune.finetune,
    predict.predict,
    evaluate.evaluate,
    tune.tune,
    ladder.ladder,
    folds.folds,
    encode.encode,
    sts.sts,
    pretrain.pretrain,
    contrast.contrast,
    mask.mask,
    index.index,
    search.search,
    mine.mine,
    similar.similar,
    vocabulary.vocabulary,
    convert.convert,
    paraphrase.paraphrase,
    doctor.doctor,
)
for command in COMMANDS:
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    for name, value in PRIVACY.items():
        os.environ.setdefault(name, value)
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    return run(lambda: app(tokens, exit_on_error=False, print_error=False, result_action="return_none"), tokens)


def run(command: Callable[[], Any], tokens: Sequence[str]) -> int:
    """Call a command; every way it can end has one exit code and one message."""
    as_json = "--json" in tokens and _leads()
    try:
        with _termination_as_interrupt():
            command()
        sys.stdout.flush()
    except ErrorsFound as error:
        print_error(error, as_json=False)
        return 2
    except UserError as error:
        print_error(error, as_json=as_json)
        return 2
    except CycloptsError as error:
        print_error(UserError(_usage(error), code="bad_usage"), as_json=as_json)
        return 2
    except (KeyboardInterrupt, Interrupted) as error:
        print_interrupted(str(error) or "interrupted", as_json=as_json)
        return 130
    except BrokenPipeError:
        forget_stdout()
    except OSError as error:
        problem = explained(error)
        if problem is None:
            raise
        if error.filename is None:
            forget_stdout()
        print_error(problem, as_json=as_json)
        return 2
    return 0


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does; a training that has something to save listens by itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leads() -> bool:
    """Whether this process speaks for all that torchrun started; asked without importing torch."""
    return os.environ.get("RANK", "0") == "0"


def _usage(error: CycloptsError) -> str:
    chain = " ".join(("bertsmith", *(error.command_chain or ())))
    return f"{str(error).strip()}\nSee `{chain} --help`."
