"""Run by the Python of `.venv-scanner`: scans one TLS server with sslyze and prints what it found as JSON."""

import json
import sys

from sslyze import Scanner, ServerNetworkLocation, ServerScanRequest

VERSIONS = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3")


def main(host: str, port: int) -> None:
    scanner = Scanner()
    scanner.queue_scans([ServerScanRequest(ServerNetworkLocation(host, port, ip_address="127.0.0.1"))])
    found = next(iter(scanner.get_results())).scan_result
    suites = {version: getattr(found, f"{version}_cipher_suites").result for version in VERSIONS}
    said = {
        "suites": {name: [each.cipher_suite.name for each in it.accepted_cipher_suites] for name, it in suites.items()},
        "heartbleed": found.heartbleed.result.is_vulnerable_to_heartbleed,
        "robot": found.robot.result.robot_result.name,
        "ccs": found.openssl_ccs_injection.result.is_vulnerable_to_ccs_injection,
        "compression": found.tls_compression.result.supports_compression,
        "insecure_renegotiation": not found.session_renegotiation.result.supports_secure_renegotiation,
        "renegotiation_dos": found.session_renegotiation.result.is_vulnerable_to_client_renegotiation_dos,
        "early_data": found.tls_1_3_early_data.result.supports_early_data,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
