"""exposer puts a private HTTP API within reach of assistants, and takes it offline with one command."""

__version__ = "0.1.0"
