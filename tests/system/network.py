"""A whole network of real processes for the tests: Registry, Central, Weather, charge points, drivers.

Everything waits for a condition with a deadline; nothing sleeps for a guess. Each service logs to its own file in the
network's directory, which pytest keeps when a test fails.
"""
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Optional

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("EV_BUILD_DIR", ROOT / "build" / "dev"))
BIN = BUILD / "bin"
# Sanitizers slow everything down; deadlines stretch, conditions stay.
PATIENCE = float(os.environ.get("EV_TEST_PATIENCE", "1"))
TERMINAL = {"finished", "rejected", "expired", "cancelled"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Returns the first true value of `condition`; fails with `what` after the deadline."""
    deadline = time.monotonic() + seconds * PATIENCE
    last_error: Optional[Exception] = None
    while time.monotonic() < deadline:
        try:
            value = condition()
            if value:
                return value
        except (OSError, AssertionError, ApiError) as error:
            last_error = error
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} s in vain for: {what}" + (f" (last: {last_error})" if last_error else ""))


class ApiError(Exception):
    def __init__(self, status: int, problem: Any, headers: Any = None) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem
        self.headers = headers


class Api:
    """A client of Central's REST API; `context` carries a node's certificate where one is needed."""

    def __init__(self, base: str, context: Optional[ssl.SSLContext] = None) -> None:
        self.base = base
        self.token: Optional[str] = None
        handlers: list[Any] = [urllib.request.ProxyHandler({})]
        if context is not None:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def call(self, method: str, path: str, body: Any = None, headers: Optional[dict[str, str]] = None,
             raw: Optional[bytes] = None) -> Any:
        request = urllib.request.Request(self.base + path, method=method)
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        if data is not None:
            request.data = data
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with self._opener.open(request, timeout=15 * PATIENCE) as answer:
                text = answer.read()
                kind = answer.headers.get("Content-Type", "")
                return json.loads(text) if "json" in kind else text.decode()
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                problem = json.loads(text)
            except ValueError:
                problem = text.decode(errors="replace")
            raise ApiError(error.code, problem, error.headers) from None

    def get(self, path: str) -> Any:
        return self.call("GET", "/api/v1" + path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", "/api/v1" + path, body)

    def login(self, name: str, password: str) -> None:
        self.token = self.post("/login", {"name": name, "password": password})["token"]


class Service:
    """One process; it can be killed and started again with the same command line."""

    def __init__(self, name: str, argv: list[str], directory: Path, env: Optional[dict[str, str]] = None,
                 prefix: Optional[list[str]] = None) -> None:
        self.name = name
        self.argv = [*(prefix or []), *argv]
        self.log_path = directory / f"{name}.log"
        self.out_path = directory / f"{name}.out"
        self.env = {**os.environ, **(env or {})}
        self.child: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> "Service":
        assert self.child is None, f"{self.name} runs already"
        log, out = open(self.log_path, "ab"), open(self.out_path, "ab")
        with log, out:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=out, stderr=log, env=self.env)
        return self

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def command(self, line: str) -> None:
        assert self.child is not None and self.child.stdin is not None
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def kill(self) -> None:
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self._forget()

    def stop(self, seconds: float = 15.0) -> None:
        """Orderly: SIGTERM, exit 0 within the deadline (a leak under ASan makes it non-zero)."""
        assert self.child is not None
        self.child.send_signal(signal.SIGTERM)
        try:
            code = self.child.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            self._forget()
            raise AssertionError(f"{self.name} did not stop within {seconds} s of SIGTERM; log {self.log_path}") from None
        self._forget()
        assert code == 0, f"{self.name} ended with {code} after SIGTERM:\n{self.tail()}"

    def wait(self, seconds: float = 30.0) -> int:
        assert self.child is not None
        code = self.child.wait(seconds * PATIENCE)
        self._forget()
        return code

    def _forget(self) -> None:
        if self.child is not None and self.child.stdin is not None:
            try:
                self.child.stdin.close()
            except OSError:
                pass
        self.child = None

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def out(self) -> str:
        return self.out_path.read_text(errors="replace") if self.out_path.exists() else ""

    def tail(self, lines: int = 25) -> str:
        return "\n".join((self.log + self.out).splitlines()[-lines:])

    def wait_log(self, pattern: str, seconds: float = 20.0, after: int = 0) -> re.Match[str]:
        def look() -> Any:
            return re.search(pattern, (self.log + self.out)[after:])
        try:
            return wait_for(f"{self.name} to log /{pattern}/", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None


class ChargePoint:
    """Engine and monitor, as two processes."""

    def __init__(self, network: "Network", cp_id: str, engine: Service, monitor: Service, engine_state: Path,
                 monitor_state: Path) -> None:
        self.network = network
        self.id = cp_id
        self.engine = engine
        self.monitor = monitor
        self.engine_state = engine_state
        self.monitor_state = monitor_state

    @property
    def view(self) -> dict[str, Any]:
        return self.network.admin.get(f"/charge-points/{self.id}")

    def wait_state(self, *states: str, seconds: float = 20.0) -> dict[str, Any]:
        def look() -> Any:
            view = self.view
            return view if view["state"] in states else None
        try:
            return wait_for(f"{self.id} to be {' or '.join(states)}", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nnow: {self.try_view()}\n--- monitor\n{self.monitor.tail()}\n--- engine\n"
                                 f"{self.engine.tail()}\n--- central\n{self.network.central.tail(40)}") from None

    def try_view(self) -> Any:
        try:
            return self.view
        except (ApiError, OSError) as error:
            return error

    def journal(self) -> dict[str, dict[str, Any]]:
        """What the engine's journal says of each session, by session id."""
        done = subprocess.run([BIN / "ev_cp_engine", "journal", "--state-dir", self.engine_state], check=True,
                              capture_output=True, text=True, timeout=20 * PATIENCE)
        return {entry["session_id"]: entry for entry in map(json.loads, done.stdout.splitlines())}

    def stop(self) -> None:
        for service in (self.monitor, self.engine):
            if service.running:
                service.stop()


class Driver:
    def __init__(self, network: "Network", driver_id: str, service: Service, state: Path) -> None:
        self.network = network
        self.id = driver_id
        self.service = service
        self.state = state

    def sessions(self) -> list[dict[str, Any]]:
        return self.network.admin.get(f"/sessions?driver={self.id}&limit=1000")["items"]

    def charge(self, cp_id: str, kwh: Optional[str] = None) -> None:
        self.service.command(f"charge {cp_id}" + (f" {kwh}" if kwh else ""))

    def wait_session(self, *states: str, seconds: float = 30.0, newer_than: str = "") -> dict[str, Any]:
        def look() -> Any:
            found = [s for s in self.sessions() if s["state"] in states and s["id"] > newer_than]
            return found[0] if found else None
        try:
            return wait_for(f"a session of {self.id} to be {' or '.join(states)}", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nsessions: {self.sessions()[:3]}\n--- driver\n{self.service.tail()}\n"
                                 f"--- central\n{self.network.central.tail(40)}") from None


class Network:
    def __init__(self, directory: Path, kafka: str, **central_options: str) -> None:
        self.dir = directory
        self.kafka = kafka
        self.http, self.https = free_port(), free_port()
        self.control, self.registry_port = free_port(), free_port()
        self.registry_url = f"https://127.0.0.1:{self.registry_port}"
        self.central_options = central_options
        self.services: list[Service] = []
        self.admin = Api(f"http://127.0.0.1:{self.http}")
        self.public = Api(f"http://127.0.0.1:{self.http}")
        self.registry = self.service("registry", ["ev_registry", "--state-dir", str(directory / "registry"),
                                                  "--https", f"127.0.0.1:{self.registry_port}"])
        self.central: Service
        self.weather: Service
        self.temperatures = directory / "temperatures"

    # ---- processes

    def service(self, name: str, argv: list[str], **more: Any) -> Service:
        service = Service(name, [str(BIN / argv[0]), *argv[1:]], self.dir, **more)
        self.services.append(service)
        return service

    def invite(self, role: str, uses: int = 1) -> str:
        done = subprocess.run([BIN / "ev_registry", "invite", "--state-dir", self.dir / "registry", "--role", role,
                               "--uses", str(uses)], check=True, capture_output=True, text=True, timeout=20 * PATIENCE)
        return done.stdout.strip()

    def make_central(self) -> Service:
        options = {"settle-seconds": "900", "heartbeat-seconds": "1", "telemetry-key-seconds": "300",
                   **self.central_options}
        argv = ["ev_central", "--state-dir", str(self.dir / "central"), "--invitation", self.invite("central"),
                "--control", f"127.0.0.1:{self.control}", "--http", f"127.0.0.1:{self.http}",
                "--https", f"127.0.0.1:{self.https}", "--registry", self.registry_url, "--kafka", self.kafka,
                "--web", str(ROOT / "web")]
        for name, value in options.items():
            argv += [f"--{name}", value]
        return self.service("central", argv)

    def start(self, weather: bool = True) -> "Network":
        self.registry.start()
        self.central = self.make_central().start()
        try:
            wait_for("Central to be ready", lambda: self.public.call("GET", "/readyz"), 40)
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- central\n{self.central.tail()}\n--- registry\n{self.registry.tail()}") from None
        self.sign_in()
        if weather:
            self.start_weather()
        return self

    def sign_in(self) -> None:
        password = (self.dir / "central" / "admin-password").read_text().strip()
        self.admin.login("admin", password)

    def start_weather(self) -> None:
        if not self.temperatures.exists():
            self.temperatures.write_text("Madrid=15\n")
        self.weather = self.service("weather", [
            "ev_weather", "--state-dir", str(self.dir / "weather"), "--central", f"https://127.0.0.1:{self.https}",
            "--registry", self.registry_url, "--invitation", self.invite("weather"), "--provider", "scripted",
            "--temperatures-file", str(self.temperatures), "--poll-seconds", "1"]).start()

    def charge_point(self, cp_id: str, city: str = "Madrid", price: int = 54, start: bool = True,
                     **engine_options: str) -> ChargePoint:
        """Options of the engine by name with _ for -; the defaults make a charge that a test can wait for."""
        port = free_port()
        pairing = self.dir / f"pairing-{cp_id}"
        engine_state, monitor_state = self.dir / f"engine-{cp_id}", self.dir / f"monitor-{cp_id}"
        options = {"battery-kwh": "60", "soc": "20", "max-kw": "22", "auto-plug": "0", "auto-unplug": "0",
                   "speed": "60", **{name.replace("_", "-"): value for name, value in engine_options.items()}}
        argv = ["ev_cp_engine", "--state-dir", str(engine_state), "--listen", f"127.0.0.1:{port}",
                "--pairing-file", str(pairing)]
        for name, value in options.items():
            argv += [f"--{name}", value]
        engine = self.service(f"engine-{cp_id}", argv)
        monitor = self.service(f"monitor-{cp_id}", [
            "ev_cp_monitor", "--state-dir", str(monitor_state), "--engine", f"127.0.0.1:{port}",
            "--pairing-file", str(pairing), "--central", f"127.0.0.1:{self.control}", "--registry", self.registry_url,
            "--id", cp_id, "--city", city, "--lat", "40.42", "--lon", "-3.70", "--price-cents", str(price),
            "--invitation", self.invite("cp")])
        point = ChargePoint(self, cp_id, engine, monitor, engine_state, monitor_state)
        if start:
            engine.start()
            monitor.start()
            point.wait_state("Available", "Unavailable")
        return point

    def driver_argv(self, driver_id: str, state: Path) -> list[str]:
        return ["ev_driver", "--id", driver_id, "--state-dir", str(state),
                "--central", f"https://127.0.0.1:{self.https}", "--registry", self.registry_url]

    def driver(self, driver_id: str, *more: str) -> Driver:
        state = self.dir / f"driver-{driver_id}"
        argv = [*self.driver_argv(driver_id, state), "--invitation", self.invite("driver"), *more]
        driver = Driver(self, driver_id, self.service(f"driver-{driver_id}", argv), state)
        driver.service.start()
        driver.service.wait_log(r"driver\.key")  # enrolled, known to Central, and with a key of its own
        return driver

    def stop(self) -> None:
        """Drivers, charge points, Weather, Central, Registry: each must stop in order with exit 0."""
        problems = []
        for service in reversed(self.services):
            if service.running:
                try:
                    service.stop()
                except AssertionError as error:
                    problems.append(str(error))
        assert not problems, "\n".join(problems)

    def kill_all(self) -> None:
        for service in self.services:
            if service.running:
                service.kill()

    # ---- what it did

    def audit(self, action: Optional[str] = None, limit: int = 1000) -> list[dict[str, Any]]:
        return self.admin.get(f"/audit?limit={limit}" + (f"&action={action}" if action else ""))["items"]

    def session(self, session_id: str) -> dict[str, Any]:
        return self.admin.get(f"/sessions/{session_id}")

    def check_ticket(self, point: ChargePoint, session_id: str, stop_reason: Optional[str] = None,
                     energy_equals_journal: bool = True) -> dict[str, Any]:
        """The ticket against the engine's journal, to the Wh and the cent."""
        session = self.session(session_id)
        assert session["state"] == "finished", session
        entry = point.journal()[session_id]
        if energy_equals_journal:
            assert session["energy_wh"] == int(entry["energy_wms"]) // 3_600_000, (session, entry)
        assert session["cost_cents"] == (session["energy_wh"] * session["price_cents_per_kwh"] + 500) // 1000, session
        if stop_reason is not None:
            assert session["stop_reason"] == stop_reason, (session, entry)
        return session

    def check_database(self) -> None:
        """Consistent file, whole audit chain, nothing open that should not be."""
        with sqlite3.connect(f"file:{self.dir}/central/central.db?mode=ro", uri=True) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        done = subprocess.run([BIN / "ev_central", "audit-verify", "--state-dir", self.dir / "central"],
                              capture_output=True, text=True, timeout=60 * PATIENCE, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
