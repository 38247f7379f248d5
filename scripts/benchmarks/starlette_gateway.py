"""A gateway as it is quickly written in Python, to compare with: starlette_gateway.py PORT BACKEND FOLDER."""

import hmac
import logging
import re
import sys
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PORT, BACKEND, FOLDER = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
KEYS = [line.encode() for line in (FOLDER / "keys").read_text().split()]
LISTED = re.compile("|".join(f"(?:{line})" for line in (FOLDER / "paths").read_text().split()))
CLIENT = httpx.AsyncClient(base_url=f"http://{BACKEND}")
logging.basicConfig(filename=FOLDER / "access.log", level=logging.INFO, format="%(message)s")
logging.getLogger("httpx").setLevel(logging.WARNING)


async def gate(request: Request) -> Response:
    shown = request.headers.get("x-api-key", "").encode()
    if not any(hmac.compare_digest(shown, key) for key in KEYS):
        return Response(status_code=401)
    if not LISTED.fullmatch(request.url.path):
        return Response(status_code=404)
    found = await CLIENT.get(request.url.path)
    logging.info("%s %s", request.url.path, found.status_code)
    return Response(found.content, found.status_code, {"content-type": found.headers["content-type"]})


if __name__ == "__main__":
    uvicorn.run(Starlette(routes=[Route("/{path:path}", gate)]), host="127.0.0.1", port=PORT, access_log=False)
