"""What runs, as files under .evnet/run/, so that another terminal can stop, kill and start it.

NAME.json   the command line and the process that it became (mode 0600: invitations are in its environment)
NAME.stdin  a FIFO: the service's keyboard
up.pid      the supervisor; locked for as long as it runs
up.sock     where it takes `start`
"""
import fcntl
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Optional

from launcher import process
from launcher.errors import EvnetError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass
class Record:
    """One service. `exit` is None while it runs, else the exit status, negative for a signal."""
    name: str
    role: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    log: str = ""
    pid: int = 0
    started: Optional[str] = None  # process.start_time
    started_at: float = 0.0  # seconds since 1970
    exit: Optional[int] = None
    kill_command: list[str] = field(default_factory=list)  # where the process is only a client of what runs
    stop_command: list[str] = field(default_factory=list)

    def is_running(self) -> bool:
        return self.exit is None and self.pid > 0 and process.is_running(self.pid, self.started)


class RunDir:
    """.evnet/run"""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.path = state_dir / "run"
        self.logs = state_dir / "logs"
        self._lock_fd: Optional[int] = None

    def create(self) -> None:
        for directory in (self.state_dir, self.path, self.logs):
            try:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise EvnetError(f"cannot create {directory}: {error.strerror}") from None

    def record_path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name.startswith("."):
            raise EvnetError(f"{name!r} is no service's name")
        return self.path / f"{name}.json"

    def keyboard_path(self, name: str) -> Path:
        return self.record_path(name).with_suffix(".stdin")

    def log_path(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def store(self, record: Record) -> None:
        """Atomically: a reader sees the old record or the new one."""
        path = self.record_path(record.name)
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(record), file, indent=1)
        os.replace(temporary, path)

    def load(self, name: str) -> Record:
        path = self.record_path(name)
        try:
            return Record(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            known = ", ".join(record.name for record in self.load_all())
            raise EvnetError(f"there is no service {name!r}" + (f"; there are: {known}" if known else
                                                               "; none was started (./evnet up)")) from None
        except (ValueError, TypeError) as error:
            raise EvnetError(f"{path} cannot be read: {error}") from None

    def load_all(self) -> list[Record]:
        """In the order in which they were first started."""
        records = [self.load(path.stem) for path in self.path.glob("*.json")]
        return sorted(records, key=lambda record: (role_order(record.role), natural(record.name)))

    def forget(self, name: str) -> None:
        self.record_path(name).unlink(missing_ok=True)
        self.keyboard_path(name).unlink(missing_ok=True)

    def lock(self) -> None:
        """Refuses a second `up` on the same state directory. Held until the process ends."""
        descriptor = os.open(self.path / "up.pid", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise EvnetError(f"a network already runs here (./evnet up is pid {pid}): ./evnet status shows it, "
                             "./evnet down stops it") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._lock_fd = descriptor

    def supervisor_pid(self) -> Optional[int]:
        """The pid of the `up` that holds the lock; None where none does."""
        try:
            descriptor = os.open(self.path / "up.pid", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except OSError:
            text = os.read(descriptor, 32).decode("ascii", "replace").strip()
            return int(text) if text.isdigit() else None
        finally:
            os.close(descriptor)


_ROLES = ("broker", "registry", "central", "weather", "cp_engine", "cp_monitor", "driver", "gui")


def role_order(role: str) -> int:
    return _ROLES.index(role) if role in _ROLES else len(_ROLES)


def natural(name: str) -> list[tuple[int, str]]:
    """driver-2 before driver-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]
