"""Debian packages: one list (cmake/packages.txt), installed when missing, asking first."""
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterable, NamedTuple, Optional, Sequence

from launcher import paths, ui
from launcher.errors import EvnetError, UsageError
from launcher.options import Options


class Package(NamedTuple):
    group: str
    alternatives: tuple[str, ...]  # any of them will do; the first that the archive has is installed


def parse_list(text: str) -> list[Package]:
    """Raises EvnetError naming the line: a list that is half read would install half a machine."""
    packages = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not all(words[1].split("|")):
            raise EvnetError(f"cmake/packages.txt:{number}: GROUP PACKAGE[|PACKAGE...] expected: {line.strip()!r}")
        packages.append(Package(words[0], tuple(words[1].split("|"))))
    return packages


def read_list(path: Path = paths.PACKAGES_FILE) -> list[Package]:
    return parse_list(path.read_text(encoding="utf-8"))


def installed_packages() -> set[str]:
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Provides}\n"],
                          check=True, capture_output=True, text=True)
    names = set()
    for line in done.stdout.splitlines():
        status, name, provides = line.split("\t")
        if status.startswith("ii"):
            names.add(name)
            names.update(part.split()[0] for part in provides.split(",") if part.strip())
    return names


def missing(groups: Iterable[str], packages: Sequence[Package], present: set[str]) -> list[Package]:
    wanted = set(groups)
    seen: set[tuple[str, ...]] = set()
    result = []
    for package in packages:
        if package.group not in wanted or package.alternatives in seen:
            continue
        seen.add(package.alternatives)
        if not present.intersection(package.alternatives):
            result.append(package)
    return result


def _archive_has(name: str) -> bool:
    done = subprocess.run(["apt-cache", "show", "--no-all-versions", name], capture_output=True, check=False)
    return done.returncode == 0 and bool(done.stdout.strip())


def choose(package: Package) -> str:
    for name in package.alternatives[:-1]:
        if _archive_has(name):
            return name
    return package.alternatives[-1]


def _root_prefix() -> Optional[list[str]]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    return ["sudo"] if ui.person_is_there() else ["sudo", "-n"]


def _ask(names: Sequence[str]) -> bool:
    ui.complain("these Debian packages are missing: " + " ".join(names))
    try:
        answer = input("Install them now with apt-get? [Y/n] ").strip().lower()
    except EOFError:
        return False
    return answer in ("", "y", "yes")


def _by_hand(lacking: Sequence[Package], why: str) -> EvnetError:
    names = " ".join(package.alternatives[0] for package in lacking)
    return EvnetError(f"{why}. What has to be installed by hand (Debian's names): {names}")


def ensure(groups: Sequence[str], yes: bool) -> None:
    """Installs what `groups` need and this machine lacks; returns when everything is there."""
    packages = read_list()
    known = {package.group for package in packages}
    for group in groups:
        if group not in known:
            raise UsageError(f"no package group {group!r}: {' '.join(sorted(known))} expected")
    if shutil.which("dpkg-query") is None or shutil.which("apt-get") is None:
        if os.environ.get("EVNET_PACKAGES") == "present":
            return
        wanted = missing(groups, packages, set())
        raise _by_hand(wanted, "this is no Debian or Ubuntu, so nothing is installed here; with everything in "
                               "place, EVNET_PACKAGES=present skips this check")
    lacking = missing(groups, packages, installed_packages())
    if not lacking:
        return
    prefix = _root_prefix()
    if prefix is None:
        raise _by_hand(lacking, "packages are missing, and this is neither root nor is there a sudo")
    answered = yes or os.environ.get("EVNET_ANSWERED") == "yes"
    if not answered and ui.person_is_there() and not _ask([p.alternatives[0] for p in lacking]):
        raise _by_hand(lacking, "nothing was installed")
    _install(prefix, lacking)
    still = missing(groups, packages, installed_packages())
    if still:
        raise _by_hand(still, "apt-get ended, but packages are still missing")


def _install(prefix: Sequence[str], lacking: Sequence[Package]) -> None:
    ui.say("reading the package lists (apt-get update)")
    if subprocess.run([*prefix, "apt-get", "-qq", "update"], check=False).returncode != 0:
        ui.complain("apt-get update failed; trying with the package lists that are there")
    names = [choose(package) for package in lacking]
    ui.say(f"installing {len(names)} packages: {' '.join(names)}")
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q", "--no-install-recommends",
               "-o", "Dpkg::Use-Pty=0", "install", *names]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode != 0:
        raise _by_hand(lacking, "apt-get could not install everything")


def command_install(args: Options) -> int:
    """`./evnet install GROUP...`: for the Dockerfile and for CI; without a group, what `up` needs."""
    ensure(args.groups or ["build", "run"], args.yes)
    ui.say("every package is there")
    return 0
