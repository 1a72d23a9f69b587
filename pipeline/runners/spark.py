"""Jobs as tasks of Apache Spark: a row of a data frame for each, done by `mapInArrow`.

Spark decides where a job is done, and tries it again if a machine is lost. What is done, and what
is kept of it, is as with processes: a task calls `Job.make` and returns, as rows, what the parts
say of themselves. So nothing that Spark does can double a row: a job that is done twice writes the
same parts twice, each under a name of its own until it is whole.

What could go wrong unseen is looked for: a machine with other versions of the packages, of the
code or of the model; one that sees other folders under these paths; one that works on for a run
that has ended.
"""

import gc
import json
import logging
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import pyarrow as pa

from pipeline.config import SHIPPED_MODEL
from pipeline.errors import StageError, UsageError
from pipeline.keys import PACKAGE, ingredients
from pipeline.parts import Job
from pipeline.progress import Report
from pipeline.remote import is_url, remote
from pipeline.runners.doing import do
from pipeline.startup import ONE_THREAD, one_thread_each
from pipeline.storage import Part, lock_holder, still_there
from pipeline.tally import Made

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA = 17
"""The oldest that Spark 4 runs on."""
LOOK_EVERY = 1.0
"""Seconds between two looks of a task whether the run that it belongs to goes on."""
LOOK_FAR_EVERY = 30.0
"""The same, if the lock is in a store, which wants to be paid for a look."""
REPORT_EVERY = 0.2
"""Seconds between two reports of progress."""
ARCHIVE = "pipeline-archive"
"""Folder in which an executor unpacks this package."""

RETURNED = "name string, key string, files int, rows long, size long, content string"
"""What a task returns, as Spark writes a schema: the fields of `Part`."""
UNSEEN = ""
"""Stands for the name of a part, and says that the job was not done: it saw none of its files."""

KILLED = re.compile(
    r"Python worker exited unexpectedly|ExecutorLostFailure|OutOfMemory"
    r"|Java side is empty|Error while (sending|receiving)|Connection (refused|reset)"
)
"""What Spark says when a process was ended from outside: a task's, an executor's, or its own."""

Batches = Iterator[pa.RecordBatch]


class Workers:
    """Spark's executors, by a session that is started when there is first a job to do."""

    def __init__(self, count: int) -> None:
        check_installed()
        self.count = count
        self._session: SparkSession | None = None
        self._root = ""
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def map(self, jobs: Sequence[Job], report: Report) -> Iterator[Made]:
        """Do the jobs, the heaviest first; yield what they made, when all of it is there."""
        ordered = sorted((_absolute(job) for job in jobs), key=lambda job: -job.weight)
        first = ordered[0]
        if self._session is None:
            self._session, self._root = self._open.enter_context(session(self.count))
        facts = _to_tell(first)
        collecting = _Collecting(self._session, _task(self._root, json.dumps(facts)), ordered)
        _wait(collecting, ordered, report)
        if collecting.error is not None:
            raise raised(str(collecting.error), facts["mark"], first.stage) from collecting.error
        unseen = {part.key for part in collecting.parts if part.name == UNSEEN}
        parts = [part for part in collecting.parts if part.name != UNSEEN]
        _check_shared(first, parts)
        yield Made(parts)
        yield from (Made(_vanished(job)) for job in ordered if job.key in unseen)


# --- where the run is started


def check_installed() -> None:
    """Raises UsageError if pyspark or Java is missing."""
    try:
        import pyspark  # noqa: F401, PLC0415 - an extra: see pyproject.toml
    except ImportError:
        message = "the engine `spark` needs pyspark: `make ENGINE=spark` installs it, or pip"
        raise UsageError(f"{message} install 'chinese-corpus-pipeline[spark]'") from None
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # we were submitted: Java runs already
        return
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None or _java_version(java) < JAVA:
        found = f"{java} is older" if java else "none is found"
        message = f"the engine `spark` needs Java {JAVA} or later, and {found}"
        raise UsageError(f"{message}: install one, or say by JAVA_HOME where one is")


