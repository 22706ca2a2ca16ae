"""The ceiling of serving: a FastAPI route that reads its body and says hello, and does nothing else.

Run by `benchmarks.service` as ``uvicorn benchmarks.ceiling:app``, with the server, loop and parser that Chekara uses.
"""

from __future__ import annotations

from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/")
async def hello(request: Request) -> dict[str, str]:
    """Read the body whole and answer."""
    await request.body()
    return {"hello": "world"}


@app.get("/")
async def ready() -> dict[str, str]:
    """Say that the server listens."""
    return {"hello": "world"}
