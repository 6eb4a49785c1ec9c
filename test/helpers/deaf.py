#!/usr/bin/python3
# deaf.py pipe|socket N PROGRAM ARGS…: runs a program with a descriptor N that nobody reads from.
# SIGPIPE and SIGXFSZ have their default actions.
import os
import signal
import socket
import sys

kind, number, program = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
if kind == 'pipe':
    unread, descriptor = os.pipe()
else:
    ends = socket.socketpair()
    unread, descriptor = (end.detach() for end in ends)
os.close(unread)
os.dup2(descriptor, number, inheritable=True)
for name in ('SIGPIPE', 'SIGXFSZ'):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
os.execvp(program[0], program)
