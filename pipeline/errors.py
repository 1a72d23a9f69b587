"""What can go wrong, as one line that a person can act on."""


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
