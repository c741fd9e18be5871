"""Invitation codes: minted by `ev_registry invite`, kept so that each id is invited once, not at every start."""
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Sequence

from launcher.errors import EvnetError

HOURS = 24
_SPARE_S = 3600  # a code that is about to expire is not given out any more


class Invitations:
    """.evnet/invitations.json: [{role, ids, code, expires_at}], mode 0600."""

    def __init__(self, path: Path, mint: Callable[[str, int], str]) -> None:
        self._path = path
        self._mint = mint
        self._entries: list[dict[str, Any]] = self._load()

    def _load(self) -> list[dict[str, Any]]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            return [entry for entry in entries if {"role", "ids", "code", "expires_at"} <= entry.keys()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise EvnetError(f"{self._path} cannot be read ({error}); remove it, and new ones are made") from None

    def _store(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(self._entries, file, indent=1)
        os.replace(temporary, self._path)

    def codes_for(self, role: str, ids: Sequence[str], is_registered: Callable[[str], bool]) -> dict[str, str]:
        """A code for each id. An id that is registered keeps its old one: it is of no more use, and of no harm."""
        now = time.time()
        codes: dict[str, str] = {}
        for entry in self._entries:
            if entry["role"] == role:
                for node in entry["ids"]:
                    if is_registered(node) or entry["expires_at"] - _SPARE_S > now:
                        codes[node] = entry["code"]
        fresh = [node for node in ids if node not in codes and not is_registered(node)]
        if fresh:
            code = self._mint(role, len(fresh))
            self._entries.append({"role": role, "ids": fresh, "code": code, "expires_at": now + HOURS * 3600})
            self._store()
            codes.update(dict.fromkeys(fresh, code))
        return {node: codes[node] for node in ids if node in codes}


def mint_with(program: Path, state_dir: Path) -> Callable[[str, int], str]:
    """Asks ev_registry for codes; works before Registry runs (the authority is created) and beside it."""
    def mint(role: str, uses: int) -> str:
        done = subprocess.run([str(program), "invite", "--state-dir", str(state_dir), "--role", role,
                               "--uses", str(uses), "--hours", str(HOURS)],
                              capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL)
        code = done.stdout.strip()
        if done.returncode != 0 or not code or len(code.split()) != 1:
            raise EvnetError(f"ev_registry gave no invitation for role {role}: "
                             f"{done.stderr.strip() or f'exit {done.returncode}'}")
        return code
    return mint
