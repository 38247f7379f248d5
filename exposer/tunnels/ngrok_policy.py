"""A traffic policy of the user's own for ngrok's edge: read, looked over, passed on as it is."""

import hashlib
from pathlib import Path

from exposer.errors import MissingError
from exposer.tunnels.fact import TunnelConfigError

LARGEST = 256 * 1024


def read_policy(path: str) -> str:
    """The policy's text, "" for none. Raises ExposerError for what ngrok could only pass over."""
    if not path:
        return ""
    import yaml

    try:
        data = Path(path).read_bytes()
        text = data.decode()
        policy = yaml.safe_load(text)
    except OSError as error:
        raise MissingError(f"tunnel.traffic_policy: {path} cannot be read: {error.strerror}", "is it there?") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise TunnelConfigError(f"tunnel.traffic_policy: {path} is not YAML or JSON") from error
    if len(data) > LARGEST or not isinstance(policy, dict) or not policy:
        raise TunnelConfigError(f"tunnel.traffic_policy: {path} is no traffic policy", "it is a table of rules")
    if odd := [str(key) for key in policy if not str(key).startswith("on_")]:
        raise TunnelConfigError(
            f"tunnel.traffic_policy: {path} has {odd[0]!r}, which is no phase", "such as on_http_request"
        )
    return text


def policy_digest(path: str) -> str:
    """Changes when the policy does: then it is another wish."""
    if not path:
        return ""
    try:
        return "-" + hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    except OSError:
        return "-absent"
