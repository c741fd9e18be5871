"""Which TCP ports are taken, and by whom: looked up before anything is started."""
import os
import socket
from pathlib import Path
from typing import Iterable, NamedTuple, Optional

from launcher.errors import EvnetError

_LISTEN = "0A"


class Listener(NamedTuple):
    what: str  # for people: "Central's HTTP"
    host: str
    port: int


def is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def is_listening(port: int) -> bool:
    """Asks the kernel, so that the service sees no half connection from us."""
    return bool(_listening_inodes(port))


def find_owner(port: int) -> Optional[str]:
    """"ev_central, pid 4711", as far as this user may see it."""
    inodes = _listening_inodes(port)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            for descriptor in (entry / "fd").iterdir():
                target = os.readlink(descriptor)
                if target.startswith("socket:[") and target[8:-1] in inodes:
                    return f"{(entry / 'comm').read_text(encoding='utf-8').strip()}, pid {entry.name}"
        except OSError:
            continue
    return None


def require_free(listeners: Iterable[Listener]) -> None:
    """One line that names every port that is taken."""
    taken = []
    for listener in listeners:
        if not is_free(listener.host, listener.port):
            owner = find_owner(listener.port)
            taken.append(f"{listener.host}:{listener.port} ({listener.what}"
                         f"{', held by ' + owner if owner else ''})")
    if taken:
        shown = taken if len(taken) <= 4 else [*taken[:4], f"and {len(taken) - 4} more"]
        raise EvnetError(f"nothing was started, because {'an address is' if len(taken) == 1 else 'addresses are'} "
                         f"taken or not of this machine: {'; '.join(shown)}")
