"""A real engine and a real monitor with a Central that the test plays: what each does when another is gone."""
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest
from fake_central import Authority, FakeCentral, wait_for

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("EV_BUILD_DIR", ROOT / "build" / "dev")) / "bin"
PATIENCE = float(os.environ.get("EV_TEST_PATIENCE", "1"))
SESSIONS = [f"01HZZZZZZZZZZZZZZZZZZZZZ{n:02d}" for n in range(20)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    def __init__(self, name: str, argv: list[str], directory: Path) -> None:
        self.argv = argv
        self.log_path = directory / f"{name}.log"
        self.child: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> None:
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def say(self, line: str) -> None:
        assert self.child is not None and self.child.stdin is not None
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()
        self.child = None

    def stop(self) -> None:
        if self.child is not None:
            self.child.send_signal(signal.SIGTERM)
            code = self.child.wait(20 * PATIENCE)
            self.child = None
            assert code == 0, f"ended with {code}:\n{self.log[-3000:]}"

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, text: str, seconds: float = 15) -> None:
        try:
            wait_for(f"`{text}` in {self.log_path.name}", lambda: text in self.log, seconds * PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-3000:]}") from None


class Pair:
    def __init__(self, directory: Path) -> None:
        self.dir = directory
        self.authority = Authority(directory / "authority")
        # Nobody listens there: the broker is away, and nothing but telemetry may mind.
        self.central = FakeCentral(self.authority, f"127.0.0.1:{free_port()}")
        self.port = free_port()
        self.id = "MAD-01"
        self.engine: Process
        self.monitor: Process

    def make(self, count: Optional[int] = None, **engine_options: str) -> "Pair":
        options = {"max-kw": "22", "speed": "60", **{k.replace("_", "-"): v for k, v in engine_options.items()}}
        many = [] if count is None else ["--count", str(count)]
        argv = [str(BIN / "ev_cp_engine"), "--state-dir", str(self.dir / "engine"), "--listen",
                f"127.0.0.1:{self.port}", "--pairing-file", str(self.dir / "pairing"), *many]
        for name, value in options.items():
            argv += [f"--{name}", value]
        self.engine = Process("engine", argv, self.dir)
        self.monitor = Process("monitor", [
            str(BIN / "ev_cp_monitor"), "--state-dir", str(self.dir / "monitor"), "--engine", f"127.0.0.1:{self.port}",
            "--pairing-file", str(self.dir / "pairing"), "--central", f"127.0.0.1:{self.central.port}", "--registry",
            f"https://127.0.0.1:{free_port()}", "--id", self.id, "--city", "Madrid", *many], self.dir)
        if count is None:
            self.authority.issue("cp", self.id, self.dir / "monitor")
        for n in range(1, (count or 0) + 1):
            self.authority.issue("cp", f"{self.id}-{n:04d}", self.dir / "monitor" / f"{self.id}-{n:04d}")
        return self

    def start(self) -> "Pair":
        self.engine.start()
        self.monitor.start()
        self.central.wait("key_ack", 15 * PATIENCE)
        return self

    def charge(self, session_id: str, target_wh: int = 0) -> dict[str, Any]:
        """Authorise, plug, and wait until energy has been journalled."""
        self.central.authorise(self.id, session_id, target_wh)
        self.central.wait("status", 5 * PATIENCE, supply="preparing", session_id=session_id)
        self.engine.say("plug")
        started = self.central.wait("supply_started", 5 * PATIENCE, session_id=session_id)
        wait_for("energy in the journal", lambda: self.journal()[session_id]["energy_wms"] > 0, 10 * PATIENCE)
        return started

    def journal(self) -> dict[str, Any]:
        done = subprocess.run([BIN / "ev_cp_engine", "journal", "--state-dir", self.dir / "engine"], check=True,
                              capture_output=True, text=True, timeout=10 * PATIENCE)
        return {entry["session_id"]: entry for entry in map(json.loads, done.stdout.splitlines())}

    def check_ended(self, session_id: str, reason: str, seconds: float = 10, after: float = 0) -> dict[str, Any]:
        ended = self.central.wait("supply_ended", seconds * PATIENCE, after=after, session_id=session_id)
        entry = self.journal()[session_id]
        assert ended["stop_reason"] == reason == entry["stop_reason"]
        assert int(ended["energy_wms"]) == entry["energy_wms"] > 0
        return ended


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    try:
        yield made
        made.monitor.stop()
        made.engine.stop()
    finally:
        made.central.stop()
        for process in (made.monitor, made.engine):
            if process.child is not None:
                process.kill()


