"""Other channels (ntfy, e-mail, chats: a hundred of them) through the library apprise, which is an extra."""

import importlib
from collections.abc import Callable

from exposer.config.model import SecretRef
from exposer.errors import ExposerError, MissingError
from exposer.notify.notice import Notice
from exposer.secret import Secret

INSTALL = 'pip install "exposer[notify]"'


class Channel:
    """One address as apprise has them, such as ntfy://topic. It holds a secret, so the config only says where it is."""

    def __init__(self, ref: SecretRef, resolve: Callable[[SecretRef], Secret]) -> None:
        self._ref = ref
        self._resolve = resolve

    @property
    def label(self) -> str:
        return f"channel {self._ref}"

    def send(self, notice: Notice) -> None:
        try:
            apprise = importlib.import_module("apprise")
        except ImportError:
            raise MissingError(f"{self.label} needs the Python package apprise", INSTALL) from None
        service = apprise.Apprise()
        if not service.add(self._resolve(self._ref).reveal()):
            raise ExposerError(f"{self.label} holds no address that apprise knows", "see its list of services")
        if not service.notify(title=f"exposer: {notice.name}", body=notice.text):
            raise ExposerError(f"{self.label} could not be told")
