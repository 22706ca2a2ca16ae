"""Logs as one JSON object per line, from our code and from the libraries alike."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure_logs(level: int = logging.INFO) -> None:
    """Write every log line of this process to stderr as JSON.

    A newline inside a value becomes an escape, so that one event stays one line and nobody forges another.
    Exceptions are told by their class: their text may quote data.

    Parameters
    ----------
    level : int
        Lowest level that is written.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def log_unexpected(error: Exception, request_id: str) -> None:
    """Log an exception that nobody expected: its class and its place, not its text, for that may quote data.

    Parameters
    ----------
    error : Exception
    request_id : str
    """
    log = structlog.get_logger("chekara.request")
    log.error("unexpected_error", request_id=request_id, error=type(error).__name__, place=_place_of(error))


def _place_of(error: BaseException) -> str:
    """Return module and line where an exception was raised; nothing of its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "unknown" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"


class _ToStructlog(logging.Handler):
    """Carries what libraries log with the standard library over to the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a traceback is cut to the class of its exception."""
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
        structlog.get_logger("library").log(record.levelno, record.getMessage()[:500], **fields)
