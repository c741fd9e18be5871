"""./evnet up: from a bare machine to a running network, and back."""
import os
import sys
from typing import Callable, Sequence

from launcher import building, central_api, kafka_docker, kafka_native, kafka_wire, network, packages, paths, ports, ui
from launcher.errors import EvnetError
from launcher.invitations import Invitations, mint_with
from launcher.options import Options
from launcher.records import Record, RunDir
from launcher.supervisor import Stopped, Supervisor, stop_leftovers

_BROKER_S = 90.0
_REGISTRY_S = 20.0
_CENTRAL_S = 45.0
_FLEET_S = 60.0
_LAST_LINES = 8


def display_is_there() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check_options(args: Options) -> None:
    if args.gui == "on" and not display_is_there():
        raise EvnetError("--gui on: there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)")
    if args.weather == "openweather":
        if args.api_key_file is None:
            raise EvnetError("--weather openweather needs --api-key-file FILE (a free key is given at "
                             "https://openweathermap.org/api); --weather open-meteo needs none")
        if not os.access(args.api_key_file, os.R_OK):
            raise EvnetError(f"--api-key-file {args.api_key_file}: cannot be read")
        args.api_key_file = args.api_key_file.absolute()
    if args.kafka == "docker":
        kafka_docker.check()


def make_ready(args: Options, net: network.Network) -> None:
    """Packages, build, Kafka: everything that may take long and can fail, before the first process."""
    display = display_is_there()
    groups = network.package_groups(args, display)
    packages.ensure(groups, args.yes)
    building.build(net.preset, gui="gui" in groups)
    if args.kafka == "native":
        kafka_native.ensure_jars()


