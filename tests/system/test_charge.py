"""A full charge for each way in which a supply can end; the ticket is held against the engine's journal."""
from network import ApiError, Network, wait_for


def start_charge(network: Network, cp_id: str, driver_id: str, **engine_options: str):
    point = network.charge_point(cp_id, **engine_options)
    driver = network.driver(driver_id)
    driver.charge(cp_id)
    session = driver.wait_session("charging")
    wait_for("energy to flow", lambda: (point.view["session"] or {}).get("energy_wh", 0) > 0)
    return point, driver, session["id"]


def test_ends_when_the_target_is_reached(network: Network) -> None:
    point = network.charge_point("T-TARGET", price=54, speed="600")
    driver = network.driver("d-target")
    driver.charge("T-TARGET", "5")
    session = driver.wait_session("finished")
    ticket = network.check_ticket(point, session["id"], "target")
    assert ticket["energy_wh"] == 5000
    assert ticket["cost_cents"] == 270
    point.wait_state("Available")


def test_ends_when_the_battery_is_full(network: Network) -> None:
    point = network.charge_point("T-FULL", battery_kwh="10", soc="90", speed="3600")
    driver = network.driver("d-full")
    driver.charge("T-FULL")
    session = driver.wait_session("finished", seconds=60)
    ticket = network.check_ticket(point, session["id"], "battery_full")
    assert ticket["energy_wh"] == 1000


def test_ends_when_the_car_is_unplugged(network: Network) -> None:
    point, driver, session_id = plugged_by_hand(network)
    point.engine.command("unplug")
    driver.wait_session("finished")
    network.check_ticket(point, session_id, "unplugged")
    point.wait_state("Available")


def plugged_by_hand(network: Network):
    """Supply starts only when the car is plugged in, and the point stays taken until it is unplugged."""
    point = network.charge_point("T-UNPLUG", auto_plug="off", auto_unplug="off")
    driver = network.driver("d-unplug")
    driver.charge("T-UNPLUG")
    point.wait_state("Preparing")
    point.engine.command("plug")
    session = driver.wait_session("charging")
    wait_for("energy to flow", lambda: (point.view["session"] or {}).get("energy_wh", 0) > 0)
    return point, driver, session["id"]


