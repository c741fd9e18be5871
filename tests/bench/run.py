"""./evnet bench [--quick]: telemetry records per second that Central applies fully (opened, de-duplicated, in SQLite), beside
what a bare consumer reads from the same topic of the same Apache Kafka in the same run. Prints; asserts only that every
record was applied, exactly. Machines are noisy: read the medians and the ratio.
"""
import json
import os
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from launcher import kafka_native  # noqa: E402

BIN = Path(os.environ.get("EV_BUILD_DIR", ROOT / "build" / "release")) / "bin"
STEP_WMS = 1_000_000
CHARGING = 2  # enum session_state
DEADLINE_S = 180.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Central:
    """ev_central without a certificate: it serves HTTP and reads Kafka, which is all that is measured here."""

    def __init__(self, state: Path, kafka: str) -> None:
        self.http = free_port()
        self.log = open(state.parent / "central.log", "ab")
        argv = [BIN / "ev_central", "--state-dir", state, "--http", f"127.0.0.1:{self.http}",
                "--https", f"127.0.0.1:{free_port()}", "--control", f"127.0.0.1:{free_port()}",
                "--registry", "https://127.0.0.1:9", "--kafka", kafka, "--web", ROOT / "web"]
        self.child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=10) as answer:
            return answer.read().decode()

    def wait_for(self, what: str, condition) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.01)
        raise SystemExit(f"bench: waited in vain for {what}; see {self.log.name}")

    def applied(self) -> int:
        found = re.search(r"^ev_telemetry_records_applied_total (\d+)", self.get("/metrics"), re.M)
        return int(found[1]) if found else 0

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.child.terminate()
        if self.child.wait(60) != 0:
            raise SystemExit(f"bench: ev_central ended with {self.child.returncode}; see {self.log.name}")
        self.log.close()


def prepare(state: Path, kafka: str, cps: int) -> None:
    """A database with `cps` charge points that charge, and their keys."""
    central = Central(state, kafka)
    central.wait_for("Kafka", lambda: json.loads(central.get("/api/v1/summary"))["health"]["kafka"]["ok"])
    central.stop()
    hour_ago = int(time.time() * 1000) - 3_600_000
    with sqlite3.connect(state / "central.db") as db:
        for n in range(cps):
            cp, driver, session = f"B-{n:05}", f"b-{n:05}", f"01ARZ3NDEKTSV4RRFFQ69{n:05}"
            db.execute("INSERT INTO charge_point VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                       (cp, "Bench", 40.0, -3.0, 50, 350000, 1.0, 0, 1, "0" * 64, 0, 1, 1))
            db.execute("INSERT INTO node VALUES (2,?,?,0,1)", (driver, "0" * 64))
            db.execute("INSERT INTO session VALUES (?,?,?,?,?,0,'',?,?,-1,-1,0,0,0,0,50,0,1)",
                       (session, session, cp, driver, CHARGING, hour_ago, hour_ago))
            db.execute("INSERT INTO telemetry_key VALUES (?,1,?,?,-1,0,-1,0)", (f"cp:{cp}", bytes([n % 251 + 1]) * 32, hour_ago))


def run_central(prepared: Path, work: Path, kafka: str, count: int, cps: int) -> tuple[float, float]:
    """Records a second from the first seen to the last, and CPU seconds. Checks every meter afterwards."""
    state = work / "state"
    shutil.rmtree(state, ignore_errors=True)
    shutil.copytree(prepared, state)
    central = Central(state, kafka)
    central.wait_for("the first record", lambda: central.applied() > 0)
    start, before, cpu = time.monotonic(), central.applied(), central.cpu_s()
    central.wait_for("the last record", lambda: central.applied() >= count)
    rate = (count - before) / max(time.monotonic() - start, 1e-6)
    cpu_us = (central.cpu_s() - cpu) * 1e6 / max(count - before, 1)
    dropped = re.findall(r"^(ev_telemetry_records_(?:dropped|lost)_total\S*|ev_telemetry_samples_refused_total) ([1-9]\d*)$",
                         central.get("/metrics"), re.M)
    central.stop()
    with sqlite3.connect(state / "central.db") as db:
        wrong = db.execute("SELECT count(*) FROM session WHERE energy_wms <> ?", (count // cps * STEP_WMS,)).fetchone()[0]
    if dropped or wrong:
        raise SystemExit(f"bench: not exact: {wrong} meters are wrong, {dropped}")
    return rate, cpu_us


def run_bare(kafka: str, count: int) -> tuple[float, float]:
    done = subprocess.run([BIN / "bench_read", kafka, str(count)], check=True, capture_output=True, text=True, timeout=180)
    wall, cpu = map(float, done.stdout.split())
    return count / wall, cpu * 1e6 / count


def measure(work: Path, cps: int, count: int, rounds: int) -> None:
    broker = kafka_native.start(work / "kafka", free_port())
    try:
        prepared = work / "prepared"
        prepared.mkdir()
        prepare(prepared, broker.bootstrap, cps)
        subprocess.run([BIN / "bench_fill", broker.bootstrap, str(cps), str(count)], check=True, timeout=180)
        bare, central = [], []
        for _ in range(rounds):
            bare.append(run_bare(broker.bootstrap, count))
            central.append(run_central(prepared, work, broker.bootstrap, count, cps))
    finally:
        broker.stop()
    ratio = statistics.median(c[0] / b[0] for b, c in zip(bare, central))
    print(f"{cps:>6} {count:>9} {statistics.median(r[0] for r in bare):>13,.0f} "
          f"{statistics.median(r[0] for r in central):>16,.0f} {ratio:>7.2f} "
          f"{statistics.median(r[1] for r in bare):>9.2f} {statistics.median(r[1] for r in central):>12.2f}", flush=True)


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    count, rounds = (200_000, 1) if quick else (600_000, 3)
    print("telemetry on Apache Kafka: a bare consumer beside Central (opened, de-duplicated, in SQLite), medians of "
          f"{rounds}, in turn")
    print("   cps   records  bare records/s  Central records/s  ratio  bare us  Central us of CPU a record")
    for cps in (100,) if quick else (10, 100, 1000):
        with tempfile.TemporaryDirectory(prefix="evnet-bench-") as work:
            measure(Path(work), cps, count, rounds)


if __name__ == "__main__":
    main()
