"""``make demo``: from nothing to a trained, tracked, promoted model and a running service; ``make demo-stop`` ends it.

It walks the whole road with the project's own commands and nothing else: simulate (or a history of your own), train,
promote, load profiles, keys, serve, score. Everything lies under ``CHEKARA_HOME`` (default ``var/``); ``demo.json``
there tells other programs where the service is. A history of your own gets a home within, so that two borders never
share profiles, decisions or models.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, cast

import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table

from chekara.adapters.accounts import add_key
from chekara.adapters.promotions import SqlPromotions
from chekara.adapters.reading import open_to_read
from chekara.data.bodies import request_bodies
from chekara.data.sources import load_history, write_history
from chekara.domain.vocabulary import Lane
from chekara.errors import ChekaraError, NotEnoughHitsError, NotReadyError
from chekara.settings import Settings

CROSSINGS_TO_SCORE = 300
START_SECONDS = 60
STOP_SECONDS = 20
# One key per kind of user: (name in demo.json, agency, role, scopes).
KEYS = (
    ("system", "customs", "system", ("reasons",)),
    ("analyst", "customs", "analyst", ()),
    ("supervisor", "customs", "supervisor", ()),
    ("inspector", "customs", "inspector", ()),
    ("border_analyst", "border_service", "analyst", ()),
    ("data_scientist", "customs", "data_scientist", ()),
    ("approver", "customs", "approver", ()),
    ("auditor", "border_service", "auditor", ()),
    ("admin", "border_service", "admin", ()),
)
console = Console(highlight=False)


@dataclass
class Steps:
    """Seconds that each step took, for ``demo.json``."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        """Announce a step and time it."""
        console.rule(f"[bold]{title}", align="left")
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)


def main() -> int:
    """Parse the command line and run; a known error is one readable line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=("start", "stop"))
    parser.add_argument("--data", type=Path, help="folder of your own history, or of a table that a mapping knows")
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--per-day", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=8000, help="taken if it is free, else any free port")
    arguments = parser.parse_args()
    os.environ.setdefault("CHEKARA_ENV", "dev")
    try:
        settings = Settings.from_environment()
        for home in (settings.home, *sorted(settings.home.glob("demo-data-*/"))):
            stop(home)
        if arguments.command == "start":
            data = cast("Path | None", arguments.data)
            start(settings if data is None else settings_at(home_of(settings.home, data)), arguments)
    except ChekaraError as error:
        console.print(f"[bold red]{error.title}[/]: {error}")
        return 2
    return 0


def home_of(home: Path, data: Path) -> Path:
    """Where the demo of a history of your own lives: a folder of its own for each folder of data.

    Parameters
    ----------
    home : Path
        Of the simulated demo.
    data : Path
        Folder of history files. Two of the same name have two homes.

    Returns
    -------
    Path
    """
    whole = data.resolve()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", whole.name).strip("-.") or "history"
    return home / f"demo-data-{name}-{hashlib.sha256(os.fsencode(whole)).hexdigest()[:8]}"


def settings_at(home: Path) -> Settings:
    """Read the settings anew with another home, for this program and those that it runs."""
    os.environ["CHEKARA_HOME"] = str(home)
    return Settings.from_environment()


def start(settings: Settings, arguments: argparse.Namespace) -> None:
    """Walk the whole road and leave the service running."""
    steps = Steps()
    data = cast("Path | None", arguments.data)
    if data is None:
        settings.home.mkdir(parents=True, exist_ok=True)
        data = settings.home / "demo-history"
        with steps.step("simulate", "A border with known truth"):
            world = write_world_until_today(settings.home / "demo-world.toml", arguments.months)
            size = ["--months", str(arguments.months), "--per-day", str(arguments.per_day)]
            run("chekara.cli", "simulate", str(data), *size, "--seed", str(arguments.seed), "--world", str(world))
    known = settings.home / "demo-known"
    with steps.step("load", "What is kept for scoring"):
        unseen, until = keep_aside(data, known)
        console.print(
            f"{len(unseen)} crossings from {until} on are kept aside; models and profiles know what came before."
        )
    with steps.step("train", "Train, judge, track and promote"):
        run("training.train", "--data", str(known), "--seed", str(arguments.seed), "--promote")
        refuse_without_model(settings)
    with steps.step("profiles", "What is known of traders, carriers and goods"):
        run("chekara.cli", "profiles", "load", str(known))
    with steps.step("serve", "Serve"):
        keys = {
            name: add_key(settings, agency=agency, role=role, holder=f"Demo {name}", scopes=scopes, is_test=False)
            for name, agency, role, scopes in KEYS
        }
        process, url = serve(settings, arguments.port)
    with steps.step("score", "Score"):
        decisions = score(url, keys["system"], unseen)
        refer_one(url, keys["analyst"], decisions)
    write_demo_file(settings, {"url": url, "keys": keys, "pid": process.pid, "seconds": steps.seconds})
    show(settings, url, keys, decisions, unseen[riskiest(decisions)], steps)