def test_ends_by_the_driver_and_the_car_stays_plugged_in(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-DRIVER", "d-driver", auto_unplug="off")
    driver.service.command("stop")
    driver.wait_session("finished")
    network.check_ticket(point, session_id, "driver")
    point.wait_state("Finishing")
    point.engine.command("unplug")
    point.wait_state("Available")


def test_ends_by_an_admin_who_stops_the_charge_point(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-ADMIN", "d-admin")
    answer = network.admin.post("/charge-points/T-ADMIN/stop")
    assert answer["items"][0]["id"] == "T-ADMIN" and answer["items"][0]["holds"] == ["admin"]
    driver.wait_session("finished")
    network.check_ticket(point, session_id, "admin")
    point.wait_state("Unavailable")
    network.admin.post("/charge-points/T-ADMIN/resume")
    point.wait_state("Available")


def test_ends_by_the_weather(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-WEATHER", "d-weather", city="T-City")
    network.weather.command("force T-City -3")
    driver.wait_session("finished")
    network.check_ticket(point, session_id, "weather")
    assert point.wait_state("Unavailable")["holds"] == ["weather"]
    network.weather.command("force T-City 5")
    point.wait_state("Available")
    network.weather.command("auto T-City")


def test_ends_by_maintenance(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-MAINT", "d-maint")
    point.monitor.command("maintenance on")
    driver.wait_session("finished")
    network.check_ticket(point, session_id, "maintenance")
    assert point.wait_state("Unavailable")["holds"] == ["maintenance"]
    point.monitor.command("maintenance off")
    point.wait_state("Available")


def test_ends_by_a_fault_and_recovers_by_repair(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-FAULT", "d-fault")
    point.engine.command("fault")
    point.wait_state("Faulted")
    driver.wait_session("finished")
    network.check_ticket(point, session_id, "fault")
    point.engine.command("repair")
    point.wait_state("Available")


def test_ends_at_once_by_revocation_and_the_old_key_does_not_return(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-REVOKE", "d-revoke")
    network.admin.post("/charge-points/T-REVOKE/revoke")
    wait_for("the connection to be cut within a second", lambda: not point.view["connected"], 1.0)
    session = driver.wait_session("finished")
    assert session["id"] == session_id and session["stop_reason"] == "revoked"
    assert session["cost_cents"] == (session["energy_wh"] * session["price_cents_per_kwh"] + 500) // 1000
    position = len(point.monitor.log)
    point.monitor.command("connect")
    point.monitor.wait_log(r"revoked", after=position)
    assert not point.view["connected"]
    network.registry.wait_log(r"revoked.*T-REVOKE|T-REVOKE.*revoked")  # an invitation made before it does not count
    # Back only by a new registration: a new key, a new invitation.
    point.monitor.command(f"register {network.invite('cp')}")
    point.wait_state("Available", seconds=30)
    assert network.session(session_id)["energy_wh"] == session["energy_wh"]


def test_ends_by_a_dropped_key_until_the_operator_connects(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-DROP", "d-drop")
    network.admin.post("/charge-points/T-DROP/drop-key")
    driver.wait_session("finished")
    network.check_ticket(point, session_id, "key_dropped")
    view = point.wait_state("Offline")
    assert view["holds"] == ["key"]
    point.monitor.stop()
    point.monitor.start()
    point.monitor.wait_log(r"key_dropped|dropped")
    assert not point.view["connected"], "only the operator's connect lifts it"
    point.monitor.command("connect")
    assert point.wait_state("Available")["holds"] == []


def test_ends_by_deregistration_and_the_point_can_register_again(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-DEREG", "d-dereg")
    point.monitor.command("deregister")
    session = driver.wait_session("finished")
    assert session["stop_reason"] == "deregistered"

    def gone() -> bool:
        try:
            return point.view is None
        except ApiError as error:
            return error.status == 404
    wait_for("the charge point to disappear", gone)
    point.monitor.command(f"register {network.invite('cp')}")
    wait_for("the charge point to come back", lambda: point.view["id"] == "T-DEREG", 30)
    point.wait_state("Available", seconds=30)


def test_a_killed_monitor_ends_its_supply_within_seconds(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-MON", "d-mon")
    point.monitor.kill()
    driver.wait_session("finished", seconds=15)
    network.check_ticket(point, session_id, "monitor_lost")
    point.wait_state("Offline")
    point.monitor.start()
    point.wait_state("Available")


def test_a_killed_engine_settles_from_its_journal_when_it_returns(network: Network) -> None:
    point, driver, session_id = start_charge(network, "T-ENG", "d-eng")
    point.engine.kill()
    point.wait_state("Faulted", seconds=6)
    assert driver.wait_session("settling")["id"] == session_id
    point.engine.start()
    driver.wait_session("finished")
    network.check_ticket(point, session_id, "engine_lost")
    point.wait_state("Available", "Finishing")


def test_a_charge_can_be_asked_for_at_the_charge_point(network: Network) -> None:
    point = network.charge_point("T-LOCAL", speed="600")
    driver = network.driver("d-local")
    point.monitor.command("charge d-local 2")
    session = driver.wait_session("finished")
    assert network.check_ticket(point, session["id"], "target")["energy_wh"] == 2000
    position = len(point.monitor.log + point.monitor.out)
    point.monitor.command("charge nobody-known")
    point.monitor.wait_log(r"unknown_driver", after=position)


def test_a_reservation_that_nobody_plugs_into_is_given_up(network: Network) -> None:
    """The hold ends it here; the 60 s themselves are shown on virtual time by the monitor's own tests."""
    point = network.charge_point("T-RESERVE", auto_plug="off")
    driver = network.driver("d-reserve")
    driver.charge("T-RESERVE")
    point.wait_state("Preparing")
    network.admin.post("/charge-points/T-RESERVE/stop")
    session = driver.wait_session("cancelled")
    assert session["reason"] == "admin" and session["energy_wh"] in (0, None)
    network.admin.post("/charge-points/T-RESERVE/resume")
    point.wait_state("Available")
