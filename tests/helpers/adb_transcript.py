"""An `adb` that records what the real one does, or plays a record back: a program of its own, called as adb would be.

    adb_transcript.py record FILE REAL_ADB... -- ARGUMENTS...
    adb_transcript.py replay FILE STATE -- ARGUMENTS...

A transcript is JSON: {"source": where it comes from, "calls": [{"adb": arguments, "out": ..., "err": ..., "code": ...,
"file": base64 of what a pull brought}]}, in the order of the calls. What differs from run to run has a name in it:
{mark} and {folder} (random), {local} (a file on this side) and {sha256} (of what was pushed there). A call that is not
the next one of the transcript ends with 99 and a line in STATE/mismatch.
"""

import fcntl
import json
import os
import re
import sys
from binascii import a2b_base64, b2a_base64

# This starts some fifty times in a test: what only a recorder needs is imported there.

MARK, FOLDER = re.compile(r"handlens-[0-9a-f]{16}="), re.compile(r"/data/local/tmp/handlens-[0-9a-f]{12}(?![0-9a-f])")
DIGEST = re.compile(r"[0-9a-f]{64}")


def named(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments with names for what differs, and what the names stand for."""
    values, found = {}, []
    for argument in arguments:
        for name, pattern in (("mark", MARK), ("folder", FOLDER)):
            hit = pattern.search(argument)
            if hit:
                values[name] = hit[0]
                argument = argument.replace(hit[0], f"{{{name}}}")
        found.append(argument)
    for verb, place in (("push", 1), ("pull", 2)):
        if verb in found:
            at = found.index(verb) + place
            values["local"], found[at] = found[at], "{local}"
    return found, values


def put_names(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(value, f"{{{name}}}")
    return text


def put_values(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def pushed(folder: str, arguments: list[str], values: dict[str, str]) -> str:
    """Notes the hash of a file that is pushed; gives the hash of the one that a command asks for."""
    note = os.path.join(folder, "hash-" + arguments[-1].rpartition("/")[2].split("\n")[0])
    if "push" in arguments:
        from hashlib import sha256

        write(note, sha256(read(values["local"])).hexdigest().encode())
    asked = re.search(r"sha256sum \S+/", arguments[-1])
    return read(note).decode() if asked and os.path.exists(note) else ""


def record(file: str, real: list[str], arguments: list[str]) -> int:
    import subprocess

    state = recording(file)
    os.makedirs(state, exist_ok=True)
    number = take_number(state)
    wanted, values = named(arguments)
    digest = pushed(state, wanted, values)
    process = subprocess.Popen([*real, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out = b""
    while chunk := process.stdout.read1():
        out += chunk
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    err = process.stderr.read()
    sys.stderr.buffer.write(err)
    code = process.wait()
    call = {"adb": wanted}
    for name, text in (("out", out), ("err", err)):
        told = put_names(text.decode("utf-8", "replace"), values)
        call[name] = told.replace(digest, "{sha256}") if digest else told
    call["code"] = code
    if "pull" in wanted and code == 0:
        call["file"] = b2a_base64(read(values["local"]), newline=False).decode()
    write(os.path.join(state, f"{number:05}.json"), json.dumps(call).encode())
    return code


def finish(file: str, source: str) -> None:
    """Makes one transcript of the calls that were recorded."""
    state = recording(file)
    calls = [json.loads(read(os.path.join(state, name))) for name in sorted(os.listdir(state)) if name[0].isdigit()]
    for call in calls:  # which kernel it was is nobody's business
        call["out"] = re.sub(r"kernel=Linux \S+", "kernel=Linux 6.12.0", call["out"])
    write(file, (json.dumps({"source": source, "calls": calls}, indent=1) + "\n").encode())
    for name in os.listdir(state):
        os.unlink(os.path.join(state, name))
    os.rmdir(state)


def replay(file: str, state: str, arguments: list[str]) -> int:
    number = take_number(state)
    wanted, values = named(arguments)
    digest = pushed(state, wanted, values)
    calls = json.loads(read(file))["calls"]
    if number >= len(calls) or calls[number]["adb"] != wanted:
        expected = calls[number]["adb"] if number < len(calls) else "nothing more"
        with open(os.path.join(state, "mismatch"), "a") as log:
            log.write(f"call {number}:\n  came     {wanted}\n  expected {expected}\n")
        return 99
    call = calls[number]
    if "file" in call:
        write(values["local"], a2b_base64(call["file"]))
    if digest:
        values["sha256"] = digest
    sys.stdout.write(put_values(call["out"], values))
    sys.stdout.flush()
    sys.stderr.write(put_values(call["err"], values))
    if call["code"] == 0 and wanted[-1].endswith("cat >/dev/null"):
        sys.stdin.read()
    return int(call["code"])


def recording(file: str) -> str:
    return file.removesuffix(".json") + ".recording"


def read(file: str) -> bytes:
    with open(file, "rb") as stream:
        return stream.read()


def write(file: str, data: bytes) -> None:
    with open(file, "wb") as stream:
        stream.write(data)


def take_number(state: str) -> int:
    with open(os.path.join(state, "next"), "a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        number = int(counter.read() or 0)
        counter.truncate(0)
        counter.write(str(number + 1))
    return number


if __name__ == "__main__":
    how, path, *rest = sys.argv[1:]
    dash = rest.index("--")
    if how == "record":
        sys.exit(record(path, rest[:dash], rest[dash + 1 :]))
    sys.exit(replay(path, rest[0], rest[dash + 1 :]))
