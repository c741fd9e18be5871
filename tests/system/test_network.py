"""The network as a whole: ten charge points and three services files; parts that die and come back."""
import json
import threading
import urllib.request

from launcher import kafka_native
from network import Network, free_port, wait_for


def test_ten_charge_points_and_three_services_files_run_to_their_end(network: Network) -> None:
    points = {f"N-{n:02}": network.charge_point(f"N-{n:02}", speed="3600", price=30 + 3 * n) for n in range(10)}
    drivers = []
    for n in range(3):
        services = network.dir / f"services-{n}.txt"
        wanted = [f"N-{(3 * n + step) % 10:02}" for step in range(4)]
        services.write_text("# a route\n" + "\n".join(f"{cp} kwh={2 + n}" for cp in wanted) + "\nnot a line!\nNOWHERE\n")
        drivers.append((network.driver(f"n-{n}", "--services", str(services), "--pause", "0.5"), wanted))
    for driver, wanted in drivers:
        wait_for(f"{driver.id} to finish its file", lambda: len(  # five services: four charges and one refusal
            [s for s in driver.sessions() if s["state"] in ("finished", "rejected")]) == len(wanted) + 1, 120)
        for session in driver.sessions():
            if session["cp_id"] == "NOWHERE":
                assert (session["state"], session["reason"]) == ("rejected", "unknown_cp")
            elif session["state"] == "finished":
                network.check_ticket(points[session["cp_id"]], session["id"], "target")
        driver.service.wait_log(r"line 6")  # the bad line, by its number
    summary = network.public.get("/summary")
    assert summary["energy_today_wh"] > 0 and summary["health"]["kafka"]["ok"]


def test_central_killed_during_a_charge_bills_it_exactly_once(network: Network) -> None:
    running = network.charge_point("K-RUN", speed="60")
    ending = network.charge_point("K-END", speed="600")
    driver, other = network.driver("k-run"), network.driver("k-end")
    driver.charge("K-RUN")
    other.charge("K-END", "8")
    first, second = driver.wait_session("charging"), other.wait_session("charging")
    wait_for("energy to flow", lambda: running.view["session"]["energy_wh"] > 0)
    network.central.kill()
    # The supply that has a target ends while Central is away.
    wait_for("the supply to end without Central", lambda: ending.journal().get(second["id"], {}).get("stop_reason") == "target", 40)
    running.monitor.wait_log(r"(?i)central")
    network.central.start()
    wait_for("Central to be ready", lambda: network.public.call("GET", "/readyz"), 30)
    network.sign_in()
    other.wait_session("finished")
    network.check_ticket(ending, second["id"], "target")
    running.wait_state("Charging")
    assert network.session(first["id"])["state"] == "charging", "the supply went on"
    driver.service.command("stop")
    driver.wait_session("finished")
    network.check_ticket(running, first["id"], "driver")
    assert len(driver.sessions()) == 1 and len(other.sessions()) == 1


def test_a_killed_driver_goes_on_where_it_stopped_and_asks_nothing_twice(network: Network) -> None:
    point = network.charge_point("K-DRV", speed="60")
    point2 = network.charge_point("K-DRV2", speed="3600")
    services = network.dir / "services-kill.txt"
    services.write_text("K-DRV kwh=9\nK-DRV2 kwh=2\n")
    driver = network.driver("k-driver", "--services", str(services), "--pause", "0.5")
    session = driver.wait_session("charging")
    driver.service.kill()
    assert point.view["session"]["energy_wh"] >= 0
    wait_for("the supply to end without its driver", lambda: network.session(session["id"])["state"] == "finished", 60)
    driver.service.start()
    wait_for("both services served once", lambda: sorted(s["cp_id"] for s in driver.sessions()
                                                        if s["state"] == "finished") == ["K-DRV", "K-DRV2"], 40)
    assert len(driver.sessions()) == 2
    network.check_ticket(point, session["id"], "target")
    network.check_ticket(point2, driver.sessions()[0]["id"], "target")


