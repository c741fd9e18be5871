"""test, bench, verify, pictures: everything that builds and then runs programs of tests/ and tools/."""
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple, Sequence

from launcher import building, kafka_native, packages, paths, process, ui
from launcher.errors import EvnetError
from launcher.options import Options

PYTHON = "/usr/bin/python3"
TESTS = paths.ROOT / "tests"
_TEAR_DOWN_S = 60.0


class Counts(NamedTuple):
    passed: int
    failed: int
    skipped: int

    def __add__(self, other: object) -> "Counts":
        assert isinstance(other, Counts)
        return Counts(*(a + b for a, b in zip(self, other)))


def read_junit(path: Path) -> Counts:
    """Counts single test cases, in ctest's and pytest's reports alike."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return Counts(passed, failed, skipped)


def format_summary(counts: Counts) -> str:
    text = f"{counts.passed} passed, {counts.failed} failed"
    return text + (f", {counts.skipped} skipped" if counts.skipped else "")


def run_interruptible(command: Sequence[str], env: dict[str, str]) -> int:
    """Interrupted, it lets the runner tear its networks down, for a while."""
    with subprocess.Popen(command, cwd=paths.ROOT, env=env) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(_TEAR_DOWN_S)
            except subprocess.TimeoutExpired:
                child.kill()
            raise


def _run_reported(what: str, command: Sequence[str], report: Path, env: dict[str, str]) -> Counts:
    """A runner that dies before it writes its report counts as one failure, never as nothing."""
    report.unlink(missing_ok=True)
    ui.say(what)
    code = run_interruptible(command, env)
    try:
        counts = read_junit(report)
    except (OSError, ElementTree.ParseError):
        ui.complain(f"{command[0]} left no report (exit {code})")
        return Counts(0, 1, 0)
    if code != 0 and counts.failed == 0:
        ui.complain(f"{command[0]} ended with {code} although no test failed")
        return counts + Counts(0, 1, 0)
    return counts


def read_tap(text: str) -> Counts:
    """The closing lines of `node --test --test-reporter=tap`: "# pass 7"."""
    found = {match[1]: int(match[2]) for match in re.finditer(r"^# (pass|fail|cancelled|skipped) (\d+)$", text, re.M)}
    return Counts(found.get("pass", 0), found.get("fail", 0) + found.get("cancelled", 0), found.get("skipped", 0))


def _run_node(files: Sequence[Path], env: dict[str, str]) -> Counts:
    ui.say("the dashboard's modules")
    done = subprocess.run(["node", "--test", "--test-reporter=tap", *map(str, files)], cwd=paths.ROOT, env=env,
                          stdout=subprocess.PIPE, text=True, check=False)
    counts = read_tap(done.stdout)
    if done.returncode != 0 or counts.failed:
        print(done.stdout, flush=True)
        return counts if counts.failed else counts + Counts(0, 1, 0)
    print(f"{counts.passed} passed", flush=True)
    return counts


def _environment(preset: str) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("EV_")}
    env["EV_BUILD_DIR"] = str(paths.build_dir(preset))
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    if preset in ("asan", "tsan"):
        env["EV_TEST_PATIENCE"] = os.environ.get("EV_TEST_PATIENCE", "3")  # sanitizers slow everything down
    return env


def command_test(args: Options) -> int:
    preset = args.preset
    packages.ensure([*building.groups_for(preset, gui=True), "native", "test"], args.yes)
    building.build(preset)
    kafka_native.ensure_jars()
    directory = paths.build_dir(preset)
    env = _environment(preset)
    jobs = str(os.cpu_count() or 2)
    counts = _run_reported("C tests", ["ctest", "--test-dir", str(directory), "-j", jobs, "--output-on-failure",
                                       "--output-junit", str(directory / "ctest.xml")],
                           directory / "ctest.xml", env)
    modules = sorted((TESTS / "web").glob("*.test.mjs"))
    if modules:
        counts += _run_node(modules, env)
    for room in ("launcher", "web", "cp", "weather", "system"):
        if sorted((TESTS / room).glob("test_*.py")):
            report = directory / f"pytest-{room}.xml"
            counts += _run_reported(f"tests/{room}", [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml",
                                                      str(report), str(TESTS / room), *args.pytest_args], report, env)
    print(format_summary(counts), flush=True)
    return 1 if counts.failed or not counts.passed else 0


def _scripts(directory: Path) -> list[Path]:
    if (directory / "run.py").exists():
        return [directory / "run.py"]
    return sorted(path for path in directory.glob("*.py") if not path.name.startswith(("_", "conftest")))


def _run_scripts(scripts: Sequence[Path], args: Options) -> int:
    worst = 0
    for script in scripts:
        ui.say(str(script.relative_to(paths.ROOT)))
        worst = max(worst, abs(run_interruptible([PYTHON, str(script), *args.arguments], _environment(args.preset))))
    return min(worst, 1)


def command_bench(args: Options) -> int:
    packages.ensure([*building.groups_for(args.preset, gui=False), "native", "test"], args.yes)
    building.build(args.preset, gui=False)
    kafka_native.ensure_jars()
    scripts = _scripts(TESTS / "bench")
    if not scripts:
        raise EvnetError("tests/bench holds no benchmark")
    return _run_scripts(scripts, args)


def command_verify(args: Options) -> int:
    packages.ensure([*building.groups_for(args.preset, gui=False), "native", "test"], args.yes)
    building.build(args.preset, gui=False)
    kafka_native.ensure_jars()
    tables = sorted((TESTS / "system").glob("test_crash*.py"))
    if not tables:
        raise EvnetError("tests/system holds no crash table (test_crash*.py)")
    command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-v", *map(str, tables), *args.arguments]
    return run_interruptible(command, _environment(args.preset))


def command_pictures(args: Options) -> int:
    packages.ensure([*building.groups_for(args.preset, gui=True), "test"], args.yes)
    building.build(args.preset)
    script = paths.ROOT / "tools" / "pictures" / "make.py"
    if not script.exists():
        raise EvnetError("tools/pictures/make.py is not there")
    return _run_scripts([script], args)


def run(args: Options) -> int:
    """Whatever a runner leaves behind becomes ours and is ended, so that a test run leaves no process."""
    process.adopt_orphans()
    try:
        return {"test": command_test, "bench": command_bench, "verify": command_verify,
                "pictures": command_pictures}[args.command](args)
    finally:
        left = process.end_children()
        if left:
            ui.complain(f"{len(left)} processes were left behind, and have been ended: {' '.join(map(str, left))}")
