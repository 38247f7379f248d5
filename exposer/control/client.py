"""The command line's end of `control.sock`."""

import json
import socket
from typing import Any

from exposer.errors import NotRunningError
from exposer.wire import short_socket_path


def ask(path: str, command: str, timeout: float = 5.0, **data: Any) -> dict[str, Any]:
    """Sends one command and returns the answer. Raises NotRunningError when no daemon answers there."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, short_socket_path(path) as short:
            sock.settimeout(timeout)
            sock.connect(short)
            sock.sendall(json.dumps({"command": command, **data}).encode() + b"\n")
            with sock.makefile("rb") as file:
                answer = json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise NotRunningError("the supervisor does not answer", "start it with: exposer up") from error
    return answer if isinstance(answer, dict) else {}
