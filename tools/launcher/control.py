"""status, stop, kill, start, logs, tell, attach, down: from any terminal, beside a running `up` or without it."""
import os
import select
import signal
import socket
import sys
import time
from typing import Any, Optional

from launcher import process, ui
from launcher.central_api import CentralApi
from launcher.errors import EvnetError
from launcher.options import Options
from launcher.records import Record, RunDir
from launcher.supervisor import LogFollower, Supervisor, describe_exit, stop_leftovers

_STOP_S = 15.0
_DOWN_S = 120.0


def _running(run_dir: RunDir, name: str) -> Record:
    record = run_dir.load(name)
    if not record.is_running():
        raise EvnetError(f"{name} does not run ({_state(record)}); ./evnet start {name} starts it")
    return record


def _state(record: Record) -> str:
    if record.is_running():
        return "running"
    return describe_exit(record.exit) if record.exit is not None else "gone"


def command_kill(run_dir: RunDir, args: Options) -> int:
    record = _running(run_dir, args.service)
    Supervisor.run_quietly(record.kill_command)
    process.send_signal(record.pid, record.started, signal.SIGKILL)
    if not process.wait_gone(record.pid, record.started, _STOP_S):
        raise EvnetError(f"{record.name} (pid {record.pid}) does not die")
    print(f"{record.name} (pid {record.pid}) killed; ./evnet start {record.name} brings it back")
    return 0


def command_stop(run_dir: RunDir, args: Options) -> int:
    record = _running(run_dir, args.service)
    process.send_signal(record.pid, record.started, signal.SIGTERM)
    if not process.wait_gone(record.pid, record.started, _STOP_S):
        raise EvnetError(f"{record.name} (pid {record.pid}) has not stopped after {_STOP_S:.0f} s; "
                         f"./evnet kill {record.name} does not ask")
    Supervisor.run_quietly(record.stop_command)
    print(f"{record.name} (pid {record.pid}) stopped; ./evnet start {record.name} brings it back")
    return 0


def command_start(run_dir: RunDir, args: Options) -> int:
    """Asks the running `up`, whose child the service has to be."""
    if run_dir.supervisor_pid() is None:
        raise EvnetError("no network runs here: ./evnet up starts one")
    run_dir.load(args.service)  # names what there is
    directory = os.open(run_dir.path, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10.0)
            connection.connect(f"/proc/self/fd/{directory}/up.sock")
            connection.sendall(f"start {args.service}\n".encode("utf-8"))
            answer = connection.makefile(encoding="utf-8").readline().strip()
    except OSError as error:
        raise EvnetError(f"./evnet up does not take commands: {error.strerror or error}") from None
    finally:
        os.close(directory)
    verdict, _, text = answer.partition(": ")
    if verdict != "ok":
        raise EvnetError(text or "./evnet up gave no answer")
    print(text)
    return 0


def command_down(run_dir: RunDir, _args: Options) -> int:
    pid = run_dir.supervisor_pid()
    if pid is not None:
        started = process.start_time(pid)
        process.send_signal(pid, started, signal.SIGTERM)
        if not process.wait_gone(pid, started, _DOWN_S):
            raise EvnetError(f"./evnet up (pid {pid}) has not stopped after {_DOWN_S:.0f} s")
    stop_leftovers(run_dir)
    print("everything is stopped" if pid is not None else "no network runs here")
    return 0


# looking

def _print_file(follower: LogFollower) -> None:
    while True:
        lines = follower.read_lines()
        if not lines:
            return
        sys.stdout.write("".join(line + "\n" for line in lines))
        sys.stdout.flush()


def command_logs(run_dir: RunDir, args: Options) -> int:
    record = run_dir.load(args.service)
    follower = LogFollower(run_dir.log_path(record.name))
    _print_file(follower)
    while args.follow:
        time.sleep(0.1)
        _print_file(follower)
    return 0


