"""The gateway: rules (policy), files (site), and nginx itself."""
