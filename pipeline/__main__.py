"""The command line: `python -m pipeline COMMAND`. Each command is one entry of COMMANDS."""

# ruff: noqa: PLC0415, T201 - a command imports what it needs when it runs; this is where we print
import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from pipeline.config import Config
from pipeline.errors import StageError, UsageError, advice
from pipeline.stages import STAGES
from pipeline.startup import (
    leave_pandas_out,
    one_thread_each,
    open_streams,
    stop_listening,
    stop_when_told,
)

ENGINES = ("local", "spark")
STDIN = "0-stdin"
"""Folder, under OUTPUT, in which standard input is kept."""
HALVES = ("report", "choose")


class Command(NamedTuple):
    """One subcommand. What it imports, it imports when called: `--help` waits for nothing."""

    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    call: Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one command. Returns the exit status: 0 done, 1 failed, 2 used wrongly."""
    open_streams()
    one_thread_each()
    stop_when_told()
    try:
        args = _parser().parse_args(arguments)
    except KeyboardInterrupt:
        return _fail("", "stopped before it began", 1)
    if not args.debug:
        sys.excepthook = partial(_unforeseen, args.command)
    try:
        args.call(args)
    except BrokenPipeError:  # `inspect … | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UsageError, StageError, OSError) as error:
        if args.debug:
            raise
        message = advice(error) if isinstance(error, OSError) else str(error)
        return _fail(args.command, message, 2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        return _fail(args.command, "stopped; the same command goes on from here", 1)
    return 0


def _fail(command: str, message: str, status: int) -> int:
    line = " ".join(f"{f'pipeline {command}'.strip()}: {message}".split())
    # A file may have a name that a terminal obeys.
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    print(shown, file=sys.stderr)
    return status


def _unforeseen(
    command: str, kind: type[BaseException], error: BaseException, _: TracebackType | None
) -> None:
    """A bug, in one line. Python exits with 1 after it."""
    _fail(command, f"{kind.__name__}: {error} (a bug; --debug shows where)", 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline", description="Clean Chinese text, and find what was spun."
    )
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.summary, description=command.summary)
        command.arguments(subparser)
        subparser.set_defaults(call=command.call)
    return parser


# --- run, and one command for each stage


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    _input_arguments(parser)
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="a folder for what is made")
    _work_arguments(parser)


def _input_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input",
        type=Path,
        metavar="INPUT",
        help="a file, a folder of files, a quoted pattern ('pages/**/*.html'), or - for standard"
        " input",
    )
    parser.add_argument(
        "--format",
        default="",
        metavar="SUFFIX",
        help="of standard input, such as jsonl.gz (default: what it looks like)",
    )


def _ingest_arguments(parser: argparse.ArgumentParser) -> None:
    _input_arguments(parser)
    parser.add_argument("output", type=Path, metavar="OUT", help="a folder for what is made")
    _work_arguments(parser)


def _stage_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="IN", help="what the stage before has made")
    parser.add_argument("output", type=Path, metavar="OUT", help="a folder for what is made")
    _work_arguments(parser)


def _work_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=_count, metavar="N", help="processes (default: cores)")
    parser.add_argument("--engine", choices=ENGINES, default="local", help="where to run it")
    _config_arguments(parser)


def _config_arguments(parser: argparse.ArgumentParser) -> None:
    default = Config()
    parser.add_argument("--model", metavar="DIR", default=default.model, help="another model")
    parser.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting: " + ", ".join(f"{k}={v}" for k, v in default._asdict().items()),
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)


def _setting(text: str) -> tuple[str, int | float | str]:
    name, equals, value = text.partition("=")
    defaults = Config()._asdict()
    if not equals or name not in defaults:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, where NAME is one of {[*defaults]}")
    try:
        return name, type(defaults[name])(value)
    except ValueError:
        kind = type(defaults[name]).__name__
        raise argparse.ArgumentTypeError(f"{name} must be of type {kind}") from None


def _config(args: argparse.Namespace) -> Config:
    return Config(**{"model": args.model, **dict(args.set)})


def _workers(args: argparse.Namespace) -> int:
    if args.engine == "spark":
        raise UsageError("the engine `spark` is not part of this version: use --engine local")
    return args.workers or _cores()


def _cores() -> int:
    """A container or a scheduler may grant fewer than there are; macOS does not tell."""
    granted = getattr(os, "sched_getaffinity", None)
    return len(granted(0)) if granted else os.cpu_count() or 1


@contextmanager
def _source(args: argparse.Namespace, beside: Path) -> Iterator[Path]:
    """The input; standard input is kept as a file, in a folder beside those of the stages."""
    from pipeline.inputs import kept_stdin
    from pipeline.readers import READERS
    from pipeline.stages.ingest import suffixes

    path: Path = args.input
    if str(path) != "-":
        if args.format:
            raise UsageError("--format is for standard input: a file has its suffix")
        yield path
        return
    suffix = "." + args.format.lower().strip(".") if args.format else ""
    if suffix and ("/" in suffix or suffixes("stdin" + suffix)[0] not in READERS):
        raise UsageError(f"--format {args.format}: there are {', '.join(READERS)}")
    with kept_stdin(sys.stdin.buffer, beside / STDIN, suffix) as kept:
        yield kept


def _run(args: argparse.Namespace) -> None:
    from pipeline.report import check_place, write_report
    from pipeline.runner import check_input_stayed, run, summary

    leave_pandas_out()
    check_place(args.output)
    with _source(args, args.output) as source:
        manifest = run(source, args.output, _config(args), _workers(args))
    report = write_report(args.output)
    print(f"{summary(args.output / STAGES['write'].directory, manifest)}; {report}")
    check_input_stayed(manifest)


def _run_stage(args: argparse.Namespace) -> None:
    from pipeline.runner import check_input_stayed, run_stage, summary

    leave_pandas_out()
    is_first = args.command == "ingest"
    with _source(args, args.output.parent) if is_first else nullcontext(args.input) as source:
        manifest = run_stage(args.command, source, args.output, _config(args), _workers(args))
    print(summary(args.output, manifest))
    if is_first:
        check_input_stayed(manifest)


# --- inspect


def _inspect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a file, or - for standard input")
    parser.add_argument("--json", action="store_true", help="an object for each document, a line")
    _config_arguments(parser)


def _inspect(args: argparse.Namespace) -> None:
    from pipeline.inspection import inspect

    leave_pandas_out()
    config = _config(args)
    if args.file == "-":
        inspect("stdin", sys.stdin.buffer, config, sys.stdout, as_json=args.json)
        return
    path = Path(args.file)
    if not path.is_file():
        raise UsageError(f"{path} is no file")
    with path.open("rb") as stream:
        inspect(path.name, stream, config, sys.stdout, as_json=args.json)


# --- report


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="the folder of a finished run")


def _report(args: argparse.Namespace) -> None:
    from pipeline.report import write_report

    leave_pandas_out()
    print(write_report(args.output))


# --- train


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="text: a file, or a folder")
    parser.add_argument("lexica", type=Path, metavar="LEXICA", help="a folder of word lists")
    parser.add_argument("target", type=Path, metavar="MODEL", help="a folder for the model")


def _train(args: argparse.Namespace) -> None:
    from pipeline.training.build import Settings, build
    from pipeline.training.lexica import PAIRS_FILE

    for path in (args.corpus, args.lexica / PAIRS_FILE):
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    build(args.corpus, args.lexica, args.target, Settings())
    print(f"{args.target}: a model; `--model` uses it")


# --- evaluate


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="text nothing was learned from")
    parser.add_argument("lexica", type=Path, metavar="LEXICA", help="a folder of word lists")
    parser.add_argument("model", type=Path, metavar="MODEL", help="the folder of a model")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", default=Path("data"), help="a folder for the table"
    )
    parser.add_argument(
        "--half",
        choices=HALVES,
        default="report",
        help="of CORPUS: one is for choosing on, the other for figures that are told",
    )


def _evaluate(args: argparse.Namespace) -> None:
    from pipeline.training.evaluation import aligned, evaluate, save
    from pipeline.training.lexica import PAIRS_FILE

    for path in (args.corpus, args.lexica / PAIRS_FILE, args.model / "card.json"):
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    rows = evaluate(args.corpus, args.lexica, args.model, args.half)
    save(rows, args.output, args.model, args.half)
    print(aligned(rows))


# --- bench


def _bench_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="ordinary text")
    parser.add_argument("lexica", type=Path, metavar="LEXICA", help="a folder of word lists")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", default=Path("data"), help="a folder for the figures"
    )
    _config_arguments(parser)


def _bench(args: argparse.Namespace) -> None:
    from pipeline.bench import bench, save, table
    from pipeline.training.lexica import PAIRS_FILE, read_pairs

    for path in (args.corpus, args.lexica / PAIRS_FILE):
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    figures = bench(args.corpus, read_pairs(args.lexica / PAIRS_FILE), _config(args))
    save(figures, args.output)
    print(table(figures))


COMMANDS: Mapping[str, Command] = {
    "run": Command("do all stages: files to tables", _run_arguments, _run),
    **{
        name: Command(
            stage.summary, _ingest_arguments if name == "ingest" else _stage_arguments, _run_stage
        )
        for name, stage in STAGES.items()
    },
    "train": Command("learn a model from text and word lists", _train_arguments, _train),
    "evaluate": Command("measure a model on text it has not seen", _evaluate_arguments, _evaluate),
    "bench": Command("measure the speed of every stage", _bench_arguments, _bench),
    "report": Command("write a page about a finished run", _report_arguments, _report),
    "inspect": Command("show what is flagged in a text", _inspect_arguments, _inspect),
}


if __name__ == "__main__":
    done = main()
    stop_listening()
    sys.exit(done)
