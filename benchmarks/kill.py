"""kill -9 of commands, with all their processes, at random moments: what must hold, and does the next command work?

python benchmarks/kill.py [N] [--kinds serve,train,promote,monitoring,prune] [--project PROJECT] [--seed 0]

N moments are drawn, in turn for each kind of command, in a project with a small table that PROJECT keeps between runs.
Commands run as `kedro` does, but in processes that have imported the libraries already. Each is measured once. Of three
moments two are drawn from its whole run time, and one from the time after an event of it: a version is registered, the
lock on the aliases is taken, the service copies a version, the first rows are deleted, the verdict is written. The same
command is then run again. The exit code is 1 if anything did not hold.
"""
# ruff: noqa: T201

import argparse
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from kill_checks import LOG, Registry, Versions, check_files, read_registry
from kill_commands import KINDS, OUTPUT, Kind, Process, Serve
from small_project import prepare
from tables import commit

MAX_DRAWS = 20  # of a moment before the command has ended


class Span(NamedTuple):
    """Seconds of a command that is not killed: all, and those from its event to its end."""

    total: float
    after_event: float


class Result(NamedTuple):
    """Of one kill."""

    kind: str
    place: str
    seconds: float  # of the next command
    faults: list[str]


def measure(kind: Kind) -> Span:
    """Run a command to its end."""
    kind.prepare()
    has_happened, event = kind.watch(), [float("nan")]
    process, ended = kind.start(), threading.Event()

    def poll() -> None:
        while not ended.wait(0.02):
            if has_happened():
                event[0] = time.monotonic()
                return

    poller = threading.Thread(target=poll)
    poller.start()
    code = kind.finish(process)
    end = time.monotonic()
    ended.set()
    poller.join()
    if code:
        raise RuntimeError(f"{' '.join(kind.command())} failed:\n{process.tail()}")
    return Span(end - process.started, end - event[0] if event[0] == event[0] else 0.0)


class Strike(NamedTuple):
    """A command that was killed, or that had ended before with an exit code."""

    process: Process
    has_happened: bool  # its event
    exit_code: int


def strike(kind: Kind, span: Span, is_aimed: bool, rng: random.Random) -> Strike:
    """Start a command and kill it."""
    has_happened, until = kind.watch(), rng.uniform(0, span.total)
    process = kind.start()
    if is_aimed:
        while process.is_running() and not has_happened():
            time.sleep(0.005)
        until = time.monotonic() - process.started + rng.uniform(0, span.after_event)
    while process.is_running() and (left := until - (time.monotonic() - process.started)) > 0:
        time.sleep(min(left, 0.1))
    return Strike(process, has_happened(), process.signal(signal.SIGKILL))


def kill(kind: Kind, span: Span, is_aimed: bool, rng: random.Random, versions: Versions) -> Result:
    """One kill, the checks after it, and the next commands."""
    for _ in range(MAX_DRAWS):
        kind.prepare()
        before = read_registry(kind.project)
        struck = strike(kind, span, is_aimed, rng)
        place = kind.place(struck.process, struck.has_happened)
        if struck.exit_code != 0:  # 0: it was faster this time, and had ended
            break
    faults = []
    if struck.exit_code != -signal.SIGKILL:
        faults.append(f"the command ended by itself with {struck.exit_code}: {struck.process.tail()}")
    after = read_registry(kind.project)
    faults += [*check_state(kind, versions, after), *kind.check()]
    if after.champion not in kind.targets(before, after) | {before.champion}:
        faults.append(f"the champion was version {before.champion} and is version {after.champion}")
    faults += check_models(kind.project, after)
    process = kind.start()
    code, seconds = kind.finish(process), time.monotonic() - process.started
    if code:
        faults.append(f"the next command ended with {code}: {process.tail()}")
    end = read_registry(kind.project)
    faults += [*check_state(kind, versions, end), *kind.check_end(before, end)]
    return Result(kind.name, place, seconds, faults)


def check_state(kind: Kind, versions: Versions, registry: Registry) -> Iterator[str]:
    """What is wrong with the files, the versions and their copies."""
    yield from check_files(kind.project)
    yield from versions.check(registry)
    yield from versions.check_copies(kind.project, registry)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=kind.project, capture_output=True, text=True)
    changed = {line[3:] for line in status.stdout.splitlines()} - {OUTPUT, "dvc.lock"}
    if status.returncode or changed:
        yield f"git sees changes: {status.stderr}{sorted(changed)}"


def check_models(project: Path, registry: Registry) -> Iterator[str]:
    """What is wrong with `kedro models`."""
    process = Process(project, "models", "--json")
    code, text = process.wait(), process.tail()
    if code:
        yield f"kedro models ended with {code}: {text}"
        return
    listed = set(re.findall(r'"version": (\d+)', process.output.read_text(encoding="utf-8")))
    if listed != set(registry.folders):
        yield f"kedro models lists the versions {sorted(listed)}, there are {sorted(registry.folders)}"


def run_kills(n_kills: int, kinds: Sequence[Kind], seed: int) -> list[Result]:
    """All kills, in turn for each kind. After a fault the project is as it was at the start."""
    spans = {kind.name: measure(kind) for kind in kinds}
    for name, span in spans.items():
        print(f"{name}: {span.total:.1f} s, of them {span.after_event:.2f} s from its event on", flush=True)
    project, results, versions = kinds[0].project, [], Versions()
    with TemporaryDirectory() as temporary:
        backup = Path(temporary) / "project"
        shutil.copytree(project, backup, symlinks=True)
        for number in range(n_kills):
            kind, rng = kinds[number % len(kinds)], random.Random(f"{seed}/{number}")
            is_aimed = number // len(kinds) % 3 == 2
            result = kill(kind, spans[kind.name], is_aimed, rng, versions)
            results.append(result)
            print(f"{number:4} {result.kind:11}{result.place:60}{result.seconds:6.1f} s", *result.faults, flush=True)
            if result.faults:
                shutil.rmtree(project)
                shutil.copytree(backup, project, symlinks=True)
                for other in kinds:
                    other.restore()
    return results


def main(n_kills: int, kinds: list[str], project: Path, seed: int) -> int:
    """Print where each kind was killed, and what did not hold. Returns the exit code."""
    prepare(project, 2, "--estimator=linear")
    if subprocess.run(["git", "status", "--porcelain"], cwd=project, capture_output=True, check=True).stdout:
        (project / ".gitignore").open("a").write(f"/{OUTPUT}\n")
        commit(project)
    made = [KINDS[name](project) for name in kinds]
    if not (project / LOG).exists():
        measure(Serve(project))
    results = run_kills(n_kills, made, seed)
    for name in kinds:
        own = [result for result in results if result.kind == name]
        seconds, n_faults = [result.seconds for result in own], sum(bool(result.faults) for result in own)
        print(
            f"{name}: {len(own)} kills, {n_faults} with a fault; next command {np.median(seconds or [0]):.1f} s,",
            end="",
        )
        print(f" at most {max(seconds, default=0):.1f} s")
        for place, count in Counter(result.place for result in own).most_common():
            print(f"  {count:4} {place}")
    n_rows = sum(len(kind.answers) for kind in made if isinstance(kind, Serve))
    print(json.dumps({"kills": len(results), "faults": sum(bool(r.faults) for r in results), "answered_rows": n_rows}))
    return int(any(result.faults for result in results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("n_kills", nargs="?", type=int, default=100)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--project", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with TemporaryDirectory() as temporary:
        sys.exit(main(given.n_kills, given.kinds.split(","), given.project or Path(temporary), given.seed))
