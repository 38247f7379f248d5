"""Notices as a POST: signed, tried again, and never with a secret in an error."""

import base64
import hashlib
import hmac
import json

import pytest

from exposer.config.model import SecretRef
from exposer.errors import ExposerError, MissingError
from exposer.notify.notice import Notice
from exposer.notify.webhook import Webhook, signature
from exposer.secret import Secret
from tests.support.ports import free_port
from tests.support.webhook import receiver

NOTICE = Notice("welink", "address-changed", "the public address is now https://b", {"url": "https://b"})
SECRET = SecretRef("env", "HOOK_SECRET")


def known(ref: SecretRef) -> Secret:
    return Secret("s3cret-of-the-hook")


def test_a_notice_arrives_as_json_and_its_signature_can_be_checked() -> None:
    with receiver() as far:
        Webhook(f"{far.url}/T0/B0", SECRET, known).send(NOTICE)
    ((path, headers, body),) = far.calls
    assert path == "/T0/B0"
    told = json.loads(body)
    assert (told["event"], told["name"], told["data"]) == ("address-changed", "welink", {"url": "https://b"})
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(b"s3cret-of-the-hook", signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == told["id"]


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    """The example of the specification's own libraries."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed_and_with_one_that_is_missing_nothing_is_sent() -> None:
    def missing(ref: SecretRef) -> Secret:
        raise MissingError("the environment variable HOOK_SECRET is not set")

    with receiver() as far:
        Webhook(far.url, None, missing).send(NOTICE)
        with pytest.raises(MissingError, match="HOOK_SECRET"):
            Webhook(far.url, SECRET, missing).send(NOTICE)
    ((_, headers, _),) = far.calls
    assert "webhook-signature" not in headers


def test_a_far_side_that_is_busy_is_asked_again_with_the_same_notice() -> None:
    with receiver(503, 429, 204) as far:
        Webhook(far.url, SECRET, known).send(NOTICE)
    assert len(far.calls) == 3
    assert len({headers["webhook-id"] for _, headers, _ in far.calls}) == 1


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_a_refusal_is_not_repeated_not_followed_and_told_without_the_path(status: int) -> None:
    with receiver(status, Location="/elsewhere") as far, pytest.raises(ExposerError) as caught:
        Webhook(f"{far.url}/services/T0KEN", None, known).send(NOTICE)
    assert len(far.calls) == 1
    assert str(status) in caught.value.message
    assert "T0KEN" not in caught.value.message


def test_nobody_there_is_told_without_the_path() -> None:
    with pytest.raises(ExposerError, match="could not be reached") as caught:
        Webhook(f"http://127.0.0.1:{free_port()}/T0KEN", None, known).send(NOTICE)
    assert "T0KEN" not in caught.value.message
    assert caught.value.__cause__ is None


def test_an_address_by_reference_is_never_shown() -> None:
    ref = SecretRef("env", "MY_WEBHOOK")
    with receiver(404) as far, pytest.raises(ExposerError) as caught:
        Webhook(ref, None, lambda _: Secret(f"{far.url}/T0KEN")).send(NOTICE)
    assert caught.value.message == "webhook env:MY_WEBHOOK answered 404"
    with pytest.raises(MissingError, match="MY_WEBHOOK"):
        Webhook(ref, None, lambda _: Secret("file:///etc/passwd")).send(NOTICE)
