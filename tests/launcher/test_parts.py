"""The launcher's parts that need no process: lists, options, counts, ports, invitations."""
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from supervised import ROOT
from launcher import (building, checks, demo, invitations, kafka_native, kafka_wire, network, options, packages,
                      ports, tmux)
from launcher.errors import EvnetError, UsageError


def test_the_package_list_is_read_and_a_bad_line_is_named():
    assert packages.parse_list("# nothing\nbuild gcc  # why\n\nnative a|b\n") == [
        packages.Package("build", ("gcc",)), packages.Package("native", ("a", "b"))]
    with pytest.raises(EvnetError, match="packages.txt:2"):
        packages.parse_list("build gcc\ngcc\n")
    with pytest.raises(EvnetError, match="packages.txt:1"):
        packages.parse_list("build a||b\n")


def test_only_what_is_missing_in_the_wanted_groups_is_installed_once():
    listed = packages.parse_list("build gcc\nbuild cmake\nrun a|b\nnative ca\nrun ca\ntest chromium\n")
    assert packages.missing(["build", "run", "native"], listed, {"gcc", "b"}) == [
        packages.Package("build", ("cmake",)), packages.Package("native", ("ca",))]


def test_the_embedded_broker_needs_no_java_and_up_never_needs_a_browser_or_the_test_tools():
    listed = packages.read_list()
    plain = options.parse(["up", "--gui", "auto"])
    names = {name for package in packages.missing(network.package_groups(plain, False), listed, set())
             for name in package.alternatives}
    assert "gcc" in names and "librdkafka-dev" in names
    assert not [name for name in names if "jre" in name or "jdk" in name or name == "maven"]
    assert not [name for name in names if "chromium" in name or "gtk" in name or "cmocka" in name]
    native = network.package_groups(options.parse(["up", "--kafka", "native"]), True)
    assert "native" in native and "gui" in native


def test_what_a_preset_needs():
    assert "unit" not in building.groups_for("release", gui=False)
    assert {"unit", "gui"} <= set(building.groups_for("dev", gui=True))


@pytest.mark.parametrize("words, expected", [
    (["up", "--cps", "ten"], "--cps"),
    (["up", "--cps", "201"], "0 to 200"),
    (["up", "--kafka", "somewhere"], "HOST:PORT"),
    (["up", "--kafka", "host:0"], "HOST:PORT"),
    (["up", "--speed", "0.5"], "1 to 100000"),
    (["up", "--weather", "sunny"], "open-meteo"),
    (["up", "--kafka-host", "192.0.2.1"], "--kafka native"),
    (["up", "--nonsense"], "--nonsense"),
    (["frobnicate"], "frobnicate"),
    ([], "a command is expected"),
])
def test_bad_usage_is_one_line_that_says_what_is_accepted(words, expected):
    with pytest.raises(UsageError, match=expected) as caught:
        options.parse(words)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_options_come_from_the_environment_and_a_flag_beats_it(monkeypatch):
    monkeypatch.setenv("EV_CPS", "4")
    monkeypatch.setenv("EV_YES", "1")
    args = options.parse(["up"])
    assert (args.cps, args.yes, args.drivers) == (4, True, 3)
    assert options.parse(["up", "--cps", "5"]).cps == 5
    monkeypatch.setenv("EV_GUI", "perhaps")
    with pytest.raises(UsageError, match="--gui"):
        options.parse(["up"])


