"""The one exception that ends a command with one line."""


class EvnetError(Exception):
    """Something that the person at the keyboard can act on; printed without a traceback."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(EvnetError):
    """A bad command line: exit 2, as every program of the suite does."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=2)
