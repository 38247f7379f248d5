"""Backends: a container, a process or an address; one outside thing each."""
