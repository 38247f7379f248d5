"""Tunnels: argv and log line in, facts out."""
