"""Runs the services: starts them, shows their logs, says when one dies (and leaves it dead), stops all in order.

Services write to their log files themselves and this process only reads along, so that a terminal that stands
still (Ctrl-S, a slow link) never holds up a service.
"""
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Callable, Optional

from launcher import process, ui
from launcher.errors import EvnetError
from launcher.records import Record, RunDir

LOG_BYTES_MAX = 64 << 20  # a service's log is begun again beyond this; a demonstration may run for weeks
_READ_BYTES = 1 << 16
_NAME_WIDTH = 15
_TICK_S = 0.1
_STOP_S = 10.0  # for each role; what is still there then is killed
_PASSED_ON = ("EV_LOG_FORMAT", "EV_LOG_LEVEL")
# Supply ends at the engines first, so that the final meters still reach Central through the monitors.
_STOP_ORDER = ("gui", "driver", "cp_engine", "cp_monitor", "weather", "central", "registry", "broker")


class Stopped(Exception):
    """Ctrl-C, SIGTERM, SIGHUP, or ./evnet down."""


def service_environment(extra: dict[str, str]) -> dict[str, str]:
    """EV_KAFKA and the like are the launcher's own options here; a service gets what its flags say."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("EV_") or key in _PASSED_ON}
    env.update(extra)
    return env


def describe_exit(status: int) -> str:
    if status == 0:
        return "ended (exit 0)"
    if status > 0:
        return f"ended with exit {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


class LogFollower:
    """Reads whole lines out of a growing file, which may be begun again."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self._offset = offset
        self._partial = b""

    def read_lines(self) -> list[str]:
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._offset:
                    self._offset, self._partial = 0, b""
                if size == self._offset:
                    return []
                file.seek(self._offset)
                data = file.read(_READ_BYTES)
        except OSError:
            return []
        self._offset += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > _READ_BYTES:  # no line is that long; show it as it is
            lines.append(self._partial)
            self._partial = b""
        return [line.decode("utf-8", "replace") for line in lines]


