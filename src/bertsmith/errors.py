"""What a user can fix, told apart from what is our bug.

A `UserError` states the rule, the fact (file, line, value) and the way out. The command line
prints it as one message and exits with 2; every other exception is a bug of ours and exits with 1.
"""


class UserError(ValueError):
    """Something the user can fix: bad input, a bad option, a full disk.

    `code` is a short stable name for programs, `where` the place (`train.csv:17`), if there is one.
    """

    def __init__(self, message: str, *, code: str = "bad_input", where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.where = where

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.code, self.where))


def _rebuild(kind: type[UserError], message: str, code: str, where: str | None) -> UserError:
    return kind(message, code=code, where=where)


class Interrupted(Exception):
    """Ctrl-C or SIGTERM arrived and the state is saved: exit code 130."""