def _type(run_dir: RunDir, name: str, text: str) -> None:
    try:
        descriptor = os.open(run_dir.keyboard_path(name), os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise EvnetError(f"{name} takes no commands now: {error.strerror}") from None
    with open(descriptor, "wb", buffering=0) as keyboard:
        keyboard.write(text.encode("utf-8") + b"\n")  # at most PIPE_BUF: never torn by another writer


def command_tell(run_dir: RunDir, args: Options) -> int:
    record = _running(run_dir, args.service)
    text = " ".join(args.words)
    if len(text) > 1000 or "\n" in text:
        raise EvnetError("one command of at most 1000 characters expected")
    follower = LogFollower(run_dir.log_path(record.name), os.path.getsize(run_dir.log_path(record.name)))
    _type(run_dir, record.name, text)
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:  # its answer goes to its log; show what comes at once
        _print_file(follower)
        time.sleep(0.05)
    return 0


def command_attach(run_dir: RunDir, args: Options) -> int:
    """Waits for the service to appear, since --tmux opens its panes before the network is up."""
    path = run_dir.record_path(args.service)
    while not path.exists():
        time.sleep(0.1)
    follower = LogFollower(run_dir.log_path(args.service))
    keyboard_open = True
    while True:
        _print_file(follower)
        if not keyboard_open:
            time.sleep(0.1)
        elif select.select([sys.stdin], [], [], 0.1)[0]:
            line = sys.stdin.readline()
            if not line:
                keyboard_open = False
            else:
                try:
                    _type(run_dir, args.service, line.rstrip("\n")[:1000])
                except EvnetError as error:
                    ui.complain(str(error))


# status

def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _print_services(records: list[Record]) -> None:
    print(ui.coloured(f"{'service':22} {'pid':>8} {'memory':>10} {'for':>14}  state", 97, bold=True))
    for record in records:
        running = record.is_running()
        pid = str(record.pid) if running else "-"
        memory = f"{process.memory_kb(record.pid) / 1024:.1f} MB" if running else "-"
        age = _duration(time.time() - record.started_at) if running else "-"
        print(f"{record.name:22} {pid:>8} {memory:>10} {age:>14}  "
              f"{ui.coloured(_state(record), 32 if running else 31)}")


_STATE_COLOURS = {"Offline": 90, "Faulted": 31, "Charging": 34, "Unavailable": 33, "Finishing": 36,
                  "Preparing": 93, "Available": 32}


def _print_charge_point(item: dict[str, Any]) -> None:
    state = str(item.get("state", "?"))
    session = item.get("session")
    now = ""
    if isinstance(session, dict):
        now = f"{(session.get('power_w') or 0) / 1000:6.1f} kW {(session.get('energy_wh') or 0) / 1000:8.3f} kWh"
    holds = ", ".join(map(str, item.get("holds") or []))
    print(f"{item.get('id', '?'):12} {item.get('city', '?'):14} {ui.coloured(f'{state:12}', _STATE_COLOURS.get(state, 0))}"
          f" {now:24} {holds}".rstrip())


def _http_of(records: list[Record]) -> Optional[str]:
    for record in records:
        if record.role == "central" and "--http" in record.argv:
            return f"http://{record.argv[record.argv.index('--http') + 1]}"
    return None


def command_status(run_dir: RunDir, _args: Options) -> int:
    """Exit 0 where every service runs, 1 where one does not, 3 where no network runs."""
    records = run_dir.load_all() if run_dir.path.is_dir() else []
    pid = run_dir.supervisor_pid()
    if pid is None and not any(record.is_running() for record in records):
        print("no network runs here: ./evnet up starts one")
        return 3
    print(f"./evnet up runs (pid {pid})" if pid is not None else "./evnet up is gone, but services run: ./evnet down")
    _print_services(records)
    url = _http_of(records)
    items = CentralApi(url).charge_points() if url else []
    if items:
        print()
        for item in items:
            _print_charge_point(item)
    elif url:
        print(f"\nCentral's API does not answer at {url}, or knows no charge point")
    return 0 if all(record.is_running() for record in records) else 1


def run(args: Options) -> int:
    run_dir = RunDir(args.state_dir)
    commands = {"kill": command_kill, "stop": command_stop, "start": command_start, "down": command_down,
                "logs": command_logs, "tell": command_tell, "attach": command_attach, "status": command_status}
    return commands[args.command](run_dir, args)
