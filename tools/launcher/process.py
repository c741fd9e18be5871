"""Processes that must not outlive their parent, and identities that a reused pid cannot fake."""
import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, Mapping, Optional, Sequence, Union

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Runs in the child before exec: even if the parent is killed with -9, nothing is left over."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def adopt_orphans() -> None:
    """What a service leaves behind becomes our child, so that it can be found and ended."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spawn(argv: Sequence[str], *, log: Union[Path, None], env: Optional[Mapping[str, str]] = None,
          cwd: Optional[Path] = None, stdin: Union[int, IO[bytes]] = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own (the terminal's Ctrl-C is ours to pass on, in order)."""
    parent = os.getpid()
    output = (os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
              if log is not None else subprocess.DEVNULL)
    try:
        return subprocess.Popen(argv, stdin=stdin, stdout=output, stderr=output, env=env, cwd=cwd,
                                start_new_session=True, preexec_fn=lambda: die_with_parent(parent))
    finally:
        if log is not None:
            os.close(output)


def start_time(pid: int) -> Optional[str]:
    """Clock ticks from boot to the start of this pid, with the boot's id; None where it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        return None
    return f"{boot}:{fields[19]}"


def is_running(pid: int, started: Optional[str]) -> bool:
    return started is not None and start_time(pid) == started


def send_signal(pid: int, started: Optional[str], number: int) -> bool:
    """Signals only the very process that was recorded. False where it is gone."""
    if not is_running(pid, started):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def memory_kb(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def wait_gone(pid: int, started: Optional[str], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while is_running(pid, started):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def children_of(parent: int) -> list[int]:
    """Our children that still run, services and adopted orphans alike."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] not in ("Z", "X"):
            found.append(int(entry.name))
    return found


def end_children() -> list[int]:
    """Ends whatever is still a child of ours, adopted orphans included; returns their pids."""
    found = children_of(os.getpid())
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 2
        for pid in children_of(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0] != 0:
                    pass
            if not children_of(os.getpid()):
                return found
            time.sleep(0.02)
    return found
