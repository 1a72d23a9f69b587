"""The command line: `python -m pipeline COMMAND`. Each command is one line of COMMANDS."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, NoReturn

from pipeline.config import Config
from pipeline.errors import StageError, UsageError
from pipeline.stages import STAGES

ENGINES = ("local", "spark")


class Command(NamedTuple):
    """One subcommand."""

    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    call: Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one command. Returns the exit status: 0 done, 1 failed, 2 used wrongly."""
    args = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        args.call(args)
    except UsageError as error:
        return _fail(2, error, args)
    except (StageError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # `inspect … | head`: nobody reads on
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        return _fail(1, error, args)
    except KeyboardInterrupt as error:
        return _fail(1, "stopped; run the same command again to go on from here", args, error)
    return 0


def _fail(
    status: int, message: object, args: argparse.Namespace, error: BaseException | None = None
) -> int:
    if args.debug:
        raise error or message  # type: ignore[misc]
    print(f"pipeline {args.command}: {message}", file=sys.stderr)
    return status


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
