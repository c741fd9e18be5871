"""./evnet pictures [NAME ...]: the pictures in docs/pictures/, taken from a real network of its own.

Starts `./evnet up` on other ports and with a state of its own, waits until cars charge, then takes the dashboard
(public, signed in, on a telephone) with Chromium, and the windows under Xvfb.
"""
import base64
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import framebuffer  # noqa: E402
from launcher import paths, process, ui  # noqa: E402
from launcher.central_api import get_json  # noqa: E402

OUTPUT = ROOT / "docs" / "pictures"
BIN = Path(os.environ.get("EV_BUILD_DIR", paths.build_dir("release"))) / "bin"
PORT_OFFSET = 3000
URL = f"http://127.0.0.1:{8080 + PORT_OFFSET}"
_DEADLINE_S = 120.0
_SETTLE_S = 1.5  # fonts, the first live figures
_CHROMIUM = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
             "--hide-scrollbars", "--force-color-profile=srgb"]


def wait_for(what: str, condition: Callable[[], Any], seconds: float = _DEADLINE_S) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise SystemExit(f"pictures: waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.1)


@contextmanager
def network(state_dir: Path) -> Iterator[None]:
    log = state_dir.parent / "up.log"
    child = process.spawn([str(ROOT / "evnet"), "up", "--yes", "--gui", "off", "--speed", "20", "--port-offset",
                           str(PORT_OFFSET), "--state-dir", str(state_dir)], log=log)
    try:
        wait_for("the network to be up", lambda: "the network is up" in log.read_text() or child.poll() is not None)
        if child.poll() is not None:
            raise SystemExit(log.read_text()[-2000:])
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(120)


def charging_count() -> int:
    _, body = get_json(f"{URL}/api/v1/charge-points?limit=100")
    items = body["items"] if isinstance(body, dict) else []
    return sum(1 for item in items if item["state"] == "Charging" and item["session"]["energy_wh"] > 300)


class Browser:
    def __init__(self) -> None:
        self._profile = tempfile.mkdtemp(prefix="evnet-pictures-")
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*_CHROMIUM, f"--user-data-dir={self._profile}"]:
            options.add_argument(flag)
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)

    def close(self) -> None:
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)

    def take(self, name: str, width: int, height: int, scheme: str = "light", full: bool = False) -> None:
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 2 if width < 600 else 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.driver.get(URL + "/")
        wait_for("the dashboard to show a car that charges",
                 lambda: "kWh" in self.driver.find_element("css selector", "body").text, 20)
        wait_for("cars to charge", lambda: charging_count() >= 1)
        time.sleep(_SETTLE_S)
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": full})
        (OUTPUT / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
        ui.say(f"docs/pictures/{name}.png")

    def sign_in(self, password: str) -> None:
        status = self.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'},
                                    body: JSON.stringify({name: 'admin', password: arguments[0]})})
                .then((answer) => done(answer.status), () => done(0));""", password)
        if status != 200:
            raise SystemExit(f"pictures: signing in gave {status}")


def take_window(name: str, argv: list[str], env: dict[str, str], width: int, height: int) -> None:
    """Runs a GTK program on a screen of its own and keeps what it drew."""
    with tempfile.TemporaryDirectory(prefix="evnet-screen-") as directory:
        display = f":{90 + os.getpid() % 400}"
        screen = process.spawn(["Xvfb", display, "-screen", "0", f"{width}x{height}x24", "-fbdir", directory,
                                "-nolisten", "tcp"], log=None)
        window = None
        try:
            pixels = Path(directory) / "Xvfb_screen0"
            wait_for("Xvfb", lambda: pixels.exists() and Path(f"/tmp/.X11-unix/X{display[1:]}").exists(), 15)
            window = process.spawn(["dbus-run-session", "--", *argv], log=Path(directory) / "log",
                                   env={**os.environ, **env, "DISPLAY": display, "GSK_RENDERER": "cairo",
                                        "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1"})
            wait_for(f"{name} to draw", lambda: not framebuffer.is_uniform(framebuffer.read_screen(pixels)[2])
                     or window.poll() is not None, 30)
            if window.poll() is not None:
                raise SystemExit(f"pictures: {argv[0]} ended:\n{(Path(directory) / 'log').read_text()[-1000:]}")
            time.sleep(2 * _SETTLE_S)
            framebuffer.write_png(OUTPUT / f"{name}.png", *framebuffer.read_screen(pixels))
            ui.say(f"docs/pictures/{name}.png")
        finally:
            for child in (window, screen):
                if child is not None:
                    child.terminate()
                    child.wait(15)


def dashboard(state_dir: Path, wanted: Callable[[str], bool]) -> None:
    browser = Browser()
    try:
        if wanted("dashboard"):
            browser.take("dashboard", 1440, 1000)
        if wanted("dashboard-dark"):
            browser.take("dashboard-dark", 1440, 1000, "dark")
        if wanted("dashboard-phone"):
            browser.take("dashboard-phone", 390, 844)
        if wanted("dashboard-admin"):
            browser.sign_in((state_dir / "central" / "admin-password").read_text().strip())
            browser.take("dashboard-admin", 1440, 1400)
    finally:
        browser.close()


def windows(state_dir: Path, wanted: Callable[[str], bool]) -> None:
    if wanted("central-gui") and (BIN / "ev_central_gui").exists():
        password = (state_dir / "central" / "admin-password").read_text().strip()
        take_window("central-gui", [str(BIN / "ev_central_gui"), "--central", URL, "--state-dir",
                                    str(state_dir / "gui")], {"EV_PASSWORD": password}, 1280, 860)
    if wanted("driver-gui") and (BIN / "ev_driver_gui").exists():
        # the first driver's own state is used: it is registered already
        subprocess.run([str(ROOT / "evnet"), "stop", "driver-1", "--state-dir", str(state_dir)], check=True)
        take_window("driver-gui", [str(BIN / "ev_driver_gui"), "--id", "driver-1", "--state-dir",
                                   str(state_dir / "driver-1"), "--central",
                                   f"https://127.0.0.1:{8443 + PORT_OFFSET}", "--registry",
                                   f"https://127.0.0.1:{8444 + PORT_OFFSET}"], {}, 900, 700)


def main() -> int:
    names = sys.argv[1:]

    def wanted(name: str) -> bool:
        return not names or name in names

    OUTPUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="evnet-pictures-") as directory:
        state_dir = Path(directory) / "state"
        with network(state_dir):
            wait_for("cars to charge", lambda: charging_count() >= 2)
            dashboard(state_dir, wanted)
            windows(state_dir, wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