def test_a_charge_up_to_its_target_is_settled_to_the_watt_hour(pair: Pair) -> None:
    pair.make().start()
    hello = pair.central.wait("hello")
    assert (hello["cause"], hello["version"]) == ("automatic", 1)
    pair.charge(SESSIONS[0], target_wh=1234)
    ended = pair.check_ended(SESSIONS[0], "target")
    assert int(ended["energy_wms"]) == 1234 * 3_600_000
    assert ended["ended_at_ms"] > ended["started_at_ms"]
    wait_for("the journal to know that it is settled", lambda: pair.journal()[SESSIONS[0]]["settled"], 5 * PATIENCE)
    status = pair.central.wait("status", supply="none", plugged=True)
    assert status["engine_ok"] and status["fault"] == "" and status["speed"] == 60
    pair.engine.say("unplug")
    pair.central.wait("status", after=status["arrived"], supply="none", plugged=False)


@pytest.mark.parametrize("reason", ["driver", "admin", "weather", "revoked", "key_dropped", "deregistered"])
def test_central_orders_the_end(pair: Pair, reason: str) -> None:
    pair.make().start()
    pair.charge(SESSIONS[0])
    pair.central.send(pair.id, {"type": "stop", "session_id": SESSIONS[0], "reason": reason})
    pair.check_ended(SESSIONS[0], reason)


def test_unplug_and_fault_end_supply(pair: Pair) -> None:
    pair.make().start()
    pair.charge(SESSIONS[0])
    pair.engine.say("unplug")
    pair.check_ended(SESSIONS[0], "unplugged")
    pair.charge(SESSIONS[1])
    pair.engine.say("fault")
    ended = pair.check_ended(SESSIONS[1], "fault")
    status = pair.central.wait("status", after=ended["arrived"] - 1, fault="out of order (command)")
    pair.engine.say("repair")
    pair.central.wait("status", after=status["arrived"], fault="")


def test_a_killed_monitor_ends_supply_within_three_seconds(pair: Pair) -> None:
    pair.make().start()
    pair.charge(SESSIONS[0])
    killed_ms = time.time() * 1000
    killed = time.monotonic()
    pair.monitor.kill()
    wait_for("the end in the journal", lambda: pair.journal()[SESSIONS[0]]["stop_reason"], 10 * PATIENCE)
    if PATIENCE == 1:
        assert time.monotonic() - killed < 3.2
    pair.monitor.start()
    ended = pair.check_ended(SESSIONS[0], "monitor_lost", after=killed)
    assert 0 < ended["ended_at_ms"] - killed_ms <= 3000 * PATIENCE
    wait_for("the settlement", lambda: pair.journal()[SESSIONS[0]]["settled"], 5 * PATIENCE)


def test_a_monitor_that_returns_at_once_ends_nothing(pair: Pair) -> None:
    pair.make().start()
    pair.charge(SESSIONS[0])
    killed = time.monotonic()
    pair.monitor.kill()
    pair.monitor.start()
    status = pair.central.wait("status", 10 * PATIENCE, after=killed, sync=True)
    assert (status["supply"], status["session_id"]) == ("charging", SESSIONS[0])


def test_a_killed_engine_reports_its_journal_when_it_returns(pair: Pair) -> None:
    pair.make().start()
    pair.charge(SESSIONS[0])
    killed = time.monotonic()
    pair.engine.kill()
    before = pair.journal()[SESSIONS[0]]
    assert before["stop_reason"] is None and before["energy_wms"] > 0
    lost = pair.central.wait("status", 10 * PATIENCE, after=killed, engine_ok=False)
    assert lost["arrived"] - killed < 3 * PATIENCE
    pair.engine.start()
    ended = pair.check_ended(SESSIONS[0], "engine_lost", after=killed)
    assert int(ended["energy_wms"]) == before["energy_wms"]
    sync = pair.central.wait("status", 10 * PATIENCE, after=killed, sync=True)
    assert ended["arrived"] < sync["arrived"] and sync["supply"] == "none" and sync["engine_ok"]
    wait_for("the settlement", lambda: pair.journal()[SESSIONS[0]]["settled"], 5 * PATIENCE)


def test_an_engine_that_is_stopped_in_order_reports_before_it_goes(pair: Pair) -> None:
    pair.make().start()
    pair.charge(SESSIONS[0])
    pair.engine.stop()
    pair.check_ended(SESSIONS[0], "engine_lost")


def test_what_is_not_settled_is_reported_on_every_connection(pair: Pair) -> None:
    pair.central.settles = False
    pair.make().start()
    pair.charge(SESSIONS[0])
    pair.engine.say("unplug")
    first = pair.check_ended(SESSIONS[0], "unplugged")
    pair.central.cut()
    pair.central.settles = True
    pair.central.listening = True
    again = pair.check_ended(SESSIONS[0], "unplugged", 20, after=first["arrived"])
    assert again["energy_wms"] == first["energy_wms"]
    wait_for("the settlement", lambda: pair.journal()[SESSIONS[0]]["settled"], 5 * PATIENCE)


