"""Which services there are, on which ports, with which command lines."""
from pathlib import Path
from typing import NamedTuple, Optional, Sequence

from launcher import demo, kafka_docker, kafka_native, paths
from launcher.options import Options, parse_host_port
from launcher.ports import Listener
from launcher.records import Record

HOST = "127.0.0.1"


class Ports(NamedTuple):
    broker: int
    registry: int
    control: int
    http: int
    https: int
    first_engine: int


def make_ports(offset: int) -> Ports:
    return Ports(*(port + offset for port in (9092, 8444, 7001, 8080, 8443, 7101)))


class Network:
    """Everything that follows from the options; starts nothing."""

    def __init__(self, args: Options, preset: str = "release") -> None:
        self.args = args
        self.preset = preset
        self.state_dir: Path = args.state_dir
        self.ports = make_ports(args.port_offset)
        self.points = demo.charge_points(args.cps)
        self.drivers = [f"driver-{number}" for number in range(1, args.drivers + 1)]

    # addresses

    @property
    def registry_url(self) -> str:
        return f"https://{HOST}:{self.ports.registry}"

    @property
    def central_url(self) -> str:
        return f"https://{HOST}:{self.ports.https}"

    @property
    def dashboard_url(self) -> str:
        return f"http://{HOST}:{self.ports.http}"

    @property
    def broker_host(self) -> str:
        return str(self.args.kafka_host) if self.args.kafka == "native" else HOST

    @property
    def own_broker(self) -> bool:
        return self.args.kafka in ("embedded", "native", "docker")

    @property
    def bootstrap(self) -> str:
        return f"{self.broker_host}:{self.ports.broker}" if self.own_broker else str(self.args.kafka)

    def broker_address(self) -> tuple[str, int]:
        return parse_host_port(self.bootstrap.split(",")[0])

    def listeners(self) -> list[Listener]:
        wanted = [Listener("Registry", HOST, self.ports.registry), Listener("Central's control port", HOST, self.ports.control),
                  Listener("the dashboard", HOST, self.ports.http), Listener("Central's HTTPS", HOST, self.ports.https)]
        if self.own_broker:
            wanted.insert(0, Listener("the broker", self.broker_host, self.ports.broker))
        wanted += [Listener(f"the engine of {point.id}", HOST, self.ports.first_engine + index)
                   for index, point in enumerate(self.points)]
        return wanted

    # services

    def _program(self, name: str) -> str:
        return str(paths.program(self.preset, name))

    def state_of(self, service: str) -> Path:
        return self.state_dir / service

    def _record(self, name: str, role: str, program: str, *flags: str, invitation: Optional[str] = None) -> Record:
        """The invitation goes into the environment, where `ps` does not show it."""
        return Record(name=name, role=role,
                      argv=[self._program(program), "--state-dir", str(self.state_of(name)), *flags],
                      env={"EV_INVITATION": invitation} if invitation else {})

    def broker(self) -> Optional[Record]:
        if self.args.kafka == "embedded":
            return self._record("broker", "broker", "ev_broker", "--listen", self.bootstrap)
        if self.args.kafka == "native":
            return Record(name="broker", role="broker",
                          argv=kafka_native.prepare(self.state_of("kafka"), self.ports.broker, self.broker_host))
        if self.args.kafka == "docker":
            return Record(name="broker", role="broker", argv=kafka_docker.run_command(),
                          kill_command=kafka_docker.kill_command(), stop_command=kafka_docker.stop_command(),
                          env={"EV_KAFKA_PORT": str(self.ports.broker)})
        return None

    def registry(self) -> Record:
        return self._record("registry", "registry", "ev_registry", "--https", f"{HOST}:{self.ports.registry}")

    def central(self, invitation: Optional[str]) -> Record:
        return self._record("central", "central", "ev_central",
                            "--control", f"{HOST}:{self.ports.control}", "--http", f"{HOST}:{self.ports.http}",
                            "--https", f"{HOST}:{self.ports.https}", "--registry", self.registry_url,
                            "--kafka", self.bootstrap, "--web", str(paths.WEB_DIR), invitation=invitation)

    def weather(self, invitation: Optional[str]) -> Record:
        flags = ["--central", self.central_url, "--registry", self.registry_url, "--provider", self.args.weather]
        if self.args.weather == "scripted":
            flags += ["--temperatures-file", str(paths.SERVICES_DIR / "temperatures.txt")]
        if self.args.weather == "openweather":
            flags += ["--api-key-file", str(self.args.api_key_file)]
        return self._record("weather", "weather", "ev_weather", *flags, invitation=invitation)

    def _pairing_file(self, point: demo.ChargePoint) -> str:
        return str(self.state_dir / "pairing" / point.id)

    def _engine_address(self, index: int) -> str:
        return f"{HOST}:{self.ports.first_engine + index}"

    def engines(self) -> list[Record]:
        return [self._record(f"cp_engine-{point.id}", "cp_engine", "ev_cp_engine",
                             "--listen", self._engine_address(index), "--pairing-file", self._pairing_file(point),
                             "--battery-kwh", point.battery_kwh, "--max-kw", point.max_kw,
                             "--auto-plug", "2", "--auto-unplug", "3", "--speed", str(self.args.speed))
                for index, point in enumerate(self.points)]

    def monitors(self, invitations: dict[str, str]) -> list[Record]:
        return [self._record(f"cp_monitor-{point.id}", "cp_monitor", "ev_cp_monitor",
                             "--engine", self._engine_address(index), "--pairing-file", self._pairing_file(point),
                             "--central", f"{HOST}:{self.ports.control}", "--registry", self.registry_url,
                             "--id", point.id, "--city", point.city, "--lat", point.lat, "--lon", point.lon,
                             "--price-cents", point.price_cents, invitation=invitations.get(point.id))
                for index, point in enumerate(self.points)]

    def driver_records(self, invitations: dict[str, str]) -> list[Record]:
        made_dir = self.state_dir / "services"
        return [self._record(name, "driver", "ev_driver", "--id", name, "--central", self.central_url,
                             "--registry", self.registry_url,
                             "--services", str(demo.services_file(number, self.points, made_dir)),
                             invitation=invitations.get(name))
                for number, name in enumerate(self.drivers, start=1)]

    def gui(self) -> Record:
        return self._record("gui", "gui", "ev_central_gui", "--central", self.dashboard_url)

    def service_names(self) -> list[str]:
        """In the order of starting; for --tmux, before anything runs."""
        names = ["broker"] if self.own_broker else []
        names += ["registry", "central", "weather"]
        for prefix in ("cp_engine", "cp_monitor"):
            names += [f"{prefix}-{point.id}" for point in self.points]
        return names + self.drivers


def has_certificate(state_dir: Path) -> bool:
    """Whether a node is registered already: then it needs no invitation."""
    return any(True for _ in state_dir.glob("**/certificate*.pem"))


def package_groups(args: Options, display: bool) -> Sequence[str]:
    """No Java for the embedded broker, no GTK where no window is wanted, never a browser."""
    groups = ["build", "run"]
    if args.gui == "on" or (args.gui == "auto" and display):
        groups.append("gui")
    if args.kafka == "native":
        groups.append("native")
    if args.tmux:
        groups.append("tmux")
    return groups
