"""A Central for the dashboard's tests: its REST and SSE shapes with scripted data, nothing behind them.

In a test:        with FakeCentral() as central: central.put("MAD", state="Faulted")
By hand:          /usr/bin/python3 tests/web/fake_central.py --port 8099 --live   (admin / secret)
"""
import argparse
import collections
import copy
import datetime
import http.server
import json
import pathlib
import queue
import random
import socket
import sys
import threading
import time
import urllib.parse

WEB = pathlib.Path(__file__).resolve().parents[2] / "web"
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
       "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml", ".json": "application/json"}
PASSWORD = "secret"
COOKIE = "ev_session"
HISTORY = 1000
CLOSE = object()

POINTS = [  # id, city, lat, lon, price, max power, degrees
    ("ALC", "Alicante", 38.35, -0.48, 42, 22000, 19.4), ("BCN", "Barcelona", 41.39, 2.17, 54, 50000, 16.1),
    ("BIL", "Bilbao", 43.26, -2.93, 38, 11000, 12.8), ("CRT", "Cartagena", 37.61, -0.99, 30, 7400, 20.2),
    ("GUA", "Guadalajara", 40.63, -3.17, 45, 22000, 9.7), ("MAD", "Madrid", 40.42, -3.70, 60, 150000, 11.3),
    ("SEV", "Sevilla", 37.39, -5.98, 36, 22000, 22.6), ("UBT", "Ulan Bator", 47.92, 106.92, 33, 11000, -18.4),
    ("VAL", "Valencia", 39.47, -0.38, 48, 50000, 18.0), ("ZAZ", "Zaragoza", 41.65, -0.89, 40, 22000, 13.5)]


def stamp(ago=0.0):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=ago)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ulid(rng):
    return "01K" + "".join(rng.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(23))


