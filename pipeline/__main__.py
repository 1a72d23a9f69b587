"""The command line: `python -m pipeline COMMAND`. Each command is one entry of COMMANDS."""

# ruff: noqa: PLC0415, T201 - a command imports what it needs when it runs; this is where we print
import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

from pipeline.config import Config
from pipeline.errors import StageError, UsageError, advice
from pipeline.progress import is_json, log_json, say, tell
from pipeline.runners import RUNNERS
from pipeline.stages import STAGES
from pipeline.startup import (
    give_memory_back,
    leave_pandas_out,
    one_thread_each,
    open_streams,
    stop_listening,
    stop_when_told,
)

STDIN = "0-stdin"
"""Folder, under OUTPUT, in which standard input is kept."""
LOG_JSON = "--log-json"
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
    give_memory_back()
    # Known before the arguments are: they, too, may be wrong.
    log_json(LOG_JSON in (sys.argv if arguments is None else arguments))
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
    if not tell("error", command=command, status=status, message=shown):
        print(shown, file=sys.stderr)
    return status


def _unforeseen(
    command: str, kind: type[BaseException], error: BaseException, _: TracebackType | None
) -> None:
    """A bug, in one line. Python exits with 1 after it."""
    _fail(command, f"{kind.__name__}: {error} (a bug; --debug shows where)", 1)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if tell("error", command=self.prog.rpartition(" ")[2], status=2, message=message):
            sys.exit(2)
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
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
    parser.add_argument("output", metavar="OUTPUT", help="a folder for what is made, or a URL")
    _work_arguments(parser)


def _input_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="a file, a folder of files, a quoted pattern ('pages/**/*.html'), a URL of either, or"
        " - for standard input",
    )
    parser.add_argument(
        "--format",
        default="",
        metavar="SUFFIX",
        help="of standard input, such as jsonl.gz (default: what it looks like)",
    )


def _ingest_arguments(parser: argparse.ArgumentParser) -> None:
    _input_arguments(parser)
    parser.add_argument("output", metavar="OUT", help="a folder for what is made, or a URL")
    _work_arguments(parser)


def _stage_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN", help="what the stage before has made")
    parser.add_argument("output", metavar="OUT", help="a folder for what is made, or a URL")
    _work_arguments(parser)


def _work_arguments(parser: argparse.ArgumentParser) -> None:
    _engine_arguments(parser)
    parser.add_argument(
        LOG_JSON, action="store_true", help="tell on stderr in JSON, an object a line (see README)"
    )
    _config_arguments(parser)


def _engine_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=_count, metavar="N", help="processes (default: cores)")
    parser.add_argument(
        "--engine",
        choices=[*RUNNERS],
        default="local",
        help="; ".join(f"{name}: {what}" for name, what in RUNNERS.items()),
    )


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
    return args.workers or _cores()


def _prepare(args: argparse.Namespace) -> None:
    from pipeline.remote import place

    args.input, args.output = place(args.input), place(args.output)
    if args.engine == "local":  # pyspark insists on pandas
        leave_pandas_out()


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
    from pipeline.outcome import run_fields
    from pipeline.report import check_place, write_report
    from pipeline.runner import check_input_stayed, run, summary

    _prepare(args)
    check_place(args.output)
    workers = _workers(args)
    tell("start", command="run", workers=workers)
    with _source(args, args.output) as source:
        outcomes = run(source, args.output, _config(args), workers, args.engine)
    started = time.monotonic()
    report = write_report(args.output)
    if is_json() or any(outcome.parts_made for outcome in outcomes):
        fields = run_fields(outcomes, {"report": time.monotonic() - started})
        _tell_summary("run", {**fields, "report": str(report)})
    manifest = outcomes[-1].manifest
    print(f"{summary(args.output / STAGES['write'].directory, manifest)}; {report}")
    check_input_stayed(manifest)


def _run_stage(args: argparse.Namespace) -> None:
    from pipeline.runner import check_input_stayed, run_stage, summary

    _prepare(args)
    workers = _workers(args)
    tell("start", command=args.command, workers=workers)
    is_first = args.command == "ingest"
    with _source(args, args.output.parent) if is_first else nullcontext(args.input) as source:
        outcome = run_stage(args.command, source, args.output, _config(args), workers, args.engine)
    if is_json() or outcome.parts_made:
        _tell_summary(args.command, outcome.fields())
    print(summary(args.output, outcome.manifest))
    if is_first:
        check_input_stayed(outcome.manifest)


def _tell_summary(command: str, fields: Mapping[str, Any]) -> None:
    from pipeline.outcome import block
    from pipeline.tally import peak_bytes

    fields = {**fields, "peak_parent_bytes": peak_bytes()}
    if not tell("summary", command=command, **fields):
        say(block(fields))


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
    parser.add_argument("output", metavar="OUTPUT", help="the folder of a finished run, or a URL")


