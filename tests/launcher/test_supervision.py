"""What people do to a running network from another terminal, and what must be left of it afterwards."""
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from supervised import shell, wait_for
from launcher import process

SLEEPER = "echo ready; exec sleep 600"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
MOTHER = "sleep 601 & echo child $!; wait"
RUNAWAY = "setsid sh -c 'echo lost $$; exec sleep 602' & echo ready; exec sleep 600"


def pids_with(text):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text in (entry / "cmdline").read_bytes().decode("utf-8", "replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def logged_pid(net, name, word):
    def read():
        for line in net.run_dir.log_path(name).read_text(encoding="utf-8").splitlines():
            if line.startswith(word + " "):
                return int(line.split()[1])
        return None
    wait_for(lambda: net.run_dir.log_path(name).exists() and read() is not None, f"{name} to log {word!r}")
    return read()


def test_a_killed_service_stays_dead_and_is_named_until_someone_starts_it(net):
    net.up(shell("central", "central", SLEEPER), shell("weather", "weather", SLEEPER))
    before = net.record("weather")
    done = net.evnet("kill", "weather")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: "weather (pid %d) was ended by SIGKILL" % before.pid in net.shown(), "the death to be said")
    assert "./evnet start weather" in net.shown()
    wait_for(lambda: net.record("weather").exit == -signal.SIGKILL, "the record")
    assert net.record("central").is_running(), "only what was killed is gone"
    assert net.evnet("status").returncode == 1

    done = net.evnet("start", "weather")
    assert done.returncode == 0, done.stderr
    after = net.record("weather")
    assert after.is_running() and after.pid != before.pid
    assert after.argv == before.argv
    assert net.evnet("status").returncode == 0