def test_a_cut_to_central_ends_no_supply_but_a_reservation(pair: Pair) -> None:
    pair.make().start()
    pair.charge(SESSIONS[0])
    cut = time.monotonic()
    pair.central.cut()
    pair.monitor.wait_log("central.lost")
    meter = pair.journal()[SESSIONS[0]]["energy_wms"]
    wait_for("energy to flow on", lambda: pair.journal()[SESSIONS[0]]["energy_wms"] > meter, 5 * PATIENCE)
    pair.central.listening = True
    status = pair.central.wait("status", 30 * PATIENCE, after=cut, sync=True)
    assert (status["supply"], status["session_id"]) == ("charging", SESSIONS[0])
    pair.engine.say("unplug")
    pair.check_ended(SESSIONS[0], "unplugged")
    pair.central.authorise(pair.id, SESSIONS[1])
    pair.central.wait("status", supply="preparing", session_id=SESSIONS[1])
    cut = time.monotonic()
    pair.central.cut()
    pair.engine.wait_log("control_lost")
    pair.engine.say("plug")
    pair.central.listening = True
    status = pair.central.wait("status", 30 * PATIENCE, after=cut, sync=True)
    assert status["supply"] == "none" and status["plugged"]


def test_nobody_plugs_in(pair: Pair) -> None:
    pair.make().start()
    pair.central.authorise(pair.id, SESSIONS[0], prepare_ms=1000)
    ended = pair.central.wait("reservation_ended", 5 * PATIENCE, session_id=SESSIONS[0])
    assert ended["reason"] == "expired"
    assert SESSIONS[0] not in pair.journal()


def test_maintenance_ends_supply_and_survives_a_restart(pair: Pair) -> None:
    pair.make().start()
    pair.charge(SESSIONS[0])
    pair.monitor.say("maintenance on")
    pair.check_ended(SESSIONS[0], "maintenance")
    pair.central.wait("status", maintenance=True, supply="none")
    killed = time.monotonic()
    pair.monitor.kill()
    pair.monitor.start()
    assert pair.central.wait("status", 15 * PATIENCE, after=killed, sync=True)["maintenance"]
    pair.monitor.say("maintenance off")
    pair.central.wait("status", 5 * PATIENCE, after=killed, maintenance=False)


def test_sequence_numbers_are_acknowledged_and_begin_anew(pair: Pair) -> None:
    pair.make().start()
    first = pair.central.wait("key_ack")
    assert (first["old_epoch"], first["old_last_sequence"]) == (0, -1)
    pair.charge(SESSIONS[0])
    second_epoch = pair.central.send_key(pair.id)
    second = pair.central.wait("key_ack", epoch=second_epoch)
    assert second["old_epoch"] == first["epoch"] and second["old_last_sequence"] >= 2
    third_epoch = pair.central.send_key(pair.id)
    third = pair.central.wait("key_ack", epoch=third_epoch)
    assert third["old_epoch"] == second_epoch and 0 <= third["old_last_sequence"] <= 1
    killed = time.monotonic()
    pair.engine.kill()
    pair.engine.start()
    fresh = pair.central.wait("key_ack", 15 * PATIENCE, after=killed)
    assert (fresh["old_epoch"], fresh["old_last_sequence"]) == (0, -1)


def test_a_dropped_key_waits_for_the_operator(pair: Pair) -> None:
    pair.make().start()
    pair.central.refuse_code = "key_dropped"
    pair.central.cut()
    pair.central.listening = True
    pair.monitor.wait_log("central.refused", 30)
    pair.central.refuse_code = None
    before = time.monotonic()
    pair.monitor.say("status")
    pair.monitor.wait_log("`connect` authenticates again")
    pair.monitor.say("connect")
    hello = pair.central.wait("hello", 10 * PATIENCE, after=before)
    assert hello["cause"] == "operator"
    pair.central.wait("status", 10 * PATIENCE, after=before, sync=True)


def test_a_charge_is_asked_for_at_the_charge_point(pair: Pair) -> None:
    pair.make().start()
    pair.monitor.say("charge anna 2.5")
    request = pair.central.wait("charge_request")
    assert (request["driver_id"], request["target_wh"]) == ("anna", 2500)
    pair.central.send(pair.id, {"type": "charge_answer", "request_id": request["request_id"], "accepted": False,
                                "reason": "driver_busy", "session_id": ""})
    pair.monitor.wait_log("Refused: ")


def test_cars_plug_in_and_out_by_themselves(pair: Pair) -> None:
    pair.make(auto_plug="0", auto_unplug="0").start()
    for session_id in SESSIONS[:3]:
        pair.central.authorise(pair.id, session_id, 500)
        pair.check_ended(session_id, "target")
        after = pair.central.wait("supply_ended", session_id=session_id)["arrived"]
        pair.central.wait("status", after=after - 1, supply="none", plugged=False)


