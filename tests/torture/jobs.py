"""Jobs for workers, in a module that a worker can import."""

import errno
import os
import signal
import time

from pipeline.parts import Advance, Job
from pipeline.readers.compression import DamagedError
from pipeline.storage import Part


def does_nothing(_job: Job, _advance: Advance) -> list[Part]:
    time.sleep(0.05)
    return []


def dies(_job: Job, _advance: Advance) -> list[Part]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def finds_the_disk_full(_job: Job, _advance: Advance) -> list[Part]:
    raise OSError(errno.ENOSPC, "No space left on device", "/a/part")


def raises_what_cannot_be_sent(_job: Job, _advance: Advance) -> list[Part]:
    raise DamagedError("truncated", "of two arguments, of which the message is one")
