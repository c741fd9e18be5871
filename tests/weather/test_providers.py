"""Each weather provider against a local server that answers with recorded shapes, errors, silence and rubbish.

The real ev_weather asks; neither Central nor Registry runs, which it has to bear (and says so in words).
"""
import http.server
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from network import BIN, Service, free_port, wait_for  # noqa: E402

OPENWEATHER = {"coord": {"lon": -3.7, "lat": 40.42}, "weather": [{"id": 800, "main": "Clear"}], "base": "stations",
               "main": {"temp": -3.25, "feels_like": -6.0, "pressure": 1021, "humidity": 60}, "visibility": 10000,
               "wind": {"speed": 2.1}, "dt": 1764000000, "sys": {"country": "ES"}, "timezone": 3600, "id": 3117735,
               "name": "Madrid", "cod": 200}


class Provider(http.server.ThreadingHTTPServer):
    """Answers what the test says; remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.status, self.body, self.headers, self.silent = 200, b"", {}, False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Provider = self.server  # type: ignore[assignment]
        server.asked.append(self.path)
        if server.silent:
            time.sleep(60)
            return
        self.send_response(server.status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def start(directory: Path, provider: Provider, kind: str, *more: str) -> Service:
    (directory / "key").write_text("abcdef0123456789\n")
    argv = [str(BIN / "ev_weather"), "--state-dir", str(directory / "state"), "--provider", kind, "--api-url", provider.url,
            "--api-key-file", str(directory / "key"), "--poll-seconds", "0.2", "--city", "Madrid",
            "--central", f"https://127.0.0.1:{free_port()}", "--registry", f"https://127.0.0.1:{free_port()}", *more]
    return Service("weather", argv, directory).start()


def test_openweather_reads_the_temperature_and_keeps_to_its_quota(tmp_path: Path, provider: Provider) -> None:
    provider.body = json.dumps(OPENWEATHER).encode()
    weather = start(tmp_path, provider, "openweather")
    weather.wait_log(r"weather\.reading city=Madrid temperature_c=-3\.25")
    weather.command("list")
    weather.wait_log(r"Madrid +-3\.2")
    assert provider.asked == [path for path in provider.asked if "Madrid" in path and "abcdef0123456789" in path]
    weather.command("add Toledo")
    wait_for("the second city to be asked for", lambda: [p for p in provider.asked if "Toledo" in p])
    assert len([p for p in provider.asked if "Madrid" in p]) == 1, "one city at most once a minute"
    weather.stop()


@pytest.mark.parametrize(("status", "body", "words"), [
    (401, b'{"cod":401,"message":"Invalid API key"}', r"key"),
    (404, b'{"cod":"404","message":"city not found"}', r"provider\.failed"),
    (500, b"oops", r"provider\.failed"),
    (200, b"", r"provider\.failed"),
    (200, b"<html>a captive portal</html>", r"provider\.failed"),
    (200, b'{"main":{"temp":"warm"}}', r"provider\.failed"),
    (200, b'{"main":{"temp":1e300}}', r"provider\.failed"),
    (200, b'{"main":{"temp":500.0},"dt":1764000000}', r"provider\.failed"),
    (200, b"[" * 5000, r"provider\.failed"),
    (200, b"x" * 2_000_000, r"provider\.failed"),
], ids=["bad key", "no such city", "broken", "empty", "portal", "no number", "huge number", "beyond belief", "deep", "too large"])
def test_what_is_no_weather_is_told_in_words_and_never_believed(tmp_path: Path, provider: Provider, status: int, body: bytes,
                                                               words: str) -> None:
    provider.status, provider.body = status, body
    weather = start(tmp_path, provider, "openweather")
    weather.wait_log(words)
    assert "weather.reading" not in weather.log
    weather.stop()


def test_a_quota_that_is_used_up_silences_it(tmp_path: Path, provider: Provider) -> None:
    provider.status, provider.headers = 429, {"Retry-After": "3600"}
    weather = start(tmp_path, provider, "openweather")
    weather.wait_log(r"provider\.failed")
    weather.command("add Toledo")
    weather.command("list")
    weather.wait_log(r"Toledo")
    assert len(provider.asked) == 1, "nothing more is asked before Retry-After"
    weather.stop()


def test_a_provider_that_never_answers_does_not_hold_up_the_rest(tmp_path: Path, provider: Provider) -> None:
    provider.silent = True
    weather = start(tmp_path, provider, "openweather")
    wait_for("the question", lambda: provider.asked)
    weather.command("force Madrid -5")
    weather.command("list")
    weather.wait_log(r"Madrid +-5\.0 C \(forced\)")
    weather.stop(5)


def test_scripted_reads_its_file_again_when_it_changes_and_names_bad_lines(tmp_path: Path, provider: Provider) -> None:
    table = tmp_path / "temperatures"
    table.write_text("# cities\nMadrid=12\nnot a line\n")
    weather = start(tmp_path, provider, "scripted", "--temperatures-file", str(table))
    weather.wait_log(r"weather\.reading city=Madrid temperature_c=12")
    weather.wait_log(r"line 3")
    table.write_text("Madrid=-7.5\n")
    weather.wait_log(r"weather\.reading city=Madrid temperature_c=-7\.5")
    assert provider.asked == []
    weather.stop()


def test_open_meteo_needs_to_know_where_a_city_lies(tmp_path: Path, provider: Provider) -> None:
    """The coordinates come from Central's charge points; the system tests cover them."""
    weather = start(tmp_path, provider, "open-meteo")
    weather.wait_log(r"provider\.failed city=Madrid")
    assert provider.asked == []
    weather.stop()
