"""What can go wrong, as one line that a person can act on."""

import errno

OURS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of the system that tell of this machine, and never of the file that is read."""


def is_ours(error: OSError) -> bool:
    """Whether it would come of any other file, too: then none must be rejected for it."""
    return error.errno in OURS


def advice(error: OSError) -> str:
    """The error, and what to do about it.

    >>> advice(OSError(errno.ENOSPC, "No space left on device", "/data/corpus/.part.tmp"))
    '/data/corpus/.part.tmp: No space left on device: make room; the same command goes on from here'
    """
    found = error.strerror or str(error)
    text = f"{error.filename}: {found}" if error.filename else found
    todo = ADVICE.get(error.errno or 0)
    return f"{text}: {todo}" if todo else text


_GO_ON = "the same command goes on from here"
ADVICE = {
    errno.ENOSPC: f"make room; {_GO_ON}",
    errno.EDQUOT: f"make room in your quota; {_GO_ON}",
    errno.EFBIG: f"raise the limit on the size of files (ulimit -f); {_GO_ON}",
    errno.EMFILE: f"raise the limit on open files (ulimit -n); {_GO_ON}",
    errno.ENFILE: f"too many files are open on this machine; {_GO_ON}",
    errno.ENOMEM: f"use fewer --workers; {_GO_ON}",
    errno.EROFS: "name an output that can be written to",
    errno.EACCES: "mend its permissions, or name another",
    errno.EPERM: "mend its permissions, or name another",
    errno.EIO: f"look at the disk; {_GO_ON}",
    errno.ENOENT: "was it removed meanwhile? Run again",
}


class UsageError(Exception):
    """The command was used wrongly. The message says what to do instead; exit status 2."""


class StageError(Exception):
    """A stage cannot go on. Says where, what was expected and what was found; exit status 1.

    >>> print(StageError("flag", "part-00000-00001", "9f3c", "2 rows", "1 row"))
    flag, part-00000-00001, document 9f3c: expected 2 rows, found 1 row
    """

    def __init__(
        self, stage: str, part: str | None, doc_id: str | None, expected: str, found: str
    ) -> None:
        super().__init__(stage, part, doc_id, expected, found)  # all of them: it is pickled

    def __str__(self) -> str:
        stage, part, doc_id, expected, found = self.args
        where = [stage, part, doc_id and f"document {doc_id}"]
        return f"{', '.join(filter(None, where))}: expected {expected}, found {found}"
