"""A real serving process for tests: a small trained world, made once, and servers started over copies of it."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from chekara.settings import Settings

ROOT = Path(__file__).parents[1]
START_SECONDS = 300
SEED = 7
MONTHS = 6
PER_DAY = 70

# Name in `Server.keys` -> agency, role, scopes, whether it is a test key.
KEYS: dict[str, tuple[str, str, tuple[str, ...], bool]] = {
    **{f"{role}": ("customs", role, (), False) for role in ("inspector", "analyst", "supervisor")},
    **{f"{role}": ("customs", role, (), False) for role in ("data_scientist", "approver", "auditor", "admin")},
    "system": ("customs", "system", (), False),
    "system_with_reasons": ("customs", "system", ("reasons",), False),
    "test_system": ("customs", "system", (), True),
    **{
        f"{role}:{agency}": (agency, role, (), False)
        for agency in ("border_service", "internal_affairs", "labour_migration", "agriculture")
        for role in ("system", "analyst")
    },
}


@dataclass(frozen=True)
class Reply:
    """One answer of the server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Server:
    """A running `chekara serve`.

    Attributes
    ----------
    url : str
    port : int
    home : Path
        Its CHEKARA_HOME.
    settings : Settings
        As the server has them.
    keys : mapping of str to str
        Access keys by name, see `KEYS`.
    process : Popen
    log_path : Path
        Its log lines.
    """

    port: int
    home: Path
    settings: Settings
    keys: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log_path: Path
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"

    def send(
        self, method: str, path: str, key: str | None = None, body: Any = None, timeout: float = 30, **headers: str
    ) -> Reply:
        """Send one request on a connection of its own.

        Parameters
        ----------
        method, path : str
        key : str, optional
            Name in `keys`.
        body : bytes, or anything that JSON can hold
        timeout : float
            Seconds.
        **headers : str
            Underscores become hyphens.
        """
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent.setdefault("Authorization", f"Bearer {self.keys[key]}")
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, raw, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def score(self, body: Any, key: str = "system", **headers: str) -> Reply:
        """Post one crossing."""
        return self.send("POST", "/v1/scores", key, body, timeout=30, **headers)

    def log_text(self) -> str:
        """Return what the server has logged so far."""
        return self.log_path.read_text(encoding="utf-8")


def crossing(crossing_id: str, **changes: Any) -> dict[str, Any]:
    """Make a body of `POST /v1/scores`; a change to ... removes the field."""
    whole = {
        "crossing_id": crossing_id,
        "occurred_at": datetime.now(UTC).isoformat(),
        "crossing_point": "TORUGART",
        "direction": "entry",
        "mode": "road",
        "movement": "import",
        "vehicle_type": "truck",
        "weighed_mass_kg": 21340,
        "items": [
            {
                "item_no": 1,
                "hs_code": "610910",
                "origin_country": "CN",
                "declared_value": 1520.0,
                "net_mass_kg": 800,
                "goods_description": "T-shirts, cotton",
            }
        ],
    } | changes
    return {name: value for name, value in whole.items() if value is not ...}


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that works on a home of its own.

    It draws no lot, so that one crossing in twenty does not go red by chance; ``CHEKARA_POLICY=""`` is the policy that
    ships, with its lot.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CHEKARA_", "MLFLOW_"))}
    given = {"CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev", "CHEKARA_POLICY": str(policy_without_lot())}
    return {**clean, **given, **more}


@cache
def policy_without_lot() -> Path:
    """Write the policy that ships without its ``[lot]``, once for all processes of a session."""
    text = files("chekara.policy").joinpath("default.toml").read_text("utf-8")
    whole, count = re.subn(r"^\[lot\]\n(?:(?!\[).*\n)*", "", text, flags=re.MULTILINE)
    assert count == 1
    path = Path(tempfile.gettempdir()) / f"chekara-without-lot-{hashlib.sha256(whole.encode()).hexdigest()[:16]}.toml"
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(whole, "utf-8")
    draft.replace(path)
    return path


