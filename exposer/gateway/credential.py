"""How a caller shows a key, for the requests that we make ourselves."""

import base64


def credential(methods: tuple[str, ...], header: str, clear: str) -> dict[str, str]:
    """The request header for the first of the configured methods."""
    if not methods:
        return {header: clear}
    if methods[0] == "bearer":
        return {"Authorization": f"Bearer {clear}"}
    if methods[0] == "basic":
        return {"Authorization": "Basic " + base64.b64encode(clear.encode()).decode()}
    return {header: clear}