class FakeCentral:
    def __init__(self, port=0, scenario="demo", seed=7):
        self.lock = threading.RLock()
        self.rng = random.Random(seed)
        self.points, self.sessions, self.weather, self.audit = {}, {}, {}, []
        self.tokens, self.streams, self.calls = set(), [], []  # streams: one queue a listener
        self.event_id, self.history = 0, collections.deque(maxlen=HISTORY)
        self.resume_history = True  # False: answer every Last-Event-ID with `reset`
        self.private_audit = False
        self.ready_reasons = []
        self.failed_logins = 0
        self.started = time.monotonic()
        self.health = {"kafka": {"ok": True, "detail": "1 broker, lag 0"},
                       "registry": {"ok": True, "detail": "answered 2 s ago"},
                       "weather": {"ok": True, "detail": "reported 1 s ago"}}
        self.energy_today_wh, self.cost_today_cents = 312400, 15873
        if scenario == "demo":
            self._fill()
        self.port = port
        self.server = None
        self.up()

    # -- life -------------------------------------------------------------------------------------

    def up(self):
        handler = type("Handler", (Handler,), {"central": self})
        self.server = Server(("127.0.0.1", self.port), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def down(self):
        """Gone as after kill -9: the port refuses, the streams end."""
        self.server.shutdown()
        self.server.server_close()
        self.server.hang_up()
        self.cut_streams()

    def cut_streams(self):
        with self.lock:
            for stream in self.streams:
                stream.put(CLOSE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    # -- the script -------------------------------------------------------------------------------

    def _fill(self):
        for cp, city, lat, lon, price, power, degrees in POINTS:
            self.points[cp] = {
                "id": cp, "city": city, "lat": lat, "lon": lon, "price_cents_per_kwh": price, "max_power_w": power,
                "state": "Available", "holds": [], "connected": True, "engine_ok": True, "since": stamp(self.rng.randint(60, 5000)),
                "session": None, "temperature_c": degrees, "key_epoch": self.rng.randint(3, 60)}
            self.weather[city] = {"city": city, "temperature_c": degrees, "alert": degrees < 0, "observed_at": stamp(3),
                                  "stale": False, "stale_since": None}
        self.points["UBT"].update(state="Unavailable", holds=["weather"])
        self.points["ZAZ"].update(state="Unavailable", holds=["admin"])
        self.points["GUA"].update(state="Faulted", engine_ok=False, fault="contactor welded")
        self.points["VAL"]["since"] = stamp(22)
        self.points["BIL"].update(state="Offline", connected=False)
        self.points["VAL"].update(state="Preparing", session=self._session("VAL", "ANA-3", 0, None, 0))
        self.points["SEV"].update(state="Finishing", session=self._session("SEV", "IVAN", 0, 80, 14210))
        self.points["BCN"].update(state="Charging", session=self._session("BCN", "MARTA_07", 48200, 63, 21870))
        self.points["MAD"].update(state="Charging", session=self._session("MAD", "LUIS-1", 118600, 41, 9120))
        for point in self.points.values():
            if point["session"]:
                self._record(point)
        for i in range(14):
            cp = self.rng.choice(POINTS)
            energy = self.rng.randint(3000, 42000)
            began = 3600 + i * 1500
            self._record_row(ulid(self.rng), cp[0], self.rng.choice(["ANA-3", "IVAN", "LUIS-1", "MARTA_07"]),
                             "finished" if i % 5 else "rejected", "" if i % 5 else "cp_offline",
                             self.rng.choice(["unplugged", "target", "battery_full", "admin"]) if i % 5 else None, began,
                             energy if i % 5 else 0, cp[4])
        script = [
            ("central", "127.0.0.1", "start", "", "ok", "10 charge points known"),
            ("cp:ALC", "127.0.0.1:51202", "cp_connect", "ALC", "ok", "epoch 12"),
            ("admin", "127.0.0.1:60114", "login", "admin", "ok", ""),
            ("admin", "127.0.0.1:60114", "stop", "ZAZ", "ok", "hold admin set"),
            ("weather:W1", "127.0.0.1:40110", "weather_alert", "Ulan Bator", "ok", "-18.4 °C: UBT held"),
            ("driver:MARTA_07", "kafka", "charge_request", "BCN", "ok", "accepted"),
            ("unknown", "10.0.0.66:50118", "hello", "MAD", "refused", "certificate of another charge point (urn:ev:cp:BIL)"),
            ("driver:ANA-3", "kafka", "charge_request", "GUA", "refused", "the charge point is faulted"),
            ("cp:GUA", "127.0.0.1:51210", "fault", "GUA", "ok", "engine silent for 3 s"),
            ("driver:LUIS-1", "kafka", "charge_request", "MAD", "ok", "accepted"),
            ("cp:SEV", "127.0.0.1:51213", "ticket", "SEV", "ok", "14210 Wh, 512 cents, target"),
            ("cp:BIL", "127.0.0.1:51214", "cp_disconnect", "BIL", "ok", "no frame for 15 s"),
            ("admin", "10.0.0.66:50120", "login", "admin", "refused", "wrong password"),
            ("cp:BCN", "127.0.0.1:51203", "rotate_key", "BCN", "ok", "epoch 31")]
        for i, row in enumerate(script):
            self._audit_row(*row, ago=(len(script) - i) * 47)

    def _session(self, cp, driver, power, soc, energy):
        price = self.points[cp]["price_cents_per_kwh"]
        return {"id": ulid(self.rng), "driver_id": driver, "power_w": power, "energy_wh": energy,
                "cost_cents": (energy * price + 500) // 1000, "soc_percent": soc,
                "started_at": stamp(840) if soc is not None else None}

    def _record(self, point):
        session = point["session"]
        state = {"Preparing": "preparing", "Charging": "charging", "Finishing": "finished"}[point["state"]]
        row = {"id": session["id"], "request_id": ulid(self.rng), "cp_id": point["id"], "driver_id": session["driver_id"],
               "state": state, "reason": None, "stop_reason": "target" if state == "finished" else None,
               "requested_at": stamp(860), "started_at": session["started_at"], "ended_at": None,
               "energy_wh": session["energy_wh"], "cost_cents": session["cost_cents"],
               "price_cents_per_kwh": point["price_cents_per_kwh"]}
        self.sessions[row["id"]] = row

    def _record_row(self, ident, cp, driver, state, reason, stop_reason, began, energy, price):
        self.sessions[ident] = {
            "id": ident, "request_id": ulid(self.rng), "cp_id": cp, "driver_id": driver, "state": state,
            "reason": reason or None, "stop_reason": stop_reason, "requested_at": stamp(began),
            "started_at": stamp(began - 30) if energy else None, "ended_at": stamp(began - 900), "energy_wh": energy,
            "cost_cents": (energy * price + 500) // 1000, "price_cents_per_kwh": price}

    def _audit_row(self, who, address, action, target, outcome, detail, ago=0.0):
        self.audit.append({"seq": len(self.audit) + 1, "at": stamp(ago), "who": who, "address": address, "action": action,
                           "target": target, "outcome": outcome, "detail": detail, "hash": f"{self.rng.getrandbits(256):064x}"})
        return self.audit[-1]

    def summary(self):
        states = collections.Counter(point["state"] for point in self.points.values())
        return {"states": dict(states), "power_w": sum((p["session"] or {}).get("power_w", 0) for p in self.points.values()),
                "energy_today_wh": self.energy_today_wh, "cost_today_cents": self.cost_today_cents,
                "open_requests": states["Preparing"], "health": self.health,
                "uptime_s": int(time.monotonic() - self.started) + 11520, "version": "0.1.0"}

    # -- changes, told to the streams -------------------------------------------------------------

    def emit(self, name, data):
        with self.lock:
            self.event_id += 1
            self.history.append((self.event_id, name, copy.deepcopy(data)))
            for stream in self.streams:
                stream.put((self.event_id, name, copy.deepcopy(data)))

    def put(self, cp, **changes):
        with self.lock:
            point = self.points.setdefault(cp, {**copy.deepcopy(next(iter(self.points.values()), {})), "id": cp, "session": None})
            point.update(changes)
            if "state" in changes:
                point["since"] = stamp()
            self.emit("charge-point", point)

    def supply(self, cp, **changes):
        with self.lock:
            self.points[cp]["session"] = {**(self.points[cp]["session"] or self._session(cp, "IVAN", 0, 20, 0)), **changes}
            self.emit("charge-point", self.points[cp])

    def remove(self, cp):
        with self.lock:
            del self.points[cp]
            self.emit("charge-point", {"id": cp, "removed": True})

    def note(self, who, address, action, target, outcome, detail):
        with self.lock:
            self.emit("audit", self._audit_row(who, address, action, target, outcome, detail))

    def say_summary(self):
        self.emit("summary", self.summary())

    def tick(self):
        """One second of the network."""
        with self.lock:
            for cp, point in self.points.items():
                session = point["session"]
                if point["state"] == "Charging" and session:
                    power = int(session["power_w"] * self.rng.uniform(0.985, 1.012))
                    energy = session["energy_wh"] + power // 60
                    self.energy_today_wh += power // 60
                    self.supply(cp, power_w=power, energy_wh=energy, soc_percent=min(100, session["soc_percent"] + 0.1),
                                cost_cents=(energy * point["price_cents_per_kwh"] + 500) // 1000)
            self.say_summary()

    # -- what the public does not see -------------------------------------------------------------

    def shown(self, name, data, admin):
        if admin:
            return data
        if name == "session":
            return None
        data = copy.deepcopy(data)
        if name == "charge-point" and data.get("session"):
            data["session"]["driver_id"] = data["session"]["cost_cents"] = None
        if name == "audit":
            data["address"] = None
            if str(data["who"]).startswith("driver:"):
                data["who"] = "driver"
        return data


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *args):
        super().__init__(*args)
        self.open = set()

    def process_request(self, request, client_address):
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self):
        for request in list(self.open):
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # gone already

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # browsers hang up whenever they like
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    central = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    # -- answers ----------------------------------------------------------------------------------

    def answer(self, status, body, kind="application/json", headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def problem(self, status, title, detail, headers=()):
        self.answer(status, {"type": "about:blank", "title": title, "status": status, "detail": detail},
                    "application/problem+json", headers)

    def token(self):
        for part in self.headers.get("Cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return value
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    @property
    def admin(self):
        return self.token() in self.central.tokens

    def body(self):
        length = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(length)) if length else None

    # -- methods ----------------------------------------------------------------------------------

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        central = self.central
        if url.path == "/api/v1/events":
            self.events()
            return
        if url.path == "/readyz":
            reasons = central.ready_reasons
            self.answer(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})
            return
        if not url.path.startswith("/api/v1/"):
            self.static(url.path)
            return
        with central.lock:
            central.calls.append(("GET", self.path, None))
            self.read(url.path.removeprefix("/api/v1"), query)

    def read(self, path, query):
        central, limit = self.central, int(query.get("limit", 100))
        if path == "/charge-points":
            ids = [i for i in sorted(central.points) if i > query.get("after", "")]
            items = [central.shown("charge-point", central.points[i], self.admin) for i in ids[:limit]]
            self.answer(200, {"items": items, "next": ids[limit - 1] if len(ids) > limit else None})
        elif path == "/sessions":
            if not self.admin:
                self.problem(401, "Unauthorized", "Sign in as an administrator.")
                return
            rows = sorted(central.sessions.values(), key=lambda row: row["requested_at"], reverse=True)
            self.answer(200, {"items": rows[:limit], "next": None})
        elif path == "/audit":
            if central.private_audit and not self.admin:
                self.problem(401, "Unauthorized", "The audit trail is for administrators.")
                return
            rows = [row for row in reversed(central.audit) if row["seq"] < int(query.get("before", 1 << 60))]
            items = [central.shown("audit", row, self.admin) for row in rows[:limit]]
            self.answer(200, {"items": items, "next": str(items[-1]["seq"]) if len(rows) > limit else None})
        elif path == "/weather":
            self.answer(200, {"items": list(central.weather.values()), "next": None})
        elif path == "/summary":
            self.answer(200, central.summary())
        elif path == "/me":
            if self.admin:
                self.answer(200, {"name": "admin", "role": "admin"})
            else:
                self.problem(401, "Unauthorized", "Not signed in.")
        else:
            self.problem(404, "Not Found", "There is nothing here.")

    def do_POST(self):
        self.change("POST")

    def do_PATCH(self):
        self.change("PATCH")

    def change(self, method):
        path, body, central = self.path.removeprefix("/api/v1"), self.body(), self.central
        with central.lock:
            central.calls.append((method, self.path, body))
            if path == "/login":
                self.login(body)
            elif path == "/logout":
                central.tokens.discard(self.token())
                self.answer(200, {}, headers=[("Set-Cookie", f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")])
            elif not self.admin:
                self.problem(401, "Unauthorized", "Sign in as an administrator.")
            else:
                self.manage([urllib.parse.unquote(part) for part in path.strip("/").split("/")], body)

    def login(self, body):
        central = self.central
        if central.failed_logins >= 4:
            self.problem(429, "Too Many Requests", "Too many failed sign-ins.", [("Retry-After", "30")])
        elif body.get("password") != PASSWORD:
            central.failed_logins += 1
            central.note("admin", "127.0.0.1", "login", body.get("name"), "refused", "wrong password")
            self.problem(401, "Unauthorized", "Name or password is wrong.")
        else:
            central.failed_logins = 0
            token = f"{central.rng.getrandbits(256):064x}"
            central.tokens.add(token)
            central.note("admin", "127.0.0.1", "login", "admin", "ok", "")
            self.answer(200, {"token": token, "expires_at": stamp(-43200)},
                        headers=[("Set-Cookie", f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict")])

    def manage(self, parts, body):
        central = self.central
        if parts[0] == "sessions" and len(parts) == 3:
            self.answer(202, {})
        elif parts[0] != "charge-points":
            self.problem(404, "Not Found", "There is nothing here.")
        elif len(parts) == 2 and parts[1] in ("stop", "resume"):
            ids = body["ids"] if body else sorted(central.points)
            self.answer(202, {"items": [self.order(i, parts[1]) for i in ids]})
        elif parts[1] not in central.points:
            self.problem(404, "Not Found", f"No charge point {parts[1]}.")
        elif len(parts) == 2:
            central.put(parts[1], price_cents_per_kwh=body["price_cents_per_kwh"])
            self.answer(200, central.points[parts[1]])
        else:
            self.manage_one(parts[1], parts[2])

    def manage_one(self, cp, verb):
        central = self.central
        point = central.points[cp]
        if verb == "resume" and "admin" not in point["holds"]:
            held = f"it is held by: {', '.join(point['holds'])}" if point["holds"] else "it is not stopped"
            self.problem(409, "Cannot be resumed", f"No administrator stopped {cp}; {held}.")
        elif verb in ("rotate-key", "drop-key") and not point["connected"]:
            self.problem(409, "Not connected", f"{cp} is Offline: there is nobody to give a key to.")
        else:
            self.answer(202, {"items": [self.order(cp, verb)]})

    def order(self, cp, verb):
        central = self.central
        point, done = central.points[cp], True
        holds = set(point["holds"])
        if verb == "stop":
            holds.add("admin")
            done = point["state"] != "Charging"
        elif verb == "resume":
            holds.discard("admin")
        elif verb == "drop-key":
            holds.add("key")
        elif verb == "revoke":
            central.remove(cp)
            return {"id": cp, "holds": [], "done": True}
        state = point["state"]
        if point["connected"] and point["engine_ok"]:
            state = "Unavailable" if holds else "Available"
        if "key" in holds:
            state = "Offline"
        central.put(cp, holds=sorted(holds), state=state, session=None if state != "Charging" else point["session"])
        central.note("admin", "127.0.0.1", verb.replace("-", "_"), cp, "ok", "")
        return {"id": cp, "holds": sorted(holds), "done": done}

    # -- files and the stream -----------------------------------------------------------------------

    def static(self, path):
        name = "index.html" if path == "/" else path.lstrip("/")
        file = (WEB / name).resolve()
        if WEB not in file.parents or not file.is_file():
            self.problem(404, "Not Found", "There is nothing here.")
            return
        self.answer(200, file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream"))

    def events(self):
        central, admin = self.central, self.admin
        last = self.headers.get("Last-Event-ID")
        stream = queue.Queue()
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"retry: 500\n\n: hello\n\n")
        with central.lock:
            if last:
                known = [entry for entry in central.history if entry[0] > int(last)]
                if central.resume_history:
                    for entry in known:
                        stream.put(entry)
                else:
                    stream.put((central.event_id, "reset", {}))
            central.streams.append(stream)
        try:
            self.pump(stream, admin)
        except OSError:
            pass
        finally:
            with central.lock:
                central.streams.remove(stream)

    def pump(self, stream, admin):
        while True:
            try:
                entry = stream.get(timeout=2)
            except queue.Empty:
                self.wfile.write(b": beat\n\n")
                continue
            if entry is CLOSE:
                return
            ident, name, data = entry
            data = self.central.shown(name, data, admin)
            if data is not None:
                self.wfile.write(f"id: {ident}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--live", action="store_true", help="let a second of the network pass every second")
    parser.add_argument("--empty", action="store_true", help="a network without charge points")
    options = parser.parse_args()
    with FakeCentral(options.port, "empty" if options.empty else "demo") as central:
        print(central.url, flush=True)
        while True:
            time.sleep(1)
            if options.live:
                central.tick()


if __name__ == "__main__":
    main()
