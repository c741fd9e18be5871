"""The dashboard in a real browser, against a fake Central.

    /usr/bin/python3 -m pytest tests/web
"""
import json
import shutil
import sys
import tempfile
import pathlib

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fake_central import PASSWORD, FakeCentral  # noqa: E402

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1440,900"]
WAIT_S = 8
WORDS = {"Available": "Available", "Charging": "Charging", "Preparing": "Preparing", "Finishing": "Finishing",
         "Unavailable": "Out of order", "Faulted": "Faulted", "Offline": "Offline"}
# Everything that the page itself could do wrong, kept across reloads by being looked at before each.
WATCH = """
window.__wrong = [];
addEventListener('error', (e) => __wrong.push('error: ' + e.message));
addEventListener('unhandledrejection', (e) => __wrong.push('rejection: ' + e.reason));
document.addEventListener('securitypolicyviolation', (e) => __wrong.push('CSP: ' + e.violatedDirective + ' ' + e.blockedURI));
window.__owned = 0;
"""
FIND_TILE = ("const find = (id) => [...document.querySelectorAll('.tile:not(.skeleton)')]"
             ".find((tile) => tile.querySelector('.tile-open bdi').textContent === id) ?? null;")


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    profile = tempfile.mkdtemp(prefix="dashboard-")
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_page_load_timeout(20)
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def central():
    with FakeCentral() as fake:
        yield fake


@pytest.fixture
def page(browser, central):
    page = Page(browser, central)
    page.resize(1440, 900)
    browser.get_log("browser")
    page.open()
    yield page
    assert page.complaints() == []
    browser.get("about:blank")


