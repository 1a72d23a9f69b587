"""One job, wherever its files are: what lies in a store is fetched, and what is made is sent."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.accounts import counted
from pipeline.parts import Advance, Job, SourceFile
from pipeline.remote import is_url, place, remote, stamp
from pipeline.tally import Made, peak_bytes


def do(job: Job, advance: Advance) -> Made:
    """Do the job, and count what it made and took.

    If something of it is in a store, by way of a folder that is here for as long.
    """
    started = time.monotonic()
    target = remote(job.target)
    reads = [path for path, _ in job.reads if remote(path)]
    if target is None and not reads and not any(is_url(file.path) for file in job.files):
        parts = job.make(job, advance)
        tally = counted(job.target, parts)
    else:
        with TemporaryDirectory(prefix="pipeline-") as folder:
            fetched = _fetched(job, Path(folder))
            parts = job.make(fetched, advance)
            tally = counted(fetched.target, parts)
            if target is not None:  # the marker last: if it is there, so are the others
                for part in sorted(parts, key=lambda part: part.name == job.marker):
                    (target / part.name).send(fetched.target / part.name)
    return Made(parts, tally._replace(seconds=time.monotonic() - started, peak_bytes=peak_bytes()))


def _fetched(job: Job, folder: Path) -> Job:
    files = tuple(_file(file, folder / "in" / f"{i}") for i, file in enumerate(job.files))
    reads = tuple(
        (_read(path, folder / "read" / f"{i}"), columns)
        for i, (path, columns) in enumerate(job.reads)
    )
    target = folder / "out" if remote(job.target) else job.target
    if remote(job.target):
        target.mkdir()
    return job._replace(files=files, reads=reads, target=target)


def _read(path: Path, here: Path) -> Path:
    if (there := remote(path)) is None:
        return path
    there.fetch(here)
    return here


def _file(file: SourceFile, here: Path) -> SourceFile:
    """The file as a copy, whose time is that in ``file`` if it is what the run has listed."""
    there = remote(place(file.path)) if is_url(file.path) and not file.problem else None
    if there is None:
        return file
    try:
        there.fetch(here)
        # As it was listed: asked for one file alone, a store may put it in other words.
        same = [stamp(info) for info in there.files().values()] == [file.hash]
    except FileNotFoundError:
        return file._replace(path=str(here.with_name("vanished")))
    except PermissionError as error:
        return file._replace(problem=error.strerror or "no permission to read it")
    os.utime(here, ns=(file.modified, file.modified if same else file.modified + 1))
    return file._replace(path=str(here))
