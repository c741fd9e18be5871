"""Apache Kafka in a container, by docker-compose.yml. The launcher supervises the compose client."""
import shutil
import subprocess

from launcher import paths
from launcher.errors import EvnetError


def _compose() -> list[str]:
    docker = shutil.which("docker")
    if docker is not None:
        if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
            return [docker, "compose", "-f", str(paths.ROOT / "docker-compose.yml")]
    legacy = shutil.which("docker-compose")
    if legacy is not None:
        return [legacy, "-f", str(paths.ROOT / "docker-compose.yml")]
    raise EvnetError("--kafka docker needs Docker with its compose plugin (https://docs.docker.com/engine/install/); "
                     "--kafka embedded and --kafka native need neither")


def check() -> None:
    """One line before anything is started, where the engine is not there or not ours to use."""
    compose = _compose()
    docker = shutil.which("docker")
    if docker is None:
        return
    done = subprocess.run([docker, "info"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise EvnetError(f"--kafka docker: {lines[-1] if lines else f'{compose[0]} does not work'}")


def run_command() -> list[str]:
    return [*_compose(), "up", "--no-log-prefix", "kafka"]


def kill_command() -> list[str]:
    return [*_compose(), "kill", "kafka"]


def stop_command() -> list[str]:
    return [*_compose(), "stop", "kafka"]