class Page:
    """What a person would look for on the page, and do with it."""

    def __init__(self, driver, central):
        self.driver, self.central = driver, central
        self.expected = set()  # HTTP statuses that this test provokes: the browser logs each

    def open(self):
        self.driver.get(self.central.url)
        self.until(lambda: self.text("#link-text") == "Live" and not self.all("#tiles[aria-busy]"))

    def until(self, condition, seconds=WAIT_S):
        return WebDriverWait(self.driver, seconds, 0.05, ignored_exceptions=[Exception]).until(lambda _: condition())

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0])?.textContent ?? null", selector)

    def tile(self, cp):
        return self.js(FIND_TILE + "return find(arguments[0])", cp)

    def in_tile(self, cp, selector):
        return self.js(FIND_TILE + "return find(arguments[0])?.querySelector(arguments[1])?.textContent ?? null", cp, selector)

    def sees(self, words, selector="body"):
        """Visible text only, as a person would read it."""
        text = self.js("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return words in " ".join(text.split())

    def button(self, words, within="body"):
        found = self.js("return [...document.querySelectorAll(arguments[0])].find((e) => e.checkVisibility() && "
                        "e.textContent.trim() === arguments[1]) ?? null", f"{within} button", words)
        assert found is not None, f"no button {words!r} in {within}"
        return found

    def click(self, words, within="body"):
        self.until(lambda: self.button(words, within).is_enabled() and (self.button(words, within).click() or True))

    def sign_in(self, password=PASSWORD):
        self.click("Sign in", "#account")
        field = self.until(lambda: self.one("#sign-in-password"))
        field.send_keys(password, Keys.ENTER)

    def signed_in(self):
        self.sign_in()
        self.until(lambda: self.one("#sessions").is_displayed() and self.one("#bulk").is_displayed())
        self.until(lambda: self.in_tile("MAD", ".tile-driver") == "LUIS-1")

    def sheet(self, cp):
        self.js("arguments[0].scrollIntoView({block: 'center'})", self.tile(cp))
        self.tile(cp).find_element(By.CSS_SELECTOR, ".tile-open").click()
        self.until(lambda: self.one("#sheet").is_displayed())

    def resize(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def complaints(self):
        found = list(self.js("return window.__wrong ?? []"))
        for entry in self.driver.get_log("browser"):
            message = entry["message"]
            provoked = "Failed to load resource" in message and any(str(word) in message for word in self.expected)
            if entry["level"] in ("SEVERE", "WARNING") and not provoked:
                found.append(message)
        return found


# -- what it shows --------------------------------------------------------------------------------


def test_every_charge_point_shows_its_state_in_words_sign_and_colour(page, central):
    colours, signs = {}, {}
    assert len(page.all(".tile")) == 10
    for cp, point in central.points.items():
        assert page.in_tile(cp, ".tile-state-label") == WORDS[point["state"]]
        band = page.tile(cp).find_element(By.CSS_SELECTOR, ".tile-state")
        colours[point["state"]] = band.value_of_css_property("background-color")
        signs[point["state"]] = band.find_element(By.CSS_SELECTOR, "path").get_attribute("d")
        assert page.in_tile(cp, ".tile-city") == point["city"]
        assert page.in_tile(cp, ".tile-price") == f"€{point['price_cents_per_kwh'] / 100:.2f}/kWh"
    assert set(colours) == set(WORDS), "the script has every state"
    assert len(set(colours.values())) == len(WORDS), colours
    assert len(set(signs.values())) == len(WORDS), signs


def test_one_screen_answers_what_is_well_wrong_charging_and_new(page, central):
    assert page.sees("2 things need attention", "#verdict")
    assert page.sees("10 charge points, 2 charging, 2 free", "#verdict")
    for words in ("Faulted", "GUA", "Offline", "BIL", "halted for frost", "UBT", "stopped by an administrator", "ZAZ"):
        assert page.sees(words, "#attention"), words
    assert page.in_tile("GUA", ".tile-note") == "Fault: contactor welded"
    assert page.text("#figure-power") == "166.8"
    assert page.text("#figure-energy") == "312.4"
    assert page.text("#figure-income") == "€158.73"
    assert page.text("#figure-requests") == "1"
    for name in ("Central", "Kafka", "Registry", "Weather"):
        assert page.sees(f"{name} well", f"#service-{name.lower()}")
    rows = page.all(".audit-row")
    assert len(rows) == len(central.audit)
    assert "rotate_key" in rows[0].text and "epoch 31" in rows[0].text, "newest first"
    assert page.sees("−18.4 °C", "#weather") and page.sees("frost", "#weather")
    bottom = page.js("return Math.max(...[...document.querySelectorAll('#overview, .tile, #attention, #services, "
                     ".audit-row:first-child')].map((e) => e.getBoundingClientRect().bottom))")
    assert bottom <= 900, "all of it without scrolling at 1440 x 900"


def test_the_public_sees_no_driver_and_no_amount(page):
    assert page.in_tile("MAD", ".tile-power-value") == "118.6"
    assert page.in_tile("MAD", ".tile-energy") == "9.12 kWh"
    assert not page.sees("LUIS-1")
    assert not page.one("#sessions").is_displayed()
    assert not page.tile("MAD").find_element(By.CSS_SELECTOR, ".tile-cost").is_displayed()
    assert not any(call[1].startswith(("/api/v1/sessions", "/api/v1/me")) for call in page.central.calls)


def test_events_change_the_page_within_a_moment(page, central):
    central.put("ALC", state="Charging")
    central.supply("ALC", power_w=21430, energy_wh=1234, soc_percent=22, driver_id="IVAN", cost_cents=52)
    page.until(lambda: page.in_tile("ALC", ".tile-state-label") == "Charging")
    page.until(lambda: page.in_tile("ALC", ".tile-power-value") == "21.4" and page.in_tile("ALC", ".tile-energy") == "1.23 kWh")
    central.put("GUA", state="Available", engine_ok=True)
    central.put("BIL", state="Available", connected=True)
    page.until(lambda: page.sees("Running well, 2 out of order", "#verdict"))
    central.note("unknown", "10.0.0.9", "hello", "CRT", "refused", "no certificate")
    page.until(lambda: "no certificate" in page.all(".audit-row")[0].text)
    central.remove("SEV")
    page.until(lambda: len(page.all(".tile")) == 9)
    central.health["kafka"] = {"ok": False, "detail": "no broker answers"}
    central.ready_reasons = ["Kafka is not reachable"]
    page.expected.add(503)
    central.say_summary()
    page.until(lambda: page.sees("Kafka not well", "#service-kafka") and page.sees("no broker answers", "#attention"))
    page.until(lambda: page.sees("Central not ready", "#service-central"))
    report = central.weather["Madrid"]
    report.update(stale=True, stale_since="2026-01-02T03:04:05.000Z")
    central.emit("weather", report)
    page.until(lambda: page.sees("stale since", "#weather") and page.sees("The weather is stale", "#attention"))


def test_filter_and_search_narrow_the_tiles(page):
    page.one("#state-filter [data-state=Unavailable]").click()
    page.until(lambda: len(page.all(".tile")) == 2)
    page.one("#state-filter [data-state=all]").click()
    page.one("#search").send_keys("barce")
    page.until(lambda: len(page.all(".tile")) == 1 and page.tile("BCN"))
    page.one("#search").send_keys("x")
    page.until(lambda: page.sees("No charge point matches", "#charge-points"))


# -- when Central goes away -----------------------------------------------------------------------


def test_a_lost_central_is_said_and_the_last_figures_are_dimmed(page, central):
    page.expected.update(["ERR_", "api/v1"])
    central.down()
    page.until(lambda: page.sees("Central cannot be reached; retrying…", "#banner"))
    assert page.text("#link-text") == "Reconnecting…"
    assert page.sees("What you see is from", "#banner")
    assert page.sees("Central cannot be reached", "#verdict")
    assert page.sees("Central unreachable", "#service-central")
    assert len(page.all(".tile")) == 10
    page.until(lambda: float(page.one("#tiles").value_of_css_property("opacity")) < 0.9)
    central.points["ALC"]["city"] = "Alacant"  # nobody heard of it
    central.resume_history = False
    central.up()
    page.until(lambda: not page.one("#banner").is_displayed() and page.text("#link-text") == "Live", 12)
    page.until(lambda: page.in_tile("ALC", ".tile-city") == "Alacant")
    page.until(lambda: float(page.one("#tiles").value_of_css_property("opacity")) == 1)


def test_a_short_cut_resumes_where_it_was(page, central):
    central.put("ALC", state="Preparing")
    page.until(lambda: page.in_tile("ALC", ".tile-state-label") == "Preparing")
    loads = sum(call[1].startswith("/api/v1/charge-points") for call in central.calls)
    central.cut_streams()
    central.put("CRT", state="Faulted")  # said to nobody: only its history has it
    page.until(lambda: page.in_tile("CRT", ".tile-state-label") == "Faulted")
    assert sum(call[1].startswith("/api/v1/charge-points") for call in central.calls) == loads, "resumed, not reloaded"


def test_reset_loads_everything_again(page, central):
    central.put("ALC", state="Preparing")
    page.until(lambda: page.in_tile("ALC", ".tile-state-label") == "Preparing")
    central.resume_history = False
    with central.lock:
        central.points["MAD"].update(city="Madrid Sur")
        del central.points["ZAZ"]
    central.cut_streams()
    page.until(lambda: page.in_tile("MAD", ".tile-city") == "Madrid Sur" and len(page.all(".tile")) == 9)


# -- hostile strings ------------------------------------------------------------------------------

HOSTILE = [
    "<img src=x onerror=window.__owned=1><script>window.__owned=1</script>",
    "'; DROP TABLE charge_point; --\" onmouseover=\"window.__owned=1",
    "safe\u202egnp.exe\u2066\u200b\u0007",
    "W" * 4000,
    "{{constructor.constructor('window.__owned=1')()}}${__proto__}",
    "Z\u0351\u036b\u0343\u036a\u0302" * 40 + "؜العربية",
]


@pytest.mark.parametrize("width", [1440, 360])
def test_hostile_strings_stay_text_and_break_no_layout(page, central, width):
    page.signed_in()
    page.resize(width, 800)
    for i, evil in enumerate(HOSTILE):
        cp = central.points["MAD"]
        session = {**cp["session"], "id": evil, "driver_id": evil}
        point = {**cp, "id": evil, "city": evil, "holds": [evil], "state": ["Charging", "Unavailable", "Offline"][i % 3], "session": session}
        row = {**next(iter(central.sessions.values())), "id": f"zz{evil}", "cp_id": evil, "driver_id": evil, "state": evil,
               "reason": evil, "stop_reason": evil, "requested_at": evil}
        with central.lock:
            central.points[evil] = point
            central.emit("charge-point", point)
            central.emit("session", row)
            central.emit("weather", {"city": evil, "temperature_c": -1.0, "alert": True, "observed_at": evil, "stale": True, "stale_since": evil})
        central.note(evil, evil, evil, evil, evil, evil)
    central.put("ALC", state=HOSTILE[0], since=HOSTILE[1], price_cents_per_kwh=HOSTILE[2], max_power_w="<b>", temperature_c={})
    central.health["registry"] = {"ok": False, "detail": HOSTILE[0]}
    central.say_summary()
    page.until(lambda: len(page.all(".tile")) == 10 + len(HOSTILE) and len(page.all(".audit-row")) >= len(HOSTILE) + 15)
    page.until(lambda: page.text("#service-registry .service-detail") == HOSTILE[0])
    for literal in (HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[4]):
        assert page.in_tile(literal, ".tile-city") == literal
        assert page.js("return [...document.querySelectorAll('.audit-text')].some((e) => e.textContent === arguments[0])", literal)
    assert "safe⟨U+202E⟩gnp.exe⟨U+2066⟩⟨U+200B⟩⟨U+0007⟩" in page.js("return document.getElementById('tiles').textContent")
    assert page.js("return /[\\u202a-\\u202e\\u2066-\\u2069]/.test(document.body.textContent)") is False
    page.js("arguments[0].click()", page.tile(HOSTILE[0]).find_element(By.CSS_SELECTOR, ".tile-open"))
    page.until(lambda: page.text("#sheet-title") == HOSTILE[0])
    assert page.js("return document.querySelectorAll('main img, main script, dialog img').length") == 0
    assert page.js("return window.__owned") == 0
    wide = page.js("return [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && "
                   "!e.closest('.table-scroll, .state-filter, .tile, .card')).map((e) => `${e.tagName} ${e.className} ${e.id}`)")
    assert page.js("return document.documentElement.scrollWidth <= innerWidth"), f"nothing pushes the page wide: {wide}"
    over = page.js("return [...document.querySelectorAll('.tile, .card, .weather-cell, #sheet')].filter((e) => "
                   "e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().height > 2000).map((e) => `${e.className} ${e.scrollWidth}/${e.clientWidth} ${e.textContent.slice(0, 60)}`)")
    assert over == []


def test_identifiers_are_escaped_in_addresses(page, central):
    central.put("A/../B?x=1#y", state="Available")
    page.signed_in()
    page.sheet("A/../B?x=1#y")
    page.click("Rotate key", "#sheet")
    page.until(lambda: ("POST", "/api/v1/charge-points/A%2F..%2FB%3Fx%3D1%23y/rotate-key", None) in central.calls)
    page.until(lambda: page.sees("got a new telemetry key", "#sheet"))


# -- the administrator ----------------------------------------------------------------------------


def test_sign_in_shows_more_and_signing_out_hides_it_again(page, central):
    page.expected.add(401)
    page.sign_in("wrong")
    page.until(lambda: page.sees("Name or password is wrong.", "#sign-in"))
    page.one("#sign-in-password").send_keys(PASSWORD, Keys.ENTER)
    page.until(lambda: page.sees("Signed in as admin", "#account"))
    page.until(lambda: page.in_tile("MAD", ".tile-driver") == "LUIS-1" and page.in_tile("MAD", ".tile-cost") == "€5.47")
    page.until(lambda: page.sees("LUIS-1", "#sessions") and page.sees("10.0.0.66:50118", "#audit"))
    page.one("#session-filter [data-key=open]").click()
    page.until(lambda: len(page.all("#sessions tbody tr")) == 1 and page.sees("ANA-3", "#sessions"))
    page.open()
    page.until(lambda: page.sees("Signed in as admin", "#account")), "a reload keeps it"
    page.click("Sign out", "#account")
    page.until(lambda: page.one("#open-sign-in").is_displayed() and not page.one("#sessions").is_displayed())
    page.until(lambda: "LUIS-1" not in page.js("return document.body.textContent"))
    assert not page.one("#bulk").is_displayed()


def test_too_many_sign_ins_say_how_long_to_wait(page, central):
    page.expected.update([401, 429])
    central.failed_logins = 4
    page.sign_in("wrong")
    page.until(lambda: page.sees("Too Many Requests", "#sign-in") and page.sees("Try again in 30 s", "#sign-in"))


def test_stop_and_resume_one_and_the_refusal_says_why(page, central):
    page.signed_in()
    page.tile("ALC").find_element(By.CSS_SELECTOR, ".tile-act").click()
    page.until(lambda: page.sees("ALC stopped", "#messages") and page.sees("Held by: administrator.", "#messages"))
    page.until(lambda: page.in_tile("ALC", ".tile-state-label") == "Out of order" and page.in_tile("ALC", ".tile-act") == "Resume")
    page.tile("ALC").find_element(By.CSS_SELECTOR, ".tile-act").click()
    page.until(lambda: page.in_tile("ALC", ".tile-state-label") == "Available")
    page.expected.add(409)
    page.sheet("UBT")
    page.click("Resume", "#sheet")
    page.until(lambda: page.sees("UBT was not resumed: Cannot be resumed", "#sheet"))
    assert page.sees("No administrator stopped UBT; it is held by: weather.", "#sheet")
    page.one("#sheet").send_keys(Keys.ESCAPE)
    page.until(lambda: not page.one("#sheet").is_displayed())
    page.tile("MAD").find_element(By.CSS_SELECTOR, ".tile-act").click()
    page.until(lambda: page.sees("MAD will stop as soon as its supply has ended", "#messages"))


def test_stop_selected_and_all_after_a_question(page, central):
    page.signed_in()
    for cp in ("ALC", "CRT"):
        page.tile(cp).find_element(By.CSS_SELECTOR, ".tile-pick").click()
    page.click("Stop 2 selected", "#bulk")
    page.click("Stop 2", "#confirm")
    page.until(lambda: ("POST", "/api/v1/charge-points/stop", {"ids": ["ALC", "CRT"]}) in central.calls)
    page.until(lambda: page.sees("2 charge points stopped", "#messages"))
    page.click("Stop all", "#bulk")
    page.until(lambda: page.sees("2 running supplies will end and be billed.", "#confirm"))
    page.click("Cancel", "#confirm")
    assert ("POST", "/api/v1/charge-points/stop", None) not in central.calls
    page.click("Stop all", "#bulk")
    page.click("Stop all", "#confirm")
    page.until(lambda: ("POST", "/api/v1/charge-points/stop", None) in central.calls)
    page.until(lambda: page.sees("Accepted, not yet carried out: BCN and MAD.", "#messages"))
    page.click("Resume all", "#bulk")
    page.until(lambda: page.sees("Still held otherwise: UBT (weather).", "#messages"))


def test_keys_price_and_revoking(page, central):
    page.expected.add(409)
    page.signed_in()
    page.sheet("BIL")
    page.click("Rotate key", "#sheet")
    page.until(lambda: page.sees("BIL is Offline: there is nobody to give a key to.", "#sheet"))
    page.one("#sheet").send_keys(Keys.ESCAPE)
    page.until(lambda: not page.one("#sheet").is_displayed())
    page.sheet("CRT")
    field = page.one("#sheet-price")
    field.clear()
    field.send_keys("57", Keys.ENTER)
    page.until(lambda: page.sees("CRT now costs €0.57/kWh", "#sheet") and page.sees("with the next session", "#sheet"))
    page.until(lambda: page.in_tile("CRT", ".tile-price") == "€0.57/kWh")
    page.click("Drop key", "#sheet")
    page.click("Drop key", "#confirm")
    page.until(lambda: page.in_tile("CRT", ".tile-state-label") == "Offline" and page.sees("waits for the monitor’s connect command", "#sheet"))
    page.click("Revoke…", "#sheet")
    typed = page.until(lambda: page.one("#confirm-typed"))
    assert not page.button("Revoke for good", "#confirm").is_enabled()
    typed.send_keys("CR")
    assert not page.button("Revoke for good", "#confirm").is_enabled()
    typed.send_keys("T")
    page.click("Revoke for good", "#confirm")
    page.until(lambda: ("POST", "/api/v1/charge-points/CRT/revoke", None) in central.calls)
    page.until(lambda: len(page.all(".tile")) == 9 and not page.one("#sheet").is_displayed())
    page.until(lambda: page.sees("CRT was revoked", "#messages"))


def test_an_ended_sign_in_is_said_and_asked_for_again(page, central):
    page.expected.add(401)
    page.signed_in()
    central.tokens.clear()
    page.tile("ALC").find_element(By.CSS_SELECTOR, ".tile-act").click()
    page.until(lambda: page.sees("Your sign-in has ended. Sign in again to go on.", "#sign-in"))
    page.until(lambda: not page.one("#sessions").is_displayed())


# -- for everyone ---------------------------------------------------------------------------------


def test_the_keyboard_reaches_and_leaves_a_charge_point(page):
    page.js("document.querySelector('.tile-open').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.until(lambda: page.one("#sheet").is_displayed())
    assert page.js("return document.activeElement.closest('#sheet') !== null")
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.until(lambda: page.js("return document.activeElement.classList.contains('tile-open')"))


@pytest.mark.parametrize("width", [360, 768, 1024, 1440, 3840])
def test_every_width_fits_without_sideways_scrolling(page, width):
    page.signed_in()
    page.resize(width, 900)
    assert page.js("return document.documentElement.scrollWidth <= innerWidth")
    unnamed = page.js("return [...document.querySelectorAll('button, input')].filter((e) => e.checkVisibility() && "
                      "!(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML)")
    assert unnamed == [], "every control has a name"
    assert page.js("return document.querySelectorAll('[style*=\"expression\"], [onclick]').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_have_contrast_in_both_schemes(page, scheme):
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]})
    ratios = page.js("""
        const parse = (c) => (c.match(/[\\d.]+/g) ?? []).map(Number);
        const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
        const low = [];
        for (const e of document.querySelectorAll('main *, header *')) {
            if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
            const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) low.push(`${e.className || e.tagName} "${e.textContent.slice(0, 20)}" ${ratio.toFixed(2)}`);
        }
        return low;""")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert ratios == []


def test_reduced_motion_stands_still(page):
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]})
    assert page.js("return document.getAnimations().length") == 0
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    page.until(lambda: page.js("return document.getAnimations().some((a) => a.animationName === 'pulse')"))


