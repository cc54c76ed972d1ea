"""Enrol in a child that is killed at random moments, again and again; see what is left. Run by test_store.py.

    python crash.py FILE ROUNDS

Every child enrols people of three templates each, and tells of each one that is done through a pipe. Prints, as JSON,
how many were told of and how many kills fell into the middle of an enrolment.
"""

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import numpy as np

from vedette.gallery.gallery import Gallery
from vedette.gallery.seal import Key
from vedette.gallery.values import EmbeddingModel, Sample

TEMPLATES, PICTURE = 3, bytes(2000)
HALVES = """SELECT count(template.id), count(picture.template_id) FROM person
    LEFT JOIN template ON person_id = person.id LEFT JOIN picture ON template_id = template.id GROUP BY person.id"""
OPTIONS = {"key": Key(bytes(range(32))), "model": EmbeddingModel("a" * 64, 64, 0.99)}


def enrol_for_ever(path, number, told):
    """Enrol one person after the other; never returns."""
    rng = np.random.default_rng()
    with Gallery(path, **OPTIONS) as gallery:
        for i in range(10**9):
            rows = rng.standard_normal((TEMPLATES, 64)).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            os.write(told, b"<")
            gallery.enrol(f"person {number}-{i}", [Sample(row, 1.0, picture=PICTURE) for row in rows])
            os.write(told, b">")


def one_round(path, number, rng):
    """Return how many enrolments were told to be done, and whether one was begun and not done."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            enrol_for_ever(path, number, writing)
        finally:
            os._exit(1)
    os.close(writing)
    if not select.select([reading], [], [], 20)[0]:
        raise SystemExit("the child did not begin")
    time.sleep(rng.uniform(0, 0.04))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WTERMSIG(status) != signal.SIGKILL:
        raise SystemExit(f"the child ended by itself: {status}")
    told = b""
    while part := os.read(reading, 1 << 16):
        told += part
    os.close(reading)
    return told.count(b">"), told.endswith(b"<")


def main():
    """Kill, open, look; the figures go to standard output."""
    path, rounds, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(7)
    done = broken = 0
    for number in range(rounds):
        told, cut = one_round(path, number, rng)
        done, broken = done + told, broken + cut
        with Gallery(path, **OPTIONS) as gallery:
            people = gallery.people()
            assert gallery.integrity() == "ok"
            assert set(gallery._store.db.execute(HALVES)) <= {(TEMPLATES, TEMPLATES)}
            mine = [p for p in people if p.name.startswith(f"person {number}-")]
            assert told <= len(mine) <= told + cut, f"{told} were told of, {len(mine)} are there"
            for person in mine:
                assert all(info.has_picture for info in gallery.templates(person.name))
    print(json.dumps({"done": done, "cut": broken, "people": len(people)}))


if __name__ == "__main__":
    main()