def _java_version(java: str) -> int:
    """The 17 of `openjdk version "17.0.15"`; 1 for the `1.8` of old."""
    command = [java, "-version"]  # the user's own: from JAVA_HOME, or from PATH
    told = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r'version "(\d+)', told.stderr)
    return int(found[1]) if found else 0


@contextmanager
def session(count: int) -> "Iterator[tuple[SparkSession, str]]":
    """A session, and the folder from which its tasks import this package (see `_task`).

    A session that is there already is used, and outlives us.
    """
    one_thread_each()
    # Any of Spark's own ways to name a master comes before this variable.
    os.environ.setdefault("MASTER", f"local[{count}]")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with warnings.catch_warnings():
        # It warns of pandas 3, for the sake of what is not used here.
        warnings.filterwarnings("ignore", category=FutureWarning)
        from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415

        active = SparkSession.getActiveSession()
        builder = SparkSession.builder.appName("pipeline")
        for name in ONE_THREAD:
            builder = builder.config(f"spark.executorEnv.{name}", "1")
        builder = builder.config("spark.ui.showConsoleProgress", "false")
        try:
            session = active or builder.getOrCreate()
        except (Py4JError, PySparkException) as error:
            raise StageError("spark", None, None, "a session", _first_line(str(error))) from error
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # it prints what it raises
    context = session.sparkContext
    here = context.master.startswith("local[") or context.master == "local"
    if here and active is None:
        context.setLogLevel("OFF")  # what went wrong is told by us, in a line
    with ExitStack() as stack:
        if active is None:
            stack.callback(_stop, session)
        if not here:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            context.addArchive(f"{_packed(Path(folder))}#{ARCHIVE}")
        yield session, str(PACKAGE.parent) if here else ""


def _stop(session: "SparkSession") -> None:
    with suppress(*_lost()):
        session.stop()


def _lost() -> tuple[type[Exception], ...]:
    """What is raised when Java was killed: then there is nothing to ask, or to stop, any more."""
    from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra

    return Py4JError, OSError


def _packed(folder: Path) -> Path:
    """The package, with its model, as an archive."""
    path = folder / f"{PACKAGE.name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(PACKAGE.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(PACKAGE.parent))
    return path


def _absolute(job: Job) -> Job:
    """The same job, for a process that works in another folder."""
    return job._replace(
        target=job.target.absolute(),
        config=job.config._replace(model=str(Path(job.config.model).absolute())),
        reads=tuple((path.absolute(), columns) for path, columns in job.reads),
        files=tuple(
            file if is_url(file.path) else file._replace(path=str(Path(file.path).absolute()))
            for file in job.files
        ),
    )


def _to_tell(job: Job) -> dict[str, Any]:
    """What all tasks of a stage are told beside their jobs: what must be so where they run."""
    return {
        "mark": uuid4().hex,  # between which an error is found again: see `raised`
        "holder": lock_holder(job.target),
        "ingredients": ingredients(job.stage, job.config),
        "model": str(SHIPPED_MODEL),
    }


def _task(root: str, told: str) -> Callable[[Batches], Batches]:
    """What `mapInArrow` calls. A closure, so that it is sent as it is."""
    find_package = finding(root)

    def task(batches: Batches) -> Batches:
        find_package()
        from pipeline.runners.spark import do_tasks  # noqa: PLC0415

        yield from do_tasks(batches, told)

    return task


def finding(root: str) -> Callable[[], None]:
    """A function that sees to it that this package can be imported where a task is done: from
    ``root``, or from the archive that was sent. A closure, for before that nothing of it is there.
    """

    def find() -> None:
        import sys  # noqa: PLC0415 - nothing of this module is there yet

        folder = root
        if not folder:
            from pyspark import SparkFiles  # noqa: PLC0415

            folder = SparkFiles.get(ARCHIVE)
        if folder not in sys.path:
            sys.path.insert(0, folder)

    return find


def _calm() -> Callable[[Iterator[Any]], Iterator[Any]]:
    """A function that does nothing with the rows, and has less searched for garbage.

    Spark has a process collect garbage after each task: with all that is imported there, and in the
    others with a model, that took longer than the work of a small part. A closure: see `_task`.
    """

    def calm(rows: Iterator[Any]) -> Iterator[Any]:
        import gc  # noqa: PLC0415

        if not gc.get_freeze_count():
            gc.freeze()
        return rows

    return calm