def run(module: str, *arguments: str) -> None:
    """Run one of the project's own commands as a user would, output and all.

    Raises
    ------
    SystemExit
        The command failed; it has said why.
    """
    code = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    if code:
        console.print(f"[bold red]{module} {arguments[0]}[/] ended with exit code {code}")
        raise SystemExit(code)


def refuse_without_model(settings: Settings) -> None:
    """Refuse to go on where nothing can serve: a service without a model never becomes ready.

    Raises
    ------
    NotEnoughHitsError
        No domain has a model; it says what to do.
    """
    try:
        database = open_to_read(settings)
    except NotReadyError:
        serving: Collection[str] = ()
    else:
        serving = SqlPromotions(database).serving()
        database.close()
    if not serving:
        raise NotEnoughHitsError(
            "no risk domain had enough hits, so there is no model to serve, and the demo ends here",
            where="--data",
            hint="the lines above tell what each domain lacks: bring more months, or lower minimum_hits in model.toml",
        )


def write_world_until_today(path: Path, months: int) -> Path:
    """Write the world that ships with its months ending today: live profiles fade, so a demo needs a fresh history."""
    begins_on = pd.Timestamp.now(tz="UTC") - pd.DateOffset(months=months)
    text = resources.files("chekara.data").joinpath("worlds/kyrgyz_republic.toml").read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^starts_on = .*$", f'starts_on = "{begins_on:%Y-%m-%d}"', text), encoding="utf-8")
    return path


def keep_aside(data: Path, known: Path) -> tuple[list[dict[str, Any]], str]:
    """Write what was known before the newest crossings to a folder of its own.

    Returns
    -------
    list of dict
        Bodies of the newest crossings, in the order in which they became known.
    str
        The instant of the first of them.
    """
    history = load_history(data)
    crossings = history.newest_revisions()
    known_at = crossings.groupby("crossing_id", sort=False)["known_at"].first().sort_values(kind="stable")
    newest = known_at.index[-CROSSINGS_TO_SCORE:]
    until = cast("pd.Timestamp", known_at.loc[newest].min())
    is_newest = history.crossings["crossing_id"].isin(newest)
    before = {
        "crossings": history.crossings[(history.crossings["known_at"] < until) & ~is_newest],
        "inspections": history.inspections[
            (history.inspections["known_at"] < until) & ~history.inspections["crossing_id"].isin(newest)
        ],
        "crossing_points": history.crossing_points,
    }
    write_history({name: frame for name, frame in before.items() if len(frame)}, known)
    kept = crossings[crossings["crossing_id"].isin(newest)].sort_values("known_at", kind="stable")
    return list(request_bodies(kept)), until.isoformat()


def serve(settings: Settings, port: int) -> tuple[subprocess.Popen[bytes], str]:
    """Start ``chekara serve`` in its own session and wait until it can score."""
    port = port if port and _is_free(port) else _free_port()
    log = settings.home / "demo-serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "chekara.cli", "serve", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(port):
            console.print(f"Ready on http://127.0.0.1:{port} (process {process.pid}, log in {log})")
            return process, f"http://127.0.0.1:{port}"
        time.sleep(0.1)
    process.kill()
    console.print(f"[bold red]The service did not become ready within {START_SECONDS} s[/]; its log ends:")
    console.print(log.read_text(encoding="utf-8", errors="replace")[-2000:], markup=False)
    raise SystemExit(1)