def test_a_private_audit_trail_says_so(browser):
    with FakeCentral() as central:
        central.private_audit = True
        page = Page(browser, central)
        page.expected.add(401)
        page.open()
        page.until(lambda: page.sees("The audit trail is private: The audit trail is for administrators.", "#audit"))
        assert page.complaints() == []
        browser.get("about:blank")


def test_an_empty_network_says_what_to_do(browser):
    with FakeCentral(scenario="empty") as central:
        page = Page(browser, central)
        page.open()
        page.until(lambda: page.sees("No charge points yet", "#verdict") and page.sees("Start a monitor with an invitation", "#charge-points"))
        assert page.complaints() == []
        browser.get("about:blank")


def test_a_thousand_charge_points_stay_usable(browser):
    with FakeCentral() as central:
        model = json.dumps(central.points["ALC"])
        for i in range(2500):
            central.points[f"X-{i:05}"] = {**json.loads(model), "id": f"X-{i:05}"}
        page = Page(browser, central)
        page.open()
        page.until(lambda: page.sees("2510 charge points", "#verdict"))
        assert len(page.all(".tile")) == 300 and page.sees("Show 300 more of 2510", "#charge-points")
        for i in range(2500):
            central.put(f"X-{i:05}", state="Faulted", engine_ok=False)
        page.until(lambda: page.text("#state-filter [data-state=Faulted] .chip-count") == "2,501")
        page.one("#search").send_keys("02499")
        page.until(lambda: len(page.all(".tile")) == 1 and page.in_tile("X-02499", ".tile-state-label") == "Faulted")
        assert page.complaints() == []
        browser.get("about:blank")
