"""Configure and build, incrementally."""
import fcntl
import os
import subprocess
from typing import Sequence

from launcher import packages, paths, ui
from launcher.errors import EvnetError
from launcher.options import Options


def groups_for(preset: str, gui: bool) -> list[str]:
    groups = ["build", "run"]
    if gui and preset != "fuzz":
        groups.append("gui")
    if preset in ("dev", "asan", "tsan"):
        groups.append("unit")
    if preset == "fuzz":
        groups.append("lint")
    return groups


def gtk_is_there() -> bool:
    return subprocess.run(["pkg-config", "--exists", "gtk4"], check=False).returncode == 0


def build(preset: str, gui: bool = True, targets: Sequence[str] = ()) -> None:
    """Builds a preset. gui: fails without GTK; else windows are built only where GTK is there anyway."""
    directory = paths.build_dir(preset)
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".evnet-lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            ui.say(f"waiting for another build of preset {preset} to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        _configure(preset, gui or gtk_is_there())
        _compile(preset, targets)


def _configure(preset: str, gui: bool) -> None:
    command = ["cmake", "--preset", preset]
    if preset != "fuzz":
        command += [f"-DEV_GUI={'ON' if gui else 'OFF'}",
                    f"-DEV_TESTS={'ON' if preset in ('dev', 'asan', 'tsan') else 'OFF'}"]
    ui.say(f"configuring (preset {preset})")
    done = subprocess.run(command, cwd=paths.ROOT, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print(done.stdout, flush=True)
        raise EvnetError("cmake could not configure the build; its output is above")


def _compile(preset: str, targets: Sequence[str]) -> None:
    ui.say(f"building (preset {preset})")
    env = dict(os.environ, NINJA_STATUS="[%f/%t, %e s] ")
    command = ["cmake", "--build", str(paths.build_dir(preset))]
    if targets:
        command += ["--target", *targets]
    if subprocess.run(command, cwd=paths.ROOT, env=env, check=False).returncode != 0:
        raise EvnetError("the build failed; its output is above")


def command_build(args: Options) -> int:
    packages.ensure(groups_for(args.preset, gui=True), args.yes)
    build(args.preset)
    ui.say(f"built: {paths.build_dir(args.preset).relative_to(paths.ROOT)}/bin/")
    return 0


