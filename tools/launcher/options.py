"""The command line, with every long option also from the environment (a flag beats it)."""
import argparse
import os
from pathlib import Path
from typing import Any, NoReturn, Optional, Sequence

from launcher import paths
from launcher.errors import UsageError

Options = argparse.Namespace
PRESETS = ("release", "dev", "asan", "tsan", "fuzz")
CPS_MAX = 200  # two processes each; beyond that, ev_cp_engine --count is the tool
DRIVERS_MAX = 50
SPEED_MAX = 100000  # ENERGY_SPEED_MAX of common/rules/energy.h


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (./evnet help lists what is accepted)")


def _env(option: str) -> Optional[str]:
    return os.environ.get("EV_" + option.lstrip("-").replace("-", "_").upper())


def _add(parser: argparse.ArgumentParser, option: str, **kwargs: Any) -> None:
    """add_argument, with the default taken from the environment where it is set there."""
    from_env = _env(option)
    if from_env is not None and kwargs.get("action") == "store_true":
        if from_env.lower() not in ("", "0", "1", "no", "yes", "off", "on", "false", "true"):
            raise UsageError(f"EV_{option.lstrip('-').replace('-', '_').upper()}: yes or no expected, "
                             f"not {from_env!r}")
        kwargs["default"] = from_env.lower() in ("1", "yes", "on", "true")
    elif from_env is not None:
        choices = kwargs.get("choices")
        if choices is not None and from_env not in choices:
            raise UsageError(f"{option}: {' or '.join(choices)} expected, not {from_env!r}")
        kwargs["default"] = from_env  # argparse runs `type` on string defaults
    parser.add_argument(option, **kwargs)


def _number(low: int, high: int) -> Any:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"a number from {low} to {high} expected, not {text!r}")
        return int(text)
    return parse


def parse_host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(text)
    return host, int(port)


def _kafka(text: str) -> str:
    if text in ("embedded", "native", "docker"):
        return text
    try:
        for part in text.split(","):
            parse_host_port(part)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"embedded, native, docker or HOST:PORT expected, not {text!r}") from None
    return text


def _up_options(up: argparse.ArgumentParser) -> None:
    _add(up, "--cps", type=_number(0, CPS_MAX), default=10)
    _add(up, "--drivers", type=_number(0, DRIVERS_MAX), default=3)
    _add(up, "--kafka", type=_kafka, default="embedded")
    _add(up, "--kafka-host", default="127.0.0.1")
    _add(up, "--weather", choices=("scripted", "open-meteo", "openweather"), default="scripted")
    _add(up, "--api-key-file", type=Path, default=None)
    _add(up, "--gui", choices=("auto", "on", "off"), default="auto")
    _add(up, "--speed", type=_number(1, SPEED_MAX), default=60)
    _add(up, "--tmux", action="store_true")
    _add(up, "--port-offset", type=_number(0, 56000), default=0)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="evnet", add_help=False, allow_abbrev=False)
    parser.add_argument("--version", action="store_true")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, **kwargs: Any) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, add_help=False, allow_abbrev=False, **kwargs)
        sub.add_argument("--help", "-h", action="store_true")
        _add(sub, "--state-dir", type=Path, default=paths.DEFAULT_STATE_DIR)
        return sub

    def may_install(sub: argparse.ArgumentParser) -> None:
        _add(sub, "--yes", action="store_true")

    up = command("up")
    _up_options(up)
    may_install(up)
    build = command("build")
    _add(build, "--preset", choices=PRESETS, default="release")
    may_install(build)
    test = command("test")
    test.add_argument("--asan", dest="preset", action="store_const", const="asan", default="dev")
    test.add_argument("--preset", choices=("dev", "asan", "tsan"), default="dev")
    test.add_argument("pytest_args", nargs="*", metavar="-- PYTEST-ARGUMENT")
    may_install(test)
    for name in ("bench", "verify", "pictures"):
        sub = command(name)
        sub.add_argument("--preset", choices=PRESETS[:3], default="release")
        sub.add_argument("arguments", nargs="*")
        may_install(sub)
    install = command("install")
    install.add_argument("groups", nargs="*", metavar="GROUP")
    may_install(install)
    for name in ("stop", "kill", "start", "attach"):
        command(name).add_argument("service")
    logs = command("logs")
    logs.add_argument("service")
    logs.add_argument("--follow", "-f", action="store_true")
    tell = command("tell")
    tell.add_argument("service")
    tell.add_argument("words", nargs="+")
    command("status")
    command("down")
    return parser


def parse(argv: Sequence[str]) -> Options:
    args = _parser().parse_args(argv)
    if args.version:
        print(f"evnet {project_version()}")
        raise SystemExit(0)
    if getattr(args, "help", False):
        print(paths.HELP_FILE.read_text(encoding="utf-8"), end="")
        raise SystemExit(0)
    if args.command is None:
        raise UsageError("a command is expected (./evnet help lists them)")
    args.state_dir = args.state_dir.absolute()
    if args.command == "up" and args.kafka_host != "127.0.0.1" and args.kafka != "native":
        raise UsageError("--kafka-host: only with --kafka native, the one broker that others may use")
    return args


def project_version() -> str:
    for line in (paths.ROOT / "CMakeLists.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("project("):
            words = line.split()
            return words[words.index("VERSION") + 1]
    return "unknown"
