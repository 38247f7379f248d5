"""What an answer that is not our gateway's says about the way."""

import pytest

from exposer.tunnels.edges import AGENT, EDGE, GATEWAY, diagnose
from exposer.wire import Answer

URL = "https://a.example"
CF = {"server": "cloudflare", "cf-ray": "8a-FRA"}
HTML = {"content-type": "text/html; charset=utf-8"}
PROBLEM = {"content-type": "application/problem+json"}


def ngrok(code: int, status: int) -> Answer:
    return Answer(status, {"ngrok-error-code": f"ERR_NGROK_{code}", **HTML}, b"<html>")


@pytest.mark.parametrize(
    ("answer", "hop", "says"),
    [
        (Answer(530, CF, b"error code: 1033"), AGENT, "no connection to the tunnel's agent (error 1033)"),
        (Answer(530, {}, b"error code: 1033"), AGENT, "1033"),
        (Answer(530, CF, b"<html>"), AGENT, "530"),
        (Answer(530, CF, b"error code: 1016"), EDGE, "DNS entry leads nowhere (error 1016)"),
        (Answer(429, CF, b"error code: 1015"), EDGE, "less often"),
        (Answer(403, {**CF, "cf-mitigated": "challenge", **HTML}, b"<html>"), EDGE, "prove that they are people"),
        (Answer(502, CF, b""), GATEWAY, "agent does not reach the gateway"),
        (Answer(502, CF, b"error code: 502"), GATEWAY, "does not reach the gateway"),
        (Answer(522, CF, b"error code: 522"), EDGE, "an error of its own (522)"),
        (
            Answer(302, {**CF, "location": "https://team.cloudflareaccess.com/x"}, b""),
            EDGE,
            "Access asks",
        ),
        (Answer(401, {**CF, **PROBLEM}, b"{}"), EDGE, "leads to another gateway (status 401)"),
        (Answer(404, {**CF, **HTML}, b"<html>error code: none"), EDGE, "a page answers"),
        (ngrok(3200, 404), AGENT, "no agent for this address (ERR_NGROK_3200)"),
        (ngrok(8012, 502), GATEWAY, "agent does not reach the gateway (ERR_NGROK_8012)"),
        (ngrok(6024, 200), EDGE, "a page of its own"),
        (ngrok(727, 403), EDGE, "ERR_NGROK_727"),
        (ngrok(702, 429), EDGE, "too many connections a minute"),
        (ngrok(999, 500), EDGE, "ERR_NGROK_999"),
        (
            Answer(302, {"location": "http://login.hotel.example/?q=secret"}, b""),
            EDGE,
            "leads on to login.hotel.example",
        ),
        (Answer(302, {}, b""), EDGE, "leads on to another place"),
        (Answer(511, HTML, b"<html>"), EDGE, "sign in first"),
        (Answer(200, HTML, b"<html>Welcome"), EDGE, "a page answers"),
        (Answer(401, PROBLEM, b"{}"), EDGE, "another gateway"),
        (Answer(502, HTML, b"<html>nginx"), GATEWAY, "far end of the tunnel does not reach the gateway"),
        (Answer(200, {"content-type": "application/json"}, b"{}"), EDGE, "somebody else answers"),
    ],
)
def test_each_kind_of_answer_names_its_hop(answer: Answer, hop: str, says: str) -> None:
    found, why = diagnose(URL, answer)
    assert (found, says in why) == (hop, True), (found, why)
    assert "secret" not in why