def _report(args: argparse.Namespace) -> None:
    from pipeline.remote import place
    from pipeline.report import write_report

    leave_pandas_out()
    print(write_report(place(args.output)))


# --- export and import: the annotation loop


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    _report_arguments(parser)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help=".csv for Excel, .json for Label Studio"
    )
    parser.add_argument("--rows", type=_count, metavar="N", default=200, help="flags (default 200)")
    parser.add_argument("--model", metavar="DIR", default=Config().model, help="another model")


def _export(args: argparse.Namespace) -> None:
    from pipeline.annotation import export
    from pipeline.remote import place

    leave_pandas_out()
    kinds = export(place(args.output), args.file, args.rows, args.model)
    print(f"{args.file}: " + ", ".join(f"{count} {name}" for name, count in kinds.items()))


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a sheet that was filled in")
    parser.add_argument("answers", type=Path, metavar="ANSWERS", help="where answers gather: JSONL")
    parser.add_argument(
        "--replace", action="store_true", help="where FILE contradicts ANSWERS, FILE is right"
    )


def _import(args: argparse.Namespace) -> None:
    from pipeline.annotation import gather

    leave_pandas_out()
    if not args.file.is_file():
        raise UsageError(f"{args.file} is no file")
    found = gather(args.file, args.answers, replace=args.replace)
    for where, problem in found.bad:
        _fail("import", f"{args.file}, {where}: {problem}", 1)
    for line in found.disputed:
        _fail("import", f"disputed: {line}", 1)
    print(
        f"{args.answers}: {found.added} added, {found.changed} changed, {found.known} known,"
        f" {found.unanswered} unanswered, {len(found.disputed)} disputed, {len(found.bad)} bad"
    )
    if found.bad or found.disputed:
        left = f"{len(found.bad)} bad, {len(found.disputed)} disputed"
        message = f"{left}: mend them and import again; all others are in"
        raise StageError("import", str(args.file), None, "good rows that agree", message)


# --- train


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="text: a file, or a folder")
    parser.add_argument("lexica", type=Path, metavar="LEXICA", help="a folder of word lists")
    parser.add_argument("target", type=Path, metavar="MODEL", help="a folder for the model")
    parser.add_argument(
        "--annotations", type=Path, metavar="ANSWERS", help="what `import` has gathered"
    )


def _train(args: argparse.Namespace) -> None:
    from pipeline.training.build import Settings, build
    from pipeline.training.lexica import PAIRS_FILE

    wanted = [args.corpus, args.lexica / PAIRS_FILE]
    for path in (*wanted, args.annotations) if args.annotations else wanted:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    build(args.corpus, args.lexica, args.target, Settings(), args.annotations)
    print(f"{args.target}: a model; `--model` uses it")


# --- links


def _links_arguments(parser: argparse.ArgumentParser) -> None:
    _report_arguments(parser)
    parser.add_argument("--model", metavar="DIR", default=Config().model, help="another model")
    _engine_arguments(parser)


def _links(args: argparse.Namespace) -> None:
    from pipeline.links.command import link_from
    from pipeline.remote import place

    if args.engine == "local":
        leave_pandas_out()
    print(link_from(place(args.output), Path(args.model), _workers(args), args.engine))


# --- learn


def _learn_arguments(parser: argparse.ArgumentParser) -> None:
    _report_arguments(parser)
    parser.add_argument(
        "--model", metavar="DIR", default=Config().model, help="what knows more then"
    )
    parser.add_argument("--workers", type=_count, metavar="N", help="processes (default: cores)")


def _learn(args: argparse.Namespace) -> None:
    from pipeline.learning.command import learn_from
    from pipeline.remote import place

    leave_pandas_out()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    target, lesson = learn_from(place(args.output), Path(args.model), _workers(args))
    if not lesson.pairs:
        count = f"{len(lesson.suspects):,} suspected documents"
        print(f"{target}: nothing learned from {count}; it takes some dozens of one tool")
        return
    print(f"{target}: {len(lesson.pairs):,} pairs learned; `--model {target / 'model'}` uses them")


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
    "links": Command("find copies in finished tables, spun ones too", _links_arguments, _links),
    "learn": Command(
        "learn from finished tables the pairs of unknown tools", _learn_arguments, _learn
    ),
    "export": Command("write flags to a sheet for people to judge", _export_arguments, _export),
    "import": Command("gather the answers of a sheet", _import_arguments, _import),
    "inspect": Command("show what is flagged in a text", _inspect_arguments, _inspect),
}


if __name__ == "__main__":
    done = main()
    stop_listening()
    sys.exit(done)