class Bringing:
    """The order of starting, with a deadline for each step. Raises EvnetError naming the step that failed."""

    def __init__(self, net: network.Network, supervisor: Supervisor) -> None:
        self.net = net
        self.supervisor = supervisor
        self.api = central_api.CentralApi(net.dashboard_url)
        self.invitations = Invitations(net.state_dir / "invitations.json",
                                       mint_with(paths.program(net.preset, "ev_registry"), net.state_of("registry")))

    def _codes(self, role: str, ids: Sequence[str], prefix: str = "") -> dict[str, str]:
        return self.invitations.codes_for(
            role, ids, lambda node: network.has_certificate(self.net.state_of(prefix + node)))

    def _require(self, record: Record, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Waits until a service is of use; its death, or the deadline, ends the start."""
        if self.supervisor.wait_until(lambda: not record.is_running() or condition(), timeout_s) \
                and record.is_running():
            ui_say(self.supervisor, what)
            return
        why = "is not ready in time" if record.is_running() else "ended while the network was being started"
        raise EvnetError(f"{record.name} {why}. The end of {record.log}:\n{last_lines(record.log)}")

    def broker(self) -> None:
        record = self.net.broker()
        host, port = self.net.broker_address()
        if record is None:
            if kafka_wire.count_brokers(host, port, 3.0) == 0:
                ui_say(self.supervisor, f"no Kafka answers at {self.net.bootstrap} yet; Central will pick it up")
            return
        self.supervisor.start(record)
        self._require(record, lambda: kafka_wire.count_brokers(host, port) > 0, _BROKER_S,
                      f"broker: {self.net.args.kafka} Kafka at {self.net.bootstrap}")

    def registry(self) -> None:
        record = self.net.registry()
        self.supervisor.start(record)
        self._require(record, lambda: ports.is_listening(self.net.ports.registry), _REGISTRY_S,
                      f"registry: {self.net.registry_url}")

    def central(self) -> None:
        record = self.net.central(self._codes("central", ["central"]).get("central"))
        self.supervisor.start(record)
        try:
            self._require(record, self.api.is_ready, _CENTRAL_S, f"central: ready, {self.net.dashboard_url}/")
        except EvnetError as error:
            if record.is_running() and not self.net.own_broker:
                ui_say(self.supervisor, f"central runs, but is not ready: {self.api.missing()}")
                return
            raise EvnetError(f"{error}\n/readyz: {self.api.missing()}") from None

    def fleet(self) -> None:
        self.supervisor.start(self.net.weather(self._codes("weather", ["weather"]).get("weather")))
        (self.net.state_dir / "pairing").mkdir(mode=0o700, exist_ok=True)
        for record in self.net.engines():
            self.supervisor.start(record)
            self.supervisor.pump(0)
        codes = self._codes("cp", [point.id for point in self.net.points], "cp_monitor-")
        for record in self.net.monitors(codes):
            self.supervisor.start(record)
            self.supervisor.pump(0)
        count = len(self.net.points)
        if self.supervisor.wait_until(lambda: self.api.connected_count() >= count, _FLEET_S):
            ui_say(self.supervisor, f"charge points: {count} registered and connected, engine and monitor each")
        else:
            ui_say(self.supervisor, f"charge points: only {self.api.connected_count()} of {count} are connected "
                                    "so far; the others keep trying")

    def drivers(self) -> None:
        records = self.net.driver_records(self._codes("driver", self.net.drivers))
        for record in records:
            self.supervisor.start(record)
            self.supervisor.pump(0)
        if records:
            ui_say(self.supervisor, f"drivers: {len(records)}, each working through a services file")

    def gui(self) -> None:
        wanted = self.net.args.gui
        if wanted == "off" or (wanted == "auto" and not display_is_there()):
            return
        record = self.net.gui()
        if not os.access(record.argv[0], os.X_OK):
            if wanted == "on":
                raise EvnetError(f"{record.argv[0]} was not built")
            return
        self.supervisor.start(record)

    def everything(self) -> None:
        for step in (self.broker, self.registry, self.central, self.fleet, self.drivers, self.gui):
            step()


def ui_say(supervisor: Supervisor, text: str) -> None:
    supervisor.say(f"[{ui.elapsed_s():6.1f} s] {text}")


def last_lines(log: str) -> str:
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-_LAST_LINES:]).rstrip() or "(empty)"
    except OSError:
        return "(there is none)"


def print_what_next(net: network.Network, supervisor: Supervisor) -> None:
    password = net.state_of("central") / "admin-password"
    point = net.points[1].id if len(net.points) > 1 else "ID"
    for line in (
        "the network is up",
        f"  dashboard        {net.dashboard_url}/",
        f"  admin            account admin, password in {shown(password)}",
        f"  break something  ./evnet kill cp_engine-{point}   (or central, broker, registry, driver-1 ...)",
        f"  and mend it      ./evnet start cp_engine-{point}",
        f"  command it       ./evnet tell cp_monitor-{point} maintenance on",
        "  look             ./evnet status; ./evnet logs central -f",
        "  end              Ctrl-C here, or ./evnet down",
    ):
        supervisor.say(line)


def shown(path: "os.PathLike[str]") -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def supervise(net: network.Network, run_dir: RunDir) -> int:
    supervisor = Supervisor(run_dir)
    failure = None
    try:
        Bringing(net, supervisor).everything()
        print_what_next(net, supervisor)
        while True:
            supervisor.pump()
    except Stopped as stopped:
        supervisor.say(f"{stopped}: stopping everything")
    except EvnetError as error:
        failure = error
        supervisor.say("this start failed; stopping what runs")
    finally:
        supervisor.stop_all()
    if failure is not None:
        raise failure
    supervisor.say("everything is stopped")
    return 0


def forget_old_records(run_dir: RunDir) -> None:
    stop_leftovers(run_dir)
    for record in run_dir.load_all():
        run_dir.forget(record.name)


def run(args: Options) -> int:
    check_options(args)
    if args.tmux:
        from launcher import tmux
        return tmux.run(args)
    run_dir = RunDir(args.state_dir)
    run_dir.create()
    run_dir.lock()
    forget_old_records(run_dir)
    net = network.Network(args)
    ports.require_free(net.listeners())
    make_ready(args, net)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    return supervise(net, run_dir)