def _wait(collecting: "_Collecting", jobs: Sequence[Job], report: Report) -> None:
    """Report until all is done, or has failed. Spark starts the tasks in the order of the jobs."""
    done = list(accumulate((job.weight for job in jobs), initial=0))
    try:
        while collecting.goes_on():
            report(done[min(collecting.finished(), len(jobs))])
    finally:
        collecting.cancel()
    if collecting.error is None:
        report(done[-1])


class _Collecting:
    """One action of Spark's, in its own thread: so that this one can report, and be stopped."""

    def __init__(
        self, session: "SparkSession", task: Callable[[Batches], Batches], jobs: Sequence[Job]
    ) -> None:
        self._context = session.sparkContext
        self._group = f"pipeline-{uuid4().hex}"
        self._about = f"{jobs[0].stage}, {len(jobs):,} jobs"
        self.parts: list[Part] = []
        """What the tasks return."""
        self.error: Exception | None = None
        self._finished = 0
        rows = self._context.parallelize([(pickle.dumps(job),) for job in jobs], len(jobs))
        rows = rows.mapPartitions(_calm())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)  # see `session`
            self._frame = session.createDataFrame(rows, "job binary").mapInArrow(task, RETURNED)
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        try:
            self._context.setJobGroup(self._group, self._about, interruptOnCancel=True)
            self.parts = [Part(*row) for row in self._frame.collect()]
        except Exception as error:  # noqa: BLE001 - raised in the other thread
            self.error = error

    def goes_on(self) -> bool:
        self._thread.join(REPORT_EVERY)
        return self._thread.is_alive()

    def finished(self) -> int:
        """Tasks that are done, and not only tried."""
        with suppress(*_lost()):  # if Java was killed the thread is told, too
            self._finished = self._counted()
        return self._finished

    def _counted(self) -> int:
        tracker = self._context.statusTracker()
        found = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(self._group)]
        stages = [tracker.getStageInfo(stage) for job in found if job for stage in job.stageIds]
        return sum(int(stage.numCompletedTasks) for stage in stages if stage)

    def cancel(self) -> None:
        if self._thread.is_alive():
            with suppress(*_lost()):
                self._context.cancelJobGroup(self._group)
            self._thread.join()


def raised(text: str, mark: str, stage: str) -> Exception:
    """What a task raised, or why there is no task any more.

    Of an exception Java keeps nothing but the text. What we have put there stands between marks
    that no document can know.
    """
    if found := re.search(rf"{mark} ([0-9a-f]+) {mark}", text):
        kind, values = json.loads(bytes.fromhex(found[1]))
        kinds: Mapping[str, type[Exception]] = {"system": OSError, "usage": UsageError}
        return kinds.get(kind, StageError)(*values)
    if KILLED.search(text):
        why = "one that was killed (is there enough memory?); run again to go on from here"
        return StageError(stage, None, None, "every executor to finish", why)
    return StageError(stage, None, None, "no error of Spark's", _first_line(text))


