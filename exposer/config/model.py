"""What `exposer.toml` means, as values. Durations are seconds, sizes are bytes, paths are absolute.

Only `load` makes these; every default of the contract stands here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

EMPTY: Mapping[str, str] = MappingProxyType({})

# Fields that `load` derives and that are no keys of the file.
DERIVED = frozenset({"path", "kind", "cwd", "notes"})


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be had: `env:NAME`, `file:PATH` or `keyring:NAME`. Never the secret itself."""

    scheme: str
    name: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in so many seconds, as in `"60/min"`."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class UpstreamAuth:
    """A header that the gateway adds for the backend and that is never seen outside."""

    header: str
    value: SecretRef


@dataclass(frozen=True, slots=True)
class Backend:
    """`[backend]`: the private API. `kind` is image, build, container, command or url.

    `cwd` is where a command runs: the config file's folder. `openapi` is a path on the backend ("/…"),
    a URL, or "file:" and an absolute path. `also_open` allows that it can be reached past the gateway.
    """

    kind: str
    image: str = ""
    build: str = ""
    container: str = ""
    command: tuple[str, ...] = ()
    url: str = ""
    port: int = 0
    volumes: tuple[str, ...] = ()
    env: Mapping[str, "str | SecretRef"] = field(default_factory=lambda: MappingProxyType({}))
    internet: bool = False
    also_open: bool = False
    health: str = ""
    openapi: str = ""
    start_timeout: float = 60.0
    auth: UpstreamAuth | None = None
    memory: int = 1024**3
    pids: int = 512
    cwd: str = ""

    @property
    def contained(self) -> bool:
        """Whether it runs in a container, of ours or adopted."""
        return self.kind in ("image", "build", "container")


@dataclass(frozen=True, slots=True)
class Tunnel:
    """`[tunnel]`: how the gateway gets a public address."""

    provider: str = "local"
    binary: str = ""
    hostname: str = ""
    token: SecretRef | None = None
    credentials: SecretRef | None = None
    api_token: SecretRef | None = None
    traffic_policy: str = ""
    service: str = ""
    region: str = ""
    protocol: str = "auto"
    host: str = ""
    user: str = ""
    port: int = 22
    identity: str = ""
    known_hosts: str = ""
    remote_port: int = 0
    url: str = ""
    tls: bool = False
    certificate: str = ""
    key: str = ""
    ca: str = ""
    acme: str = "https://acme-v02.api.letsencrypt.org/directory"
    acme_ca: str = ""
    acme_kid: str = ""
    acme_key: SecretRef | None = None
    dns_hook: tuple[str, ...] = ()
    dns_wait: float = 30.0
    https_port: int = 443
    http_port: int = 80
    standby: str = ""

    @property
    def local_tls(self) -> bool:
        """Whether the gateway speaks TLS by an authority of its own."""
        return self.provider == "local" and self.tls


@dataclass(frozen=True, slots=True)
class Standby:
    """`[standby]`: what the provider in `tunnel.standby` needs. `after` is how long the open tunnel may be down from
    outside until the other takes over, `back` how long the first must have been well until it is the open one again,
    0 for never."""

    after: float = 60.0
    back: float = 600.0
    binary: str = ""
    hostname: str = ""
    token: SecretRef | None = None
    credentials: SecretRef | None = None
    api_token: SecretRef | None = None
    traffic_policy: str = ""
    service: str = ""
    region: str = ""
    protocol: str = "auto"
    host: str = ""
    user: str = ""
    port: int = 22
    identity: str = ""
    known_hosts: str = ""
    remote_port: int = 0
    url: str = ""

    def tunnel(self, provider: str) -> Tunnel:
        """The same as the `[tunnel]` that it could be."""
        own = ("after", "back")
        return Tunnel(provider, **{f.name: getattr(self, f.name) for f in fields(self) if f.name not in own})


@dataclass(frozen=True, slots=True)
class Auth:
    """`[auth]`: how callers show their key."""

    methods: tuple[str, ...] = ("api-key",)
    header: str = "X-API-Key"
    grace: float = 900.0
    max_wait: float = 86400.0
    rotate_every: float | None = None
    master: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """`[schema]`: what is published, and for whose importer. `max_operations` 0 means no limit.

    `profile` is "auto", "none" or the name of a known backend, `overlay` the place of an OpenAPI Overlay. `strict`
    refuses calls with query parameters that the document does not declare.
    """

    client: str = "gpt-action"
    methods: tuple[str, ...] = ("GET",)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_operations: int = 30
    profile: str = "auto"
    overlay: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """`[limits]`: what one key may take; what begins with `total` counts for all keys together. 0 means no limit."""

    rate: Rate = Rate(60, 60)
    total_rate: Rate | None = None
    concurrency: int = 0
    total_concurrency: int = 0
    body: int = 1_000_000
    timeout: float = 45.0
    response: int | None = None
    egress: int = 50_000_000
    allow_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Panic:
    """`[panic]`: what becomes of the backend, and what triggers it without a person: `egress` when a key has taken
    `egress_factor` times what it may, `probing` when more than `probes` different calls were refused in a minute."""

    backend: str = "stop"
    on: tuple[str, ...] = ("auth-canary", "decoy-key")
    egress_factor: float = 3.0
    probes: int = 30


@dataclass(frozen=True, slots=True)
class Doors:
    """`[doors]`: what else is open beside the API."""

    openapi: bool = True
    mcp: bool = False
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class Notify:
    """`[notify]`: who is told when something happens. `secret` signs what goes to webhooks; `urls` are addresses as the
    library apprise has them."""

    webhook: "tuple[str | SecretRef, ...]" = ()
    secret: SecretRef | None = None
    urls: tuple[SecretRef, ...] = ()
    desktop: bool = True


@dataclass(frozen=True, slots=True)
class Hooks:
    """`[hooks]`: own programs, as argument lists; each gets JSON on standard input."""

    address_changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """`[audit]`: what is kept of what happened, and what becomes of calls that cannot be recorded."""

    retain: float = 90 * 86400.0
    max_size: int = 1_000_000_000
    queries: bool = False
    on_full: str = "report"
    webhook: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gateway:
    """`[gateway]`: own templates laid over ours, the port, the image for engine docker."""

    templates: str = ""
    port: int = 0
    image: str = ""
    binary: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """One exposure. `path` is the file it was read from, `notes` what a person should know about it."""

    name: str
    backend: Backend
    path: str = ""
    version: int = 1
    engine: str = "auto"
    lease: float = 90.0
    tunnel: Tunnel = Tunnel()
    standby: Standby = Standby()
    auth: Auth = Auth()
    schema: Schema = Schema()
    limits: Limits = Limits()
    panic: Panic = Panic()
    doors: Doors = Doors()
    notify: Notify = Notify()
    hooks: Hooks = Hooks()
    audit: Audit = Audit()
    gateway: Gateway = Gateway()
    notes: tuple[str, ...] = ()

    @property
    def second(self) -> Tunnel | None:
        """The tunnel that waits, if there is one."""
        return self.standby.tunnel(self.tunnel.standby) if self.tunnel.standby else None