class Supervisor:
    def __init__(self, run_dir: RunDir) -> None:
        self.run_dir = run_dir
        self.records: dict[str, Record] = {}
        self._followers: dict[str, LogFollower] = {}
        self._by_pid: dict[int, str] = {}
        self._keyboards: dict[str, int] = {}
        self._stop_signal: Optional[int] = None
        self._signals_seen = 0
        self._terminal_gone = False
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._listener = self._listen()
        self._wakeup = self._catch_signals()
        process.adopt_orphans()

    def _listen(self) -> socket.socket:
        path = self.run_dir.path / "up.sock"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        directory = os.open(self.run_dir.path, os.O_PATH | os.O_DIRECTORY)
        try:  # a socket's path holds 107 bytes; through the descriptor any directory will do
            listener.bind(f"/proc/self/fd/{directory}/up.sock")
        finally:
            os.close(directory)
        os.chmod(path, 0o600)
        listener.listen(8)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        return listener

    def _catch_signals(self) -> int:
        read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(read_end, selectors.EVENT_READ)
        return read_end

    def _on_stop_signal(self, number: int, _frame: object) -> None:
        self._stop_signal = number
        self._signals_seen += 1

    # starting

    def start(self, record: Record) -> None:
        """Starts a service, or starts it again with the same command line."""
        name = record.name
        running = self.records.get(name)
        if running is not None and running.is_running():
            raise EvnetError(f"{name} runs already (pid {running.pid})")
        if not os.access(record.argv[0], os.X_OK):
            raise EvnetError(f"{record.argv[0]} is not there, or is no program")
        log = self.run_dir.log_path(name)
        if name not in self._followers:
            if log.exists():
                os.replace(log, log.with_suffix(".log.1"))
            self._followers[name] = LogFollower(log)
        child = process.spawn(record.argv, log=log, env=service_environment(record.env),
                              cwd=self.run_dir.state_dir, stdin=self._keyboard(name))
        child.returncode = 0  # reaped by _reap(), not by subprocess
        record.pid = child.pid
        record.started = process.start_time(child.pid)
        record.started_at = time.time()
        record.exit = None
        record.log = str(log)
        self._by_pid[child.pid] = name
        self.records[name] = record
        self.run_dir.store(record)

    def _keyboard(self, name: str) -> int:
        """A FIFO that both we and the service hold open for writing, so that it never sees end of input."""
        if name not in self._keyboards:
            path = self.run_dir.keyboard_path(name)
            path.unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
            self._keyboards[name] = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        return self._keyboards[name]

    # what happens meanwhile

    def pump(self, timeout_s: float = _TICK_S) -> None:
        """One turn: signals, requests, deaths, logs. Raises Stopped when all shall end."""
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._listener:
                self._serve_request()
            else:
                self._drain_wakeup()
        self._reap()
        self._show_logs()
        if self._stop_signal is not None and not self._stopping:
            raise Stopped(signal.Signals(self._stop_signal).name)

    def _drain_wakeup(self) -> None:
        try:
            while os.read(self._wakeup, 512):
                pass
        except BlockingIOError:
            pass

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.pump()
        return True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._by_pid.pop(pid, None)
            if name is None:
                continue  # an orphan that we had adopted
            record = self.records[name]
            record.exit = os.waitstatus_to_exitcode(status)
            self.run_dir.store(record)
            if not self._stopping:
                self._show_logs()
                self.say(f"{name} (pid {pid}) {describe_exit(record.exit)}; nothing restarts it by itself: "
                         f"./evnet start {name}")

    def _serve_request(self) -> None:
        """One line in ("start NAME"), one line out. Only this user can open the socket."""
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(1.0)
            try:
                words = connection.recv(256).decode("utf-8", "replace").split()
                connection.sendall((self._answer(words) + "\n").encode("utf-8"))
            except OSError:
                pass

    def _answer(self, words: list[str]) -> str:
        if len(words) != 2 or words[0] != "start":
            return "error: `start SERVICE` expected"
        if self._stopping:
            return "error: the network is being stopped"
        self._reap()
        record = self.records.get(words[1])
        if record is None:
            return f"error: there is no service {words[1]!r}; there are: {', '.join(self.records)}"
        try:
            self.start(record)
        except (EvnetError, OSError) as error:
            return f"error: {error}"
        self.say(f"{record.name} started again (pid {record.pid})")
        return f"ok: {record.name} runs again (pid {record.pid})"

    # showing

    def _write(self, text: str) -> None:
        if self._terminal_gone:
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # the terminal was closed, or `| head` has seen enough
            self._terminal_gone = True
            self._stop_signal = self._stop_signal or signal.SIGHUP
            sys.stdout = open(os.devnull, "w", encoding="utf-8")

    def say(self, text: str) -> None:
        self._write(f"{ui.coloured('evnet'.ljust(_NAME_WIDTH), 97, bold=True)} {text}")

    def _show_logs(self) -> None:
        for name, follower in self._followers.items():
            for line in follower.read_lines():
                colour = ui.PALETTE[sum(name.encode()) % len(ui.PALETTE)]
                self._write(f"{ui.coloured(name.ljust(_NAME_WIDTH), colour)} {line}")
            self._cap_log(follower.path)

    @staticmethod
    def _cap_log(path: Path) -> None:
        try:
            if path.stat().st_size > LOG_BYTES_MAX:
                os.truncate(path, 0)  # its writer appends, so it goes on at the new end
        except OSError:
            pass

    # stopping

    def stop_all(self) -> None:
        """Role by role: SIGTERM, a deadline, SIGKILL. A second Ctrl-C skips the waiting."""
        self._stopping = True
        already_seen = self._signals_seen
        for role in sorted({record.role for record in self.records.values()}, key=_stop_order):
            group = [record for record in self.records.values() if record.role == role]
            for record in group:
                process.send_signal(record.pid, record.started, signal.SIGTERM)
            deadline = time.monotonic() + _STOP_S
            while self._remaining(group):
                if time.monotonic() > deadline or self._signals_seen > already_seen:
                    self._kill_group(self._remaining(group))
                    break
                self.pump(0.02)
            for record in group:
                self.run_quietly(record.stop_command)
        process.end_children()  # what services started and left behind
        self._close()

    def _kill_group(self, group: list[Record]) -> None:
        for record in group:
            self.say(f"{record.name} (pid {record.pid}) did not stop in time: SIGKILL")
            process.send_signal(record.pid, record.started, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while self._remaining(group) and time.monotonic() < deadline:
            self.pump(0.02)

    def _remaining(self, group: list[Record]) -> list[Record]:
        """Until it is reaped: Java's first thread may be gone while others still hold the port."""
        return [record for record in group if record.pid in self._by_pid]

    @staticmethod
    def run_quietly(command: list[str]) -> None:
        if command:
            child = process.spawn(command, log=None)
            child.wait()

    def _close(self) -> None:
        self._reap()
        self._show_logs()
        (self.run_dir.path / "up.sock").unlink(missing_ok=True)
        for name, descriptor in self._keyboards.items():
            os.close(descriptor)
            self.run_dir.keyboard_path(name).unlink(missing_ok=True)
        self._keyboards.clear()


def _stop_order(role: str) -> int:
    return _STOP_ORDER.index(role) if role in _STOP_ORDER else 0


def stop_leftovers(run_dir: RunDir) -> None:
    """Ends what an `up` that died on the spot may have left."""
    left = [record for record in run_dir.load_all() if record.is_running()]
    for record in sorted(left, key=lambda record: _stop_order(record.role)):
        ui.say(f"{record.name} (pid {record.pid}) is left from an earlier run: stopping it")
        process.send_signal(record.pid, record.started, signal.SIGTERM)
        if not process.wait_gone(record.pid, record.started, _STOP_S):
            process.send_signal(record.pid, record.started, signal.SIGKILL)
            process.wait_gone(record.pid, record.started, 5)