def settings_of(home: Path, **more: str) -> Settings:
    """Return the settings of such a process."""
    return Settings.from_environment(environment_of(home, **more))


def trained_home(shared: Path) -> Path:
    """Return a home with one promoted model and a key per role; made once, whoever of several workers comes first.

    Parameters
    ----------
    shared : Path
        Folder that all workers of a test session share.
    """
    home = shared / "trained-home"
    with (shared / "trained-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "keys.json").exists():
            make_trained_home(home)
    return home


def make_trained_home(home: Path, months: int = MONTHS, per_day: int = PER_DAY) -> None:
    """Simulate a border, train revenue_fraud on it, promote it, add keys: the road of `make demo`, without MLflow.

    Parameters
    ----------
    home : Path
    months, per_day : int
        Size of the border.
    """
    from chekara.adapters.accounts import add_key
    from chekara.adapters.assembly import promotion_desk
    from chekara.data.simulate import simulate_border
    from chekara.data.sources import load_history
    from chekara.modelling.bundle import load_signing_key, write_bundle
    from chekara.modelling.dataset import build_dataset
    from chekara.modelling.recipe import refit_on_everything
    from chekara.modelling.spec import load_spec

    settings = settings_of(home)
    home.mkdir(parents=True, exist_ok=True)
    simulate_border(home / "history", months=months, per_day=per_day, seed=SEED)
    history = load_history(home / "history")
    spec = load_spec(ROOT / "models" / "revenue_fraud" / "model.toml")
    dataset = build_dataset(history, spec, datetime(2100, 1, 1, tzinfo=UTC))
    model = refit_on_everything(dataset, spec, SEED)
    about = {"trained_by": "trainer", "version": "1"}
    write_bundle(model, home / "new-bundle", load_signing_key(settings), about)
    promotion_desk(settings)(home / "new-bundle", approved_by="approver", assessment_id=None, is_shortcut=True)
    keys = {
        name: add_key(settings, agency=agency, role=role, holder=name, scopes=scopes, is_test=is_test)
        for name, (agency, role, scopes, is_test) in KEYS.items()
    }
    (home / "keys.json").write_text(json.dumps(keys), encoding="utf-8")


@contextmanager
def copied_home(trained: Path, to: Path) -> Iterator[Path]:
    """Copy a trained home, so that what a server writes touches nobody else."""
    shutil.copytree(trained, to, ignore=shutil.ignore_patterns("history", "new-bundle"))
    try:
        yield to
    finally:
        shutil.rmtree(to, ignore_errors=True)


@contextmanager
def serving(
    home: Path,
    *,
    clock: Literal["live", "replay"] = "live",
    port: int = 0,
    wait_until: str = "ready",
    module: str = "chekara.cli",
    **environment: str,
) -> Iterator[Server]:
    """Run `chekara serve` over a home until the block ends.

    Parameters
    ----------
    home : Path
    clock : {'live', 'replay'}
    port : int
        0 takes a free one.
    wait_until : {'ready', 'alive'}
    module : str
        Runs the command line.
    **environment : str
        Further variables, such as CHEKARA_LIMIT_ITEMS.
    """
    log_path = home / f"serve-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", module, "serve", "--port", str(port), "--clock", clock]
    with log_path.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=home, env=environment_of(home, **environment), stdout=output, stderr=output
        )
    try:
        found = _wait_for_port(process, log_path)
        keys = json.loads((home / "keys.json").read_text()) if (home / "keys.json").exists() else {}
        server = Server(found, home, settings_of(home, **environment), keys, process, log_path)
        _wait_for(server, "/readyz" if wait_until == "ready" else "/healthz")
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_port(process: subprocess.Popen[bytes], log_path: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for line in log_path.read_text(encoding="utf-8").splitlines():
            if '"listening"' in line:
                return int(json.loads(line)["port"])
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {log_path.read_text(encoding='utf-8')[-3000:]}")


def _wait_for(server: Server, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if server.send("GET", path, timeout=2).status == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"{path} did not become 200: {server.log_text()[-3000:]}")
