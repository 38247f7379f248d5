"""Who is told when something happens: webhooks, this machine's desktop, other channels, and own programs."""

from collections.abc import Callable

from exposer.config.model import Notify, SecretRef
from exposer.notify.channels import Channel
from exposer.notify.desktop import Desktop
from exposer.notify.notice import Destination
from exposer.notify.webhook import Webhook
from exposer.secret import Secret


def destinations(notify: Notify, resolve: Callable[[SecretRef], Secret]) -> tuple[Destination, ...]:
    """Everybody that `[notify]` names. Secrets are fetched when something is sent, so that a change counts at once."""
    webhooks = [Webhook(url, notify.secret, resolve) for url in notify.webhook]
    channels = [Channel(ref, resolve) for ref in notify.urls]
    return (*webhooks, *channels, *([Desktop()] if notify.desktop else []))
