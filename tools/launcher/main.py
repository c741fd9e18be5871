"""What ./evnet executes: reads the command line, then hands over to the command's module."""
import os
import signal
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from launcher import building, options, packages, ui  # noqa: E402
from launcher.errors import EvnetError  # noqa: E402


def run_command(args: options.Options) -> int:
    """Imports late, so that `./evnet kill` does not load what only `up` needs."""
    if args.command == "build":
        return building.command_build(args)
    if args.command == "install":
        return packages.command_install(args)
    if args.command in ("test", "bench", "verify", "pictures"):
        from launcher import checks
        return checks.run(args)
    if args.command == "up":
        from launcher import up
        return up.run(args)
    from launcher import control
    return control.run(args)


def interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    # While building or testing; what runs services has handlers of its own.
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        return run_command(options.parse(sys.argv[1:]))
    except EvnetError as error:
        ui.complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        ui.complain("interrupted")
        return 130
    except BrokenPipeError:  # `./evnet logs central | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