def test_a_full_disk_ends_supply_on_the_journalled_meter(pair: Pair) -> None:
    pair.make()
    pair.start()
    pair.charge(SESSIONS[0])
    assert pair.engine.child is not None
    size = (pair.dir / "engine" / "journal").stat().st_size
    subprocess.run(["prlimit", f"--pid={pair.engine.child.pid}", f"--fsize={size + 100}:"], check=True)
    ended = pair.central.wait("supply_ended", 10 * PATIENCE, session_id=SESSIONS[0])
    assert ended["stop_reason"] == "fault" and int(ended["energy_wms"]) > 0
    status = pair.central.wait("status", supply="none", plugged=True)
    assert "journal" in status["fault"]
    # The limit holds for the log file too: what was logged meanwhile is lost, what comes now is not.
    subprocess.run(["prlimit", f"--pid={pair.engine.child.pid}", "--fsize=unlimited:"], check=True)
    pair.engine.wait_log("journal.recovered")
    pair.central.wait("status", 10 * PATIENCE, after=status["arrived"], fault="")
    entry = wait_for("the end in the journal", lambda: (e := pair.journal()[SESSIONS[0]])["stop_reason"] and e, 5 * PATIENCE)
    assert entry["energy_wms"] == int(ended["energy_wms"]) and entry["settled"]


def test_many_charge_points_share_one_link(pair: Pair) -> None:
    pair.make(count=3, auto_plug="0", auto_unplug="0")
    pair.engine.start()
    pair.monitor.start()
    ids = [f"{pair.id}-{n:04d}" for n in (1, 2, 3)]
    for cp_id in ids:
        pair.central.wait("key_ack", 15 * PATIENCE, cp_id=cp_id)
    for session_id, cp_id in zip(SESSIONS, ids):
        pair.central.authorise(cp_id, session_id, 500)
    for session_id, cp_id in zip(SESSIONS, ids):
        ended = pair.central.wait("supply_ended", 10 * PATIENCE, session_id=session_id)
        assert (ended["cp_id"], int(ended["energy_wms"])) == (cp_id, 500 * 3_600_000)
        assert pair.journal()[session_id]["cp_id"] == cp_id
    pair.engine.say("fault")
    pair.engine.wait_log("fault which charge point?")
    pair.engine.say(f"fault {ids[1]}")
    assert pair.central.wait("status", fault="out of order (command)")["cp_id"] == ids[1]
    pair.monitor.say("all maintenance on")
    for cp_id in ids:
        pair.central.wait("status", cp_id=cp_id, maintenance=True)


def test_a_monitor_without_the_pairing_key_is_refused(pair: Pair) -> None:
    pair.make().start()
    stranger = Process("stranger", [argument.replace("/pairing", "/other-pairing").replace("/monitor", "/stranger")
                                    for argument in pair.monitor.argv], pair.dir)
    pair.authority.issue("cp", pair.id, pair.dir / "stranger")
    pair.charge(SESSIONS[0])
    stranger.argv[stranger.argv.index("--central") + 1] = f"127.0.0.1:{free_port()}"
    stranger.start()
    try:
        stranger.wait_log("engine.unreachable")
        pair.engine.wait_log("monitor.refused")
    finally:
        stranger.kill()
    assert pair.journal()[SESSIONS[0]]["stop_reason"] is None


def test_two_engines_cannot_share_a_state_directory(pair: Pair) -> None:
    pair.make().start()
    argv = [a if a != f"127.0.0.1:{pair.port}" else f"127.0.0.1:{free_port()}" for a in pair.engine.argv]
    second = subprocess.run(argv, capture_output=True, text=True, timeout=20 * PATIENCE, stdin=subprocess.DEVNULL)
    assert second.returncode == 1 and len(second.stderr.strip().splitlines()) == 1
    assert "already in use" in second.stderr


@pytest.mark.parametrize("argv", [["ev_cp_engine", "--soc", "101"], ["ev_cp_engine", "--speed", "0"],
                                  ["ev_cp_engine", "--auto-plug", "soon"], ["ev_cp_engine", "nonsense"],
                                  ["ev_cp_monitor"], ["ev_cp_monitor", "--id", "a b"],
                                  ["ev_cp_monitor", "--id", "A", "--invitation", "X"]])
def test_bad_usage_is_one_line_and_exit_2(argv: list[str], tmp_path: Path) -> None:
    done = subprocess.run([BIN / argv[0], *argv[1:]], capture_output=True, text=True, timeout=20 * PATIENCE, cwd=tmp_path,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert done.stderr.strip() != ""
