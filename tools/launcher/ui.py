"""What the launcher itself prints: progress with times, errors in one line."""
import os
import sys
import time

_STARTED = time.monotonic()
PALETTE = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)


def colours_wanted() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def coloured(text: str, code: int, bold: bool = False) -> str:
    if not colours_wanted():
        return text
    return f"\x1b[{'1;' if bold else ''}{code}m{text}\x1b[0m"


def elapsed_s() -> float:
    return time.monotonic() - _STARTED


def say(text: str) -> None:
    """A progress line: seconds since the command began, then what happens."""
    stamp = f"[{elapsed_s():6.1f} s]"
    print(f"{coloured(stamp, 90)} {text}", flush=True)


def complain(text: str) -> None:
    print(f"evnet: {text}", file=sys.stderr, flush=True)


def person_is_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
