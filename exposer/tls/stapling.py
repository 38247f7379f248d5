"""Whether nginx can hand on, with a certificate, its authority's word that it still holds (OCSP stapling, RFC 6066)."""

import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

RESOLVERS = Path("/etc/resolv.conf")
MOST = 3  # as the C library takes


def can_be_stapled(chain: str) -> bool:
    """Whether the first certificate of this PEM text names a responder that is asked by http, and its issuer, who is
    named in the question, follows it."""
    try:
        leaf, *others = x509.load_pem_x509_certificates(chain.encode())
        where = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    asked = any(
        each.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(each.access_location, x509.UniformResourceIdentifier)
        and each.access_location.value.startswith("http://")
        for each in where
    )
    return asked and any(other.subject == leaf.issuer for other in others)


def resolvers(path: Path = RESOLVERS) -> tuple[str, ...]:
    """The name servers of this machine, as nginx writes them: it does not read that file itself."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    named = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
    return tuple(filter(None, map(_written, named)))[:MOST]


def _written(address: str) -> str:
    """Not one that belongs to a single interface (fe80::1%eth0): nginx has no word for it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return "" if found.scope_id else f"[{found}]"
