"""Sweeps on a real Dask cluster: a scheduler and two worker processes, one of them killed on the way."""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from hcg_lib.experiments import run

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the cluster's own threads, while it is torn down

FUNCTIONS = """
import time

def slow(x):
    time.sleep(0.1)
    return {"y": x * x}

def fragile(x):
    if x == 1:
        raise ArithmeticError("no")
    return {"y": x}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """(client, worker processes, importable functions) of a scheduler and two workers, each a process of its own."""
    folder = tmp_path_factory.mktemp("dask")
    (folder / "points_of_a_sweep.py").write_text(FUNCTIONS)
    file = folder / "scheduler.json"
    path = os.pathsep.join([str(folder), os.getcwd(), os.environ.get("PYTHONPATH", "")])

    def start(name, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", "--scheduler-file", str(file), *options]
        log = (folder / f"{name}.log").open("ab")
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)

    here = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = start("scheduler", *here, "--port", "0")
    workers = [start("worker", *here, "--nthreads", "1", "--no-nanny") for _ in range(2)]
    client = distributed.Client(scheduler_file=str(file), timeout=60)
    client.wait_for_workers(2, timeout=60)
    sys.path.insert(0, str(folder))
    yield client, workers, importlib.import_module("points_of_a_sweep")
    sys.path.remove(str(folder))
    client.close()
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def test_every_point_is_there_once_although_a_worker_was_killed(cluster, tmp_path):
    client, workers, functions = cluster
    store = tmp_path / "slow.jsonl"

    def kill_one():
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (store.exists() and store.read_bytes().count(b"\n") >= 5):
            time.sleep(0.02)
        workers[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    table = run(functions.slow, [{"x": x} for x in range(30)], path=tmp_path, client=client)
    killer.join()
    assert workers[0].wait(10) == -signal.SIGKILL
    assert table["y"].tolist() == [x * x for x in range(30)]
    stored = [json.loads(line)["config"]["x"] for line in store.read_text().splitlines()]
    assert sorted(stored) == list(range(30))


def test_a_failing_point_costs_no_other_on_the_cluster(cluster, tmp_path):
    client, _, functions = cluster
    with pytest.raises(RuntimeError, match="1 of 3 points of 'fragile' failed"):
        run(functions.fragile, [{"x": x} for x in range(3)], path=tmp_path, client=client)
    assert (tmp_path / "fragile.jsonl").read_text().count("\n") == 2
