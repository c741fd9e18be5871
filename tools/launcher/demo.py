"""Who takes part in the demonstration: the ten charge points of services/charge-points.txt, and more where asked."""
from pathlib import Path
from typing import NamedTuple, Sequence

from launcher import paths
from launcher.errors import EvnetError

# Where charge points beyond the file's ten stand: id prefix, city, latitude, longitude.
_MORE = (
    ("GRA", "Granada", "37.18", "-3.60"), ("MAL", "Malaga", "36.72", "-4.42"), ("MUR", "Murcia", "37.98", "-1.13"),
    ("VLL", "Valladolid", "41.65", "-4.72"), ("COR", "Cordoba", "37.89", "-4.78"), ("GIJ", "Gijon", "43.53", "-5.66"),
    ("PAM", "Pamplona", "42.81", "-1.65"), ("TOL", "Toledo", "39.86", "-4.02"), ("CAD", "Cadiz", "36.53", "-6.29"),
    ("SAL", "Salamanca", "40.97", "-5.66"),
)
_MORE_POWERS = ("7.4", "11", "22", "50")


class ChargePoint(NamedTuple):
    id: str
    city: str
    lat: str
    lon: str
    price_cents: str
    max_kw: str
    battery_kwh: str


def parse_charge_points(text: str) -> list[ChargePoint]:
    points = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        fields = [field.strip() for field in content.split("|")]
        if len(fields) != 7 or not all(fields):
            raise EvnetError(f"services/charge-points.txt:{number}: seven fields expected: {content!r}")
        points.append(ChargePoint(*fields))
    return points


def charge_points(count: int) -> list[ChargePoint]:
    """The file's first ones, then made-up ones: GRA-11, MAL-12 ..."""
    points = parse_charge_points((paths.SERVICES_DIR / "charge-points.txt").read_text(encoding="utf-8"))[:count]
    for number in range(len(points) + 1, count + 1):
        prefix, city, lat, lon = _MORE[number % len(_MORE)]
        points.append(ChargePoint(f"{prefix}-{number}", city, lat, lon, str(30 + number % 31),
                                  _MORE_POWERS[number % len(_MORE_POWERS)], "60"))
    return points


def make_services(driver: int, points: Sequence[ChargePoint], services: int = 4) -> str:
    """A services file for a driver beyond the demonstration's: about a quarter of an hour's charge at each stop."""
    lines = ["# made by ./evnet up"]
    for i in range(min(services, len(points))):
        point = points[(driver * services + i) % len(points)]
        lines.append(f"{point.id} kwh={max(1, round(float(point.max_kw) / 4))}")
    return "\n".join(lines) + "\n"


def services_file(driver: int, points: Sequence[ChargePoint], made_dir: Path) -> Path:
    """The repository's own file where it fits this network, else one made for it."""
    ours = paths.SERVICES_DIR / f"driver-{driver}.txt"
    if len(points) == 10 and ours.exists():
        return ours
    made_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = made_dir / f"driver-{driver}.txt"
    made.write_text(make_services(driver, points), encoding="utf-8")
    return made
