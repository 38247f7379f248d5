"""Takes log lines as datagrams and writes them into a file: log_sink.py SOCKET FILE."""

import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, open(sys.argv[2], "ab", buffering=1 << 16) as file:
    sock.bind(sys.argv[1])
    while True:
        file.write(sock.recv(8192) + b"\n")