def _first_line(text: str) -> str:
    """What happened. What Java says comes after a line of Python's, and begins with a colon."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    java = [line.removeprefix(":").strip() for line in lines if line.startswith(":")]
    return next(iter([*java, *lines]), "one without a message")


def _check_shared(job: Job, parts: Sequence[Part]) -> None:
    there = {part.name for part in still_there(job.target, parts)}
    if missing := [part.name for part in parts if part.name not in there]:
        expected = f"{missing[0]} in {job.target}, where an executor has written it"
        raise StageError(job.stage, None, None, expected, "none: is the folder shared?")


def _vanished(job: Job) -> list[Part]:
    """Do a job that found none of its files, unless they are here, for us, all the time."""
    if there := [file.path for file in job.files if Path(file.path).exists()]:
        found = "an executor that does not: all machines must see INPUT at the same path"
        raise StageError(job.stage, job.name, None, f"every executor to see {there[0]}", found)
    return do(job, lambda _: None).parts


# --- where the tasks are done


def do_tasks(batches: Batches, told: str) -> Batches:
    """Do the jobs of which these are the rows, and return what they made.

    Raises RuntimeError, whose text says all that is to be known of the error.
    """
    for batch in batches:
        for row in batch.column(0).to_pylist():
            known = len(_seen)
            made = _do(pickle.loads(row), json.loads(told))  # noqa: S301 - our own: see _Collecting
            if len(_seen) > known:  # what this stage needs is loaded: it need not be searched
                gc.collect()
                gc.freeze()
            yield pa.RecordBatch.from_pylist([part._asdict() for part in made], _returned_schema())


@cache
def _returned_schema() -> pa.Schema:
    types = {"string": pa.string(), "int": pa.int32(), "long": pa.int64()}
    fields = (field.split() for field in RETURNED.split(", "))
    return pa.schema([(name, types[kind]) for name, kind in fields])


def _do(job: Job, told: Mapping[str, Any]) -> list[Part]:
    try:
        return _made(job, told)
    except Exception as error:  # nothing is swallowed: it is raised in a form that survives Java
        sent = json.dumps(_described(job, error)).encode().hex()
        raise RuntimeError(f"{error} ({told['mark']} {sent} {told['mark']})") from error


def _described(job: Job, error: Exception) -> tuple[str, Sequence[Any]]:
    if isinstance(error, StageError):
        return "stage", error.args
    if isinstance(error, UsageError):
        return "usage", error.args
    if isinstance(error, OSError):
        named = (error.errno, error.strerror, error.filename and str(error.filename))
        return "system", named if error.strerror else (str(error),)
    return "stage", (job.stage, job.name, None, "no error", f"{type(error).__name__}: {error}")


def _made(job: Job, told: Mapping[str, Any]) -> list[Part]:
    if job.config.model == told["model"]:  # the one that is shipped: it came with the package
        job = job._replace(config=job.config._replace(model=str(SHIPPED_MODEL)))
    _check_folder(job, told["holder"])
    _check_same(job, told["ingredients"])
    wanted = [file for file in job.files if not file.problem and not is_url(file.path)]
    if wanted and not any(Path(file.path).exists() for file in wanted):
        return [Part(UNSEEN, job.key, 0, 0, 0, "")]
    return do(job, _looking(job, told["holder"])).parts


def _check_folder(job: Job, holder: str) -> None:
    """Whether the output is the folder that the run holds: not another one of that name."""
    if not holder or lock_holder(job.target) != holder:
        expected = f"{job.target} to be the folder that the run was started on"
        found = f"another on {socket.gethostname()}, or another run in it"
        raise StageError(job.stage, job.name, None, expected, found)


def _looking(job: Job, holder: str) -> Callable[[int], None]:
    """For a task of a run that was killed: Spark may notice late, and somebody may run again."""
    last, pause = time.monotonic(), LOOK_FAR_EVERY if remote(job.target) else LOOK_EVERY

    def advance(_: int) -> None:
        nonlocal last
        if time.monotonic() - last >= pause:
            last = time.monotonic()
            _check_folder(job, holder)

    return advance


def _check_same(job: Job, expected: Mapping[str, Any]) -> None:
    found = _ingredients(job)
    for group, values in expected.items():
        if values != found[group]:
            ours, theirs = _difference(values, found[group])
            host = socket.gethostname()
            raise StageError(job.stage, job.name, None, f"{group} {ours}", f"{theirs} on {host}")


def _difference(one: Any, other: Any) -> tuple[str, str]:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return str(one)[:80], str(other)[:80]
    name = next(name for name in sorted({*one, *other}) if one.get(name) != other.get(name))
    return f"{name} {one.get(name, 'absent')}", f"{name} {other.get(name, 'absent')}"


_seen: dict[tuple[str, str, str], Mapping[str, Any]] = {}


def _ingredients(job: Job) -> Mapping[str, Any]:
    """Once for each stage: the model's files are read for it."""
    key = (job.stage, job.config.model, repr(job.config))
    if key not in _seen:
        _seen[key] = json.loads(json.dumps(ingredients(job.stage, job.config)))
    return _seen[key]
