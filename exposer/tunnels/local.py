"""No tunnel at all: the exposure is reachable on this machine only, for trying things out."""

from exposer.procs import Entry
from exposer.state.model import Look
from exposer.tunnels.provider import Direct, digest_of


class Local(Direct):
    """The gateway's own address taken as the public one."""

    provider = "local"

    def wish(self) -> str:
        return digest_of(self.tunnel, self.listen)

    def look(self, entry: Entry) -> Look:
        return Look(alive=True, healthy=True, url=self.facts()["url"])

    def facts(self) -> dict[str, str]:
        if not self.tunnel.tls:
            return {"url": f"http://{self.listen}", "listen": self.listen}
        from exposer.tls.authority import CA_FILE

        return {"url": f"https://{self.listen}", "listen": self.listen, "ca": str(self.state / CA_FILE)}
