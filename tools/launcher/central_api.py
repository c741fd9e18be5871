"""What the launcher asks Central: is it ready, who is connected. Loopback HTTP, no sign-in."""
import json
import urllib.error
import urllib.request
from typing import Any, Optional

_ANSWER_BYTES_MAX = 4 << 20
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no business on loopback


def get_json(url: str, timeout_s: float = 2.0) -> tuple[int, Optional[Any]]:
    """(status, body); (0, None) where nobody answers."""
    try:
        with _opener.open(url, timeout=timeout_s) as answer:
            return answer.status, json.loads(answer.read(_ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.loads(error.read(_ANSWER_BYTES_MAX))
        except (OSError, ValueError):
            return error.code, None
    except (OSError, ValueError):
        return 0, None


class CentralApi:
    def __init__(self, base: str) -> None:
        self.base = base

    def is_ready(self) -> bool:
        return get_json(f"{self.base}/readyz")[0] == 200

    def missing(self) -> str:
        """Why it is not ready, in its own words."""
        status, body = get_json(f"{self.base}/readyz")
        if status == 0:
            return "it does not answer"
        reasons = body.get("reasons") if isinstance(body, dict) else None
        if not isinstance(reasons, list):
            return f"/readyz says {status}"
        return "; ".join(str(reason) for reason in reasons)

    def charge_points(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        after = ""
        while True:
            _, body = get_json(f"{self.base}/api/v1/charge-points?limit=1000{after}")
            if not isinstance(body, dict) or not isinstance(body.get("items"), list):
                return items
            items += body["items"]
            if not body.get("next"):
                return items
            after = f"&after={body['next']}"

    def connected_count(self) -> int:
        return sum(1 for item in self.charge_points() if item.get("connected") and item.get("engine_ok"))

    def summary(self) -> Optional[dict[str, Any]]:
        status, body = get_json(f"{self.base}/api/v1/summary")
        return body if status == 200 and isinstance(body, dict) else None
