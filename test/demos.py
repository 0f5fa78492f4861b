#!/usr/bin/env python3
"""Plays the stories of ebb demo on terminals of 80 and 120 columns, and writes docs/demo.md: what is to be seen in the middle, and at the end.

demos.py [-o FILE] [-story NAME]... [-columns N]... EBB
"""
import argparse
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

ROWS = 32
OVER = re.compile(r"\x1b\[\d+A\r\x1b\[J")  # the screen draws its board anew
OTHER = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]")
HEAD = """# What `ebb demo` shows

Made by `make demos`, which plays each story on terminals of 80 and of 120 columns, on the machine that the makers had: the figures of another one
differ. In colour it is nicer. A sign is a task: `●` runs, `◌` starts, `◐` stops, `✗` was killed.
"""


def play(ebb, story, columns):
    """The story's output, as a terminal got it, and its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(ebb, [ebb, "demo", "--story", story])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    out = b""
    while True:
        try:
            some = os.read(terminal, 1 << 16)
        except OSError:  # Linux says so when the other side is closed
            break
        if not some:
            break
        out += some
    return out.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def show(text, columns):
    """A moment in the middle, and the end, as texts; wrong is what does not fit."""
    frames = OVER.split(text)
    plain = ["\n".join(line.rstrip() for line in OTHER.sub("", frame).split("\n")) for frame in frames]
    boards = [i for i, frame in enumerate(plain) if "\nlost " in frame]
    middle, last = plain[boards[len(boards) * 2 // 5]], plain[-1]
    wrong = [line for frame in plain for line in frame.split("\n") if len(line) > columns]
    return middle[middle.index("\n\n") if middle.startswith(" ") else 0:].strip("\n"), last.strip("\n"), wrong


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("-o")
    flags.add_argument("-story", action="append")
    flags.add_argument("-columns", type=int, action="append")
    flags.add_argument("ebb")
    given = flags.parse_args()
    help_text = subprocess.run([given.ebb, "demo", "--help"], capture_output=True, text=True, check=True).stdout
    stories = given.story or re.search(r"--story string +what happens: (.*?) \(default", help_text).group(1).split(", ")
    page, failed = HEAD, []
    for story in stories:
        page += f"\n## `ebb demo --story {story}`\n"
        for columns in given.columns or [80, 120]:
            for _ in range(3):  # a machine that is too slow now may have less to do soon
                text, code = play(os.path.abspath(given.ebb), story, columns)
                if code != 75:
                    break
            middle, last, wrong = show(text, columns)
            page += f"\nAt {columns} columns, in the middle:\n\n```text\n{middle}\n```\n\nand at the end:\n\n```text\n{last}\n```\n"
            if code or wrong:
                failed.append(f"{story} at {columns} columns: exit code {code}, too wide: {wrong}")
            print(page if given.o is None else f"{story} at {columns}: {code}", flush=True)
    if given.o:
        with open(given.o, "w") as file:
            file.write(page)
    sys.exit("\n".join(failed))


main()