def score(url: str, key: str, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Post crossings one by one, as border systems do, and return the decisions."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    decisions = []
    for body in track(bodies, description="Scoring", console=console):
        shown = {"plate": body.get("vehicle_id"), "declaration": body["items"][0].get("declaration_id")}
        body["labels"] = {name: value for name, value in shown.items() if value}
        connection.request("POST", "/v1/scores", json.dumps(body), headers(key))
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            console.print(f"[bold red]A crossing was refused[/] ({response.status}):", json.dumps(answer, indent=1))
            raise SystemExit(1)
        decisions.append(answer)
    connection.close()
    return decisions


def riskiest(decisions: list[dict[str, Any]]) -> int:
    """Return the place of the likeliest hit of the strictest lane that there is.

    Examples
    --------
    >>> empty_van = {"lane": "red", "domains": [{"probability": 0.004}]}
    >>> truck = {"lane": "red", "domains": [{"probability": 0.3}, {"probability": 0.8}]}
    >>> riskiest([{"lane": "green", "domains": [{"probability": 0.9}]}, empty_van, truck])
    2
    """

    def how_risky(place: int) -> tuple[int, float]:
        one = decisions[place]
        likeliest = max((domain["probability"] for domain in one["domains"]), default=0.0)
        return Lane(one["lane"]).strictness, likeliest

    return max(range(len(decisions)), key=how_risky)


def refer_one(url: str, key: str, decisions: list[dict[str, Any]]) -> None:
    """Have customs ask the border service to look at the riskiest red crossing, so that a case shows a referral."""
    one = decisions[riskiest(decisions)]
    if one["lane"] != "red":
        return
    body = {"action": "refer", "to": "border_service", "reason": "Please look at the load space while it is open"}
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("POST", f"/v1/decisions/{one['decision_id']}/reviews", json.dumps(body), headers(key))
    response = connection.getresponse()
    response.read()
    connection.close()
    if response.status != 201:
        console.print(f"[bold red]A referral was refused[/] ({response.status})")
        raise SystemExit(1)


def headers(key: str) -> dict[str, str]:
    """Headers of a request with this key."""
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Accept-Language": "en"}


def write_demo_file(settings: Settings, facts: dict[str, Any]) -> None:
    """Write ``demo.json``, readable by its owner alone: it holds keys."""
    path = demo_file(settings.home)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def demo_file(home: Path) -> Path:
    """Where the demo tells other programs about itself."""
    return home / "demo.json"


def show(
    settings: Settings,
    url: str,
    keys: dict[str, str],
    decisions: list[dict[str, Any]],
    body: dict[str, Any],
    steps: Steps,
) -> None:
    """Print what was made and how to go on."""
    lanes = Counter(decision["lane"] for decision in decisions)
    table = Table(title=f"{len(decisions)} crossings scored", title_justify="left")
    for lane in ("red", "yellow", "blue", "green"):
        table.add_column(lane, justify="right")
    table.add_row(*(str(lanes[lane]) for lane in ("red", "yellow", "blue", "green")))
    console.print(table)
    example = settings.home / "demo-crossing.json"
    example.write_text(json.dumps({**body, "crossing_id": f"{body['crossing_id']}-again"}), encoding="utf-8")
    console.rule("[bold]Try it", align="left")
    console.print("Score a crossing:")
    print(
        f"  curl -s '{url}/v1/scores?contributions=false' -H 'Authorization: Bearer {keys['system']}' "
        f"-H 'Content-Type: application/json' -d @{example} | {sys.executable} -m json.tool"
    )
    console.print(f"Review flagged cases: {url}/queue, signed in with this analyst's key:")
    print(f"  {keys['analyst']}")
    console.print("One red case was referred to the border service, which answers with the key border_analyst.")
    console.print(f"API: {url}/openapi.json   All keys: {demo_file(settings.home)}   Stop: make demo-stop")
    if os.environ.get("CHEKARA_HOME"):
        console.print(f"Other commands see this border with CHEKARA_HOME={settings.home}", soft_wrap=True)
    console.print("Seconds: " + ", ".join(f"{name} {taken}" for name, taken in steps.seconds.items()))


def stop(home: Path) -> None:
    """End the service that an earlier demo left running, if it is still that one."""
    path = demo_file(home)
    if not path.exists():
        return
    try:
        pid = int(json.loads(path.read_text(encoding="utf-8"))["pid"])
    except (ValueError, KeyError, TypeError):
        console.print(f"{path} is damaged; removed without stopping anything.")
        path.unlink()
        return
    if _is_our_server(pid):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while _is_our_server(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        if _is_our_server(pid):
            os.kill(pid, signal.SIGKILL)
        console.print(f"Stopped the demo service (process {pid}).")
    path.unlink()


def _is_our_server(pid: int) -> bool:
    """Whether the process is a running ``chekara serve``: a process id may have been given to another since."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return b"chekara.cli" in command and b"serve" in command and state != "Z"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