def test_the_command_itself_exits_2_in_one_line():
    done = subprocess.run([str(ROOT / "evnet"), "up", "--speed", "0"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""


def test_every_command_and_option_of_the_help_exists_and_the_other_way_round():
    shown = (ROOT / "tools" / "launcher" / "help.txt").read_text(encoding="utf-8")
    for command in ("up", "test", "build", "bench", "verify", "pictures", "status", "stop", "kill", "start", "logs",
                    "down", "tell", "attach"):
        assert f"\n  {command} " in shown, command
    for option in ("cps", "drivers", "kafka", "kafka-host", "weather", "gui", "speed", "yes", "tmux"):
        assert f"--{option} " in shown, option


def test_a_taken_port_is_named_with_its_owner_before_anything_starts():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        port = holder.getsockname()[1]
        assert not ports.is_free("127.0.0.1", port)
        assert ports.is_listening(port)
        with pytest.raises(EvnetError) as caught:
            ports.require_free([ports.Listener("the dashboard", "127.0.0.1", port)])
        assert f"127.0.0.1:{port} (the dashboard, held by" in str(caught.value)
        assert "\n" not in str(caught.value)
    ports.require_free([ports.Listener("the dashboard", "127.0.0.1", port)])


def test_up_on_a_taken_port_says_so_in_one_line_and_starts_nothing(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        offset = holder.getsockname()[1] - 8080
        if not 0 < offset <= 56000:
            pytest.skip(f"the system gave a port that no offset reaches ({offset})")
        done = subprocess.run([str(ROOT / "evnet"), "up", "--yes", "--cps", "0", "--state-dir", str(tmp_path / "s"),
                               "--port-offset", str(offset)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "the dashboard" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list((tmp_path / "s" / "run").glob("*.json"))


def test_counts_of_both_runners_are_added_up(tmp_path):
    report = tmp_path / "ctest.xml"
    report.write_text('<testsuite tests="4"><testcase name="a" status="run"/><testcase name="b" status="fail">'
                      '<failure message=""/></testcase><testcase name="c" status="notrun"><skipped/></testcase>'
                      '</testsuite>', encoding="utf-8")
    pytest_report = tmp_path / "pytest.xml"
    pytest_report.write_text('<testsuites><testsuite><testcase name="x"/><testcase name="y"><error/></testcase>'
                             '</testsuite></testsuites>', encoding="utf-8")
    total = checks.read_junit(report) + checks.read_junit(pytest_report)
    assert total == checks.Counts(passed=2, failed=2, skipped=1)
    assert checks.format_summary(total) == "2 passed, 2 failed, 1 skipped"
    assert checks.format_summary(checks.Counts(3, 0, 0)) == "3 passed, 0 failed"


def test_counts_are_read_from_nodes_report():
    text = "ok 1 - a\n1..3\n# tests 3\n# pass 1\n# fail 1\n# cancelled 1\n# skipped 0\n"
    assert checks.read_tap(text) == checks.Counts(passed=1, failed=2, skipped=0)
    assert checks.read_tap("") == checks.Counts(0, 0, 0)


def test_a_runner_that_dies_without_a_report_is_a_failure(tmp_path):
    counts = checks._run_reported("dies", ["/bin/false"], tmp_path / "none.xml", {})
    assert counts == checks.Counts(0, 1, 0)


def test_the_ten_charge_points_of_the_demonstration_and_more():
    ten = demo.charge_points(10)
    assert [point.id for point in ten] == "CRT MAD ALC UBT BCN SEV VAL ZAZ GUA BIL".split()
    assert all(30 <= int(point.price_cents) <= 60 for point in ten)
    assert {point.max_kw for point in ten} == {"7.4", "11", "22", "50", "150"}
    many = demo.charge_points(200)
    assert len({point.id for point in many}) == 200
    assert [point.id for point in demo.charge_points(2)] == ["CRT", "MAD"]


def test_services_files_name_only_charge_points_that_are_there(tmp_path):
    ids = {point.id for point in demo.charge_points(10)}
    for driver in (1, 2, 3):
        path = demo.services_file(driver, demo.charge_points(10), tmp_path)
        assert path.parent == ROOT / "services"
        named = [line.partition("#")[0].split() for line in path.read_text(encoding="utf-8").splitlines()]
        assert {words[0] for words in named if words} <= ids
    few = demo.charge_points(2)
    made = demo.services_file(1, few, tmp_path)
    assert {line.split()[0] for line in made.read_text(encoding="utf-8").splitlines()[1:]} <= {"CRT", "MAD"}


def test_the_scripted_weather_knows_every_city_and_freezes_one():
    temperatures = {}
    for line in (ROOT / "services" / "temperatures.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            city, _, degrees = line.partition("=")
            temperatures[city] = float(degrees)
    assert set(temperatures) == {point.city for point in demo.charge_points(10)}
    assert [city for city, degrees in temperatures.items() if degrees < 0] == ["Ulan Bator"]


def test_each_id_is_invited_once_and_an_expired_code_is_replaced(tmp_path, monkeypatch):
    minted = []

    def mint(role, uses):
        minted.append((role, uses))
        return f"CODE{len(minted)}"

    path = tmp_path / "invitations.json"
    nobody = lambda _node: False  # noqa: E731
    first = invitations.Invitations(path, mint).codes_for("cp", ["A", "B"], nobody)
    assert first == {"A": "CODE1", "B": "CODE1"} and minted == [("cp", 2)]
    assert (path.stat().st_mode & 0o777) == 0o600
    again = invitations.Invitations(path, mint).codes_for("cp", ["A", "B", "C"], nobody)
    assert again == {"A": "CODE1", "B": "CODE1", "C": "CODE2"} and minted[1:] == [("cp", 1)]
    later = invitations.time.time() + invitations.HOURS * 3600
    monkeypatch.setattr(invitations.time, "time", lambda: later)
    late = invitations.Invitations(path, mint).codes_for("cp", ["A", "B", "C"], lambda node: node == "A")
    assert late == {"A": "CODE1", "B": "CODE3", "C": "CODE3"}, "the registered one needs none"


def test_command_lines_carry_no_invitation_and_every_engine_has_its_port_and_pairing_file():
    net = network.Network(options.parse(["up", "--cps", "3", "--state-dir", "/tmp/x"]))
    monitors = net.monitors({"MAD": "SECRETCODE"})
    assert not [word for record in monitors for word in record.argv if "SECRETCODE" in word]
    assert monitors[1].env == {"EV_INVITATION": "SECRETCODE"}
    engines = net.engines()
    for index, (engine, monitor) in enumerate(zip(engines, monitors)):
        address = f"127.0.0.1:{7101 + index}"
        assert engine.argv[engine.argv.index("--listen") + 1] == address
        assert monitor.argv[monitor.argv.index("--engine") + 1] == address
        pairing = engine.argv[engine.argv.index("--pairing-file") + 1]
        assert pairing == monitor.argv[monitor.argv.index("--pairing-file") + 1]
    assert len({engine.argv[engine.argv.index("--pairing-file") + 1] for engine in engines}) == 3


def test_tmux_windows_hold_every_service_once():
    net = network.Network(options.parse(["up"]))
    grouped = tmux.windows(net.service_names())
    assert sorted(name for _, names in grouped for name in names) == sorted(net.service_names())
    assert len(net.service_names()) == 27
    assert all(len(names) <= 6 for _, names in grouped)


@pytest.mark.parametrize("text, major", [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_372"', 8),
                                         ('openjdk version "21" 2023-09-19', 21), ("no java", 0)])
def test_the_java_version_is_read_from_what_java_prints(text, major):
    assert kafka_native.java_major(text) == major


def test_asking_a_port_that_speaks_no_kafka_gives_no_broker():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        assert kafka_wire.count_brokers("127.0.0.1", holder.getsockname()[1], 0.2) == 0
    assert kafka_wire.count_brokers("127.0.0.1", 1, 0.2) == 0


def test_without_python_the_launcher_still_helps():
    done = subprocess.run(["/bin/bash", str(ROOT / "evnet"), "help"], capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0 and "usage: ./evnet COMMAND" in done.stdout


def test_no_file_of_the_launcher_outgrows_its_reader():
    for path in sorted(Path(ROOT / "tools" / "launcher").glob("*.py")):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 600, path
    assert sys.version_info >= (3, 10)
