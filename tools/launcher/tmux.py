"""./evnet up --tmux: the same supervisor in the first window, and a pane for each service, with its keyboard."""
import os
import shlex
import shutil
import subprocess
import sys
from typing import Sequence

from launcher import network, packages, paths, ui
from launcher.errors import EvnetError
from launcher.options import Options

SESSION = "evnet"
_PANES_MAX = 6  # in one window; more could not be read


def windows(names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Groups services by kind, then cuts the groups into windows of a readable size."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault({"cp_engine": "engines", "cp_monitor": "monitors", "driver": "drivers"}
                          .get(name.partition("-")[0], "core"), []).append(name)
    result = []
    for title, members in groups.items():
        for start in range(0, len(members), _PANES_MAX):
            result.append((title, members[start:start + _PANES_MAX]))
    return result


def _up_again(args: Options) -> list[str]:
    """The command line of the first window: this one, without --tmux."""
    command = [str(paths.ROOT / "evnet"), "up", "--cps", str(args.cps), "--drivers", str(args.drivers),
               "--kafka", args.kafka, "--kafka-host", args.kafka_host, "--weather", args.weather, "--gui", args.gui,
               "--speed", str(args.speed), "--port-offset", str(args.port_offset), "--state-dir", str(args.state_dir)]
    if args.api_key_file is not None:
        command += ["--api-key-file", str(args.api_key_file)]
    return command + (["--yes"] if args.yes else [])


def _tmux(*words: str) -> None:
    done = subprocess.run(["tmux", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EvnetError(f"tmux {words[0]}: {done.stderr.strip()}")


def run(args: Options) -> int:
    packages.ensure(["tmux"], args.yes)
    if shutil.which("tmux") is None:
        raise EvnetError("there is no tmux on this machine")
    if subprocess.run(["tmux", "has-session", "-t", f"={SESSION}"], capture_output=True, check=False).returncode == 0:
        raise EvnetError(f"a tmux session {SESSION!r} is there already: tmux attach -t {SESSION}, or ./evnet down")
    # Without EV_TMUX the inner `up` does not call us again; at its end the panes go too.
    up = f"env -u EV_TMUX {shlex.join(_up_again(args))}; echo; echo 'Enter closes this.'; read -r _; " \
         f"tmux kill-session -t ={SESSION}"
    _tmux("new-session", "-d", "-s", SESSION, "-n", "up", "-x", "200", "-y", "50", "bash", "-c", up)
    for title, names in windows(network.Network(args).service_names()):
        for index, name in enumerate(names):
            attach = shlex.join([str(paths.ROOT / "evnet"), "attach", name, "--state-dir", str(args.state_dir)])
            if index == 0:
                _tmux("new-window", "-d", "-t", f"={SESSION}:", "-n", f"{title}-{name}", attach)
                window = f"={SESSION}:{title}-{name}"
            else:
                _tmux("split-window", "-d", "-t", window, attach)
                _tmux("select-layout", "-t", window, "tiled")
            _tmux("set-option", "-w", "-t", window, "pane-border-status", "top")
    if sys.stdout.isatty() and "TMUX" not in os.environ:
        os.execvp("tmux", ["tmux", "attach", "-t", f"={SESSION}"])
    ui.say(f"the network starts in tmux: tmux attach -t {SESSION} (./evnet down ends it)")
    return 0