def test_stop_is_a_sigterm_and_waits_for_the_end(net):
    net.up(shell("driver-1", "driver", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"))
    wait_for(lambda: "ready" in net.shown(), "the trap to be set")
    done = net.evnet("stop", "driver-1")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: net.record("driver-1").exit == 0, "an orderly end")
    assert "bye" in net.run_dir.log_path("driver-1").read_text(encoding="utf-8")


def test_starting_what_runs_or_is_unknown_is_refused_in_words(net):
    net.up(shell("central", "central", SLEEPER))
    done = net.evnet("start", "central")
    assert done.returncode == 1 and "runs already" in done.stderr
    done = net.evnet("start", "centrall")
    assert done.returncode == 1 and "there are: central" in done.stderr
    done = net.evnet("kill", "../central")
    assert done.returncode == 1 and "no service's name" in done.stderr


def test_a_recorded_pid_that_now_belongs_to_another_process_is_never_signalled(net):
    net.up(shell("central", "central", SLEEPER))
    with subprocess.Popen(["sleep", "30"]) as bystander:
        record = net.record("central")
        record.pid = bystander.pid
        record.name = "imposter"
        net.run_dir.store(record)
        done = net.evnet("kill", "imposter")
        assert done.returncode == 1 and "does not run" in done.stderr
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_the_end_no_process_is_left(net, number):
    net.up(shell("central", "central", SLEEPER), shell("cp_engine-A", "cp_engine", MOTHER),
           shell("cp_monitor-A", "cp_monitor", RUNAWAY))
    child = logged_pid(net, "cp_engine-A", "child")
    lost = logged_pid(net, "cp_monitor-A", "lost")
    records = net.run_dir.load_all()
    assert net.end(number) == 0
    assert not any(record.is_running() for record in records)
    assert process.start_time(child) is None, "a service's child is left"
    assert process.start_time(lost) is None, "what had its own session is left"


def test_what_ignores_sigterm_is_killed_after_the_deadline_and_at_once_on_a_second_ctrl_c(net):
    net.up(shell("central", "central", STUBBORN))
    wait_for(lambda: "ready" in net.shown(), "the trap to be set")
    record = net.record("central")
    began = time.monotonic()
    net.child.send_signal(signal.SIGINT)
    wait_for(lambda: net.evnet("start", "central").stderr != "" and record.is_running(), "the stopping to begin")
    net.child.send_signal(signal.SIGINT)
    assert net.child.wait(20) == 0
    assert time.monotonic() - began < 9, "the second Ctrl-C did not hasten it"
    assert not record.is_running()
    assert "SIGKILL" in net.shown()


def test_when_up_itself_is_killed_its_services_go_too(net):
    net.up(shell("central", "central", SLEEPER), shell("weather", "weather", SLEEPER))
    records = net.run_dir.load_all()
    os.kill(net.child.pid, signal.SIGKILL)
    net.child.wait()
    wait_for(lambda: not any(record.is_running() for record in records), "the services to follow")
    assert net.evnet("status").returncode == 3
    done = net.evnet("start", "central")
    assert done.returncode == 1 and "no network runs here" in done.stderr


def test_a_second_up_on_the_same_state_is_refused(net, tmp_path):
    net.up(shell("central", "central", SLEEPER))
    done = net.evnet("up", "--yes")
    assert done.returncode == 1
    assert f"a network already runs here (./evnet up is pid {net.child.pid})" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_down_stops_the_network_of_another_terminal(net):
    net.up(shell("central", "central", SLEEPER))
    record = net.record("central")
    done = net.evnet("down")
    assert done.returncode == 0 and "everything is stopped" in done.stdout
    assert not record.is_running()
    assert net.child.wait(10) == 0


def test_tell_types_into_a_service_and_end_of_input_never_comes(net):
    net.up(shell("cp_engine-A", "cp_engine", "while read -r line; do echo got $line; done; echo end of input"))
    done = net.evnet("tell", "cp_engine-A", "unplug", "now")
    assert done.returncode == 0 and "got unplug now" in done.stdout
    assert net.evnet("tell", "cp_engine-A", "plug").returncode == 0
    assert "end of input" not in net.run_dir.log_path("cp_engine-A").read_text(encoding="utf-8")


def test_every_line_of_every_service_is_shown_with_its_name(net):
    net.up(shell("central", "central", "for i in 1 2 3; do echo line $i; done; exec sleep 600"),
           shell("weather", "weather", "printf 'half a '; sleep 0.3; echo line; exec sleep 600"))
    wait_for(lambda: "half a line" in net.shown(), "the lines")
    lines = [line.split(None, 1) for line in net.shown().splitlines()]
    assert ["central", "line 1"] in lines and ["central", "line 3"] in lines
    assert ["weather", "half a line"] in lines, "a line is shown when it is whole"


def test_options_of_the_launcher_do_not_leak_into_the_services(net, monkeypatch):
    monkeypatch.setenv("EV_KAFKA", "native")
    monkeypatch.setenv("EV_LOG_LEVEL", "debug")
    service = shell("central", "central", 'echo "kafka=$EV_KAFKA level=$EV_LOG_LEVEL code=$EV_INVITATION"; exec sleep 600')
    net.up({**service, "env": {"EV_INVITATION": "ABC"}})
    wait_for(lambda: "kafka= level=debug code=ABC" in net.shown(), "the environment")
    assert (net.run_dir.record_path("central").stat().st_mode & 0o777) == 0o600, "the record holds an invitation"


def test_a_log_begins_anew_with_each_up_and_the_one_before_is_kept(net):
    net.up(shell("central", "central", "echo first; exec sleep 600"))
    wait_for(lambda: "first" in net.shown(), "the line")
    net.end()
    net.up(shell("central", "central", "echo second; exec sleep 600"))
    wait_for(lambda: "second" in net.shown(), "the line")
    assert "first" not in net.run_dir.log_path("central").read_text(encoding="utf-8")
    assert "first" in net.run_dir.log_path("central").with_suffix(".log.1").read_text(encoding="utf-8")
