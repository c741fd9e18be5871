"""A small network of shell processes under the real supervisor, driven by the real ./evnet."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from launcher.records import Record, RunDir  # noqa: E402
from launcher import process  # noqa: E402

DEADLINE_S = 20.0


def wait_for(condition, what, timeout_s=DEADLINE_S):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for: {what}"
        time.sleep(0.02)


def shell(name, role, script):
    """A service that is a line of shell."""
    return {"name": name, "role": role, "argv": ["/bin/sh", "-c", script]}


class Network:
    def __init__(self, state_dir):
        self.state_dir = state_dir
        self.run_dir = RunDir(state_dir)
        self.output = state_dir.parent / "output"
        self.child = None

    def up(self, *services):
        records = self.state_dir.parent / "records.json"
        records.write_text(json.dumps(list(services)), encoding="utf-8")
        with open(self.output, "wb") as output:
            self.child = subprocess.Popen([sys.executable, "-B", str(Path(__file__).parent / "supervise.py"),
                                           str(self.state_dir), str(records)], stdin=subprocess.DEVNULL,
                                          stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        wait_for(lambda: "all started" in self.shown(), "the network to be up")

    def shown(self):
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    def evnet(self, *words):
        env = {key: value for key, value in os.environ.items() if not key.startswith("EV_")}
        return subprocess.run([str(ROOT / "evnet"), words[0], "--state-dir", str(self.state_dir), *words[1:]],
                              capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=env,
                              check=False)

    def record(self, name) -> Record:
        return self.run_dir.load(name)

    def end(self, number=signal.SIGINT):
        self.child.send_signal(number)
        return self.child.wait(60)

    def clean_up(self):
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        if self.run_dir.path.is_dir():
            for record in self.run_dir.load_all():
                process.send_signal(record.pid, record.started, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
