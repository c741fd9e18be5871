"""Supervises the services of a JSON file as `./evnet up` does, for the tests: supervise.py STATE_DIR RECORDS.json."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from launcher.errors import EvnetError  # noqa: E402
from launcher.records import Record, RunDir  # noqa: E402
from launcher.supervisor import Stopped, Supervisor  # noqa: E402


def main() -> int:
    run_dir = RunDir(Path(sys.argv[1]))
    run_dir.create()
    try:
        run_dir.lock()
    except EvnetError as error:
        print(error, file=sys.stderr)
        return 1
    supervisor = Supervisor(run_dir)
    try:
        for fields in json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")):
            supervisor.start(Record(**fields))
        supervisor.say("all started")
        while True:
            supervisor.pump()
    except Stopped:
        pass
    finally:
        supervisor.stop_all()
    return 0


sys.exit(main())