def test_central_starts_without_kafka_and_picks_it_up(broker: kafka_native.NativeKafka, tmp_path_factory) -> None:
    """A broker of its own on a port where nothing listens yet; control works meanwhile."""
    port = free_port()
    alone = Network(tmp_path_factory.mktemp("late"), f"127.0.0.1:{port}")
    late = None
    try:
        alone.registry.start()
        alone.central = alone.make_central().start()
        wait_for("the account", lambda: (alone.dir / "central" / "admin-password").exists())
        wait_for("REST", lambda: alone.public.call("GET", "/healthz"))
        alone.sign_in()
        point = alone.charge_point("L-1", speed="600")
        alone.admin.post("/charge-points/L-1/stop")
        point.wait_state("Unavailable")
        alone.admin.post("/charge-points/L-1/resume")
        assert not alone.public.get("/summary")["health"]["kafka"]["ok"]
        driver = alone.driver("l-1")
        driver.charge("L-1", "2")
        late = kafka_native.start(alone.dir / "kafka", port)
        wait_for("Central to be ready", lambda: alone.public.call("GET", "/readyz"), 30)
        # What was asked for before Kafka came may be answered `expired`; a new request must be served.
        wait_for("an answer", lambda: driver.sessions(), 30)
        if driver.sessions()[0]["state"] == "expired":
            driver.charge("L-1", "2")
        session = driver.wait_session("finished", seconds=40)
        alone.check_ticket(point, session["id"], "target")
        alone.stop()
        alone.check_database()
    finally:
        alone.kill_all()
        if late is not None:
            late.stop()


def test_nothing_depends_on_the_start_up_order(network: Network) -> None:
    point = network.charge_point("O-1", start=False, speed="600")
    point.monitor.start()
    point.monitor.wait_log(r"engine")
    point.wait_state("Faulted")
    point.engine.start()
    point.wait_state("Available")
    driver = network.driver("o-1")
    driver.charge("O-1", "1")
    network.check_ticket(point, driver.wait_session("finished")["id"], "target")


def test_events_tell_each_change_and_resume_where_they_were(network: Network) -> None:
    seen: list[tuple[str, str, dict]] = []
    last_id = {"value": ""}

    def listen(stop: threading.Event, header: dict[str, str]) -> None:
        request = urllib.request.Request(network.public.base + "/api/v1/events", headers=header)
        name, data = "", ""
        with urllib.request.urlopen(request, timeout=30) as stream:
            for raw in stream:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("id: "):
                    last_id["value"] = line[4:]
                elif line.startswith("data: "):
                    data = line[6:]
                elif line == "" and name:
                    seen.append((name, last_id["value"], json.loads(data) if data else {}))
                    name, data = "", ""
                if stop.is_set():
                    return

    point = network.charge_point("E-1", speed="600")
    stop = threading.Event()
    thread = threading.Thread(target=listen, args=(stop, {}), daemon=True)
    thread.start()
    network.admin.post("/charge-points/E-1/stop")
    wait_for("the stop as an event", lambda: [e for e in seen if e[0] == "charge-point" and e[2]["id"] == "E-1"
                                              and e[2]["holds"] == ["admin"]])
    shown = [e[2] for e in seen if e[0] == "charge-point" and e[2]["id"] == "E-1"][-1]
    assert set(shown) == set(network.public.get("/charge-points/E-1")), "data equals the GET object"
    stop.set()
    network.admin.post("/charge-points/E-1/resume")
    thread.join(30)
    seen.clear()
    second = threading.Event()
    threading.Thread(target=listen, args=(second, {"Last-Event-ID": last_id["value"]}), daemon=True).start()
    wait_for("what was missed, or a reset", lambda: [e for e in seen if e[0] in ("charge-point", "reset")])
    second.set()
    point.wait_state("Available")
