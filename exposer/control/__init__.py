"""The unix-socket API: read a snapshot, post a command, nothing else."""
