"""The serving process: open the house, warm it, listen, drain, close."""

from __future__ import annotations

import ipaddress
import signal
import socket
import time
from types import FrameType
from typing import Final

import structlog
import uvicorn

from chekara.adapters.assembly import House, open_house
from chekara.api.app import build_app
from chekara.api.logs import configure_logs
from chekara.api.metrics import Metrics
from chekara.api.openapi import CROSSING_EXAMPLE
from chekara.api.warm import example_crossing, quieten_collector, warm_profiles, warm_texts
from chekara.errors import ConfigurationError
from chekara.policy.lot import has_lot
from chekara.service.records import ClockMode
from chekara.settings import Settings
from chekara.web.routes import mount_pages

DRAIN_SECONDS: Final = 10
KEEP_ALIVE_SECONDS: Final = 30
WAITING_CONNECTIONS: Final = 1024
TAKEN_AT_ONCE: Final = 16

log = structlog.get_logger("chekara.serve")


def run_server(
    settings: Settings, *, host: str = "127.0.0.1", port: int = 8000, workers: int = 1, clock: ClockMode = "live"
) -> None:
    """Serve the API and the analysts' pages until SIGTERM or SIGINT.

    The database is migrated, promoted bundles are verified and every compiled path is walked once before the port
    opens, so that the first request is as fast as the thousandth. Without a promoted model the service runs, says
    so under ``/readyz`` and takes up the first one that is promoted. On a signal it stops accepting, answers what
    it has taken, signs a last checkpoint and closes the database.

    Parameters
    ----------
    settings : Settings
    host : str
        Address to listen on.
    port : int
        0 takes a free one; the log line ``listening`` tells it.
    workers : int
        Processes. More than one needs PostgreSQL: SQLite has one writer.
    clock : {'live', 'replay'}
        ``replay`` takes times of receipt from the bodies, on loopback only, marked on each decision.

    Raises
    ------
    ConfigurationError
        The settings cannot be served like this, or the address cannot be taken.
    """
    refuse_unservable(settings, host=host, workers=workers, clock=clock)
    configure_logs()
    started = time.perf_counter()
    listener = _bind(host, port)
    metrics = Metrics()
    house = open_house(
        settings,
        clock=clock,
        on_group=lambda crossings, _: metrics.group_size.observe(crossings),
        on_refused=lambda code: metrics.refused.labels(code).inc(),
        on_expired=lambda why: metrics.expired.labels(why).inc(),
        example=example_crossing(CROSSING_EXAMPLE, settings.limits),
    )
    try:
        if settings.is_dev and has_lot(house.policy.lot):
            house.lots.commit_present()  # production draws nothing until somebody commits a seed
        _serve(settings, house, listener, metrics, clock, started)
    finally:
        house.close()
        log.info("stopped")


def refuse_unservable(settings: Settings, *, host: str, workers: int, clock: ClockMode) -> None:
    """Raise ConfigurationError for what must not be served.

    Parameters
    ----------
    settings : Settings
    host, workers, clock : as for `run_server`
    """
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise ConfigurationError(
            "SQLite has one writer, so it serves with one worker",
            where="--workers",
            hint="set CHEKARA_DATABASE_URL to a PostgreSQL database, or use --workers 1",
        )
    if workers > 1:
        raise ConfigurationError("more than one worker is not supported yet", where="--workers", hint="use 1")
    if clock == "replay" and not _is_loopback(host):
        raise ConfigurationError(
            "a replay clock believes the times that it is sent, so it listens on loopback only",
            where="--host",
            hint="use 127.0.0.1",
        )


def _serve(
    settings: Settings, house: House, listener: socket.socket, metrics: Metrics, clock: ClockMode, started: float
) -> None:
    app = build_app(settings, house, clock=clock, metrics=metrics)
    mount_pages(app, house, settings)
    warm_texts()
    warm_profiles(house.policy.domains, CROSSING_EXAMPLE, settings.limits)
    quieten_collector()
    host, port = listener.getsockname()[:2]
    serving = sorted(house.champions.serving())
    for problem in house.champions.problems():
        log.error("bundle_refused", problem=problem)
    preparing = house.preparing()
    if preparing is not None:
        log.warning("not_ready", why=preparing)
    if (no_lot := house.lot_watch.problem()) is not None:
        log.warning("no_lot", problem=no_lot)
    log.info("listening", host=host, port=port, domains=serving, seconds=round(time.perf_counter() - started, 2))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    # uvicorn raises the signal again once it has drained; the house must still be closed after that.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)
    # uvloop takes one new connection a turn from each: of one alone, many who come at once wait where nobody sees them.
    uvicorn.Server(config).run(sockets=[listener, *(listener.dup() for _ in range(TAKEN_AT_ONCE - 1))])


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Let the normal way out finish."""


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen there: {error.strerror}", where="--host, --port", hint="choose a free port"
        ) from None
    listener.listen(WAITING_CONNECTIONS)
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
