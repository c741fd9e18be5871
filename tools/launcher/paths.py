"""Where things are."""
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_STATE_DIR = ROOT / ".evnet"
PACKAGES_FILE = ROOT / "cmake" / "packages.txt"
SERVICES_DIR = ROOT / "services"
WEB_DIR = ROOT / "web"
KAFKA_DIR = ROOT / "tools" / "kafka"
HELP_FILE = ROOT / "tools" / "launcher" / "help.txt"


def build_dir(preset: str) -> Path:
    return ROOT / "build" / preset


def program(preset: str, name: str) -> Path:
    return build_dir(preset) / "bin" / name
