"""Certificates: a local authority for trying things out on this machine."""
