"""Sweeps lose nothing: stored points are read, missing ones computed, kills and errors leave a clean store."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from hcg_lib.experiments import append_point, read_points, run


def square(x, offset=0):
    return {"y": x * x + offset}


def lines(store):
    return [json.loads(line) for line in store.read_text().splitlines()]


def test_stored_points_are_read_and_missing_ones_computed(tmp_path):
    calls = []

    def counted(x):
        calls.append(x)
        return {"y": x * x, "curve": [x, x + 1]}

    first = run(counted, [{"x": 1}, {"x": 2}], name="squares", path=tmp_path)
    second = run(counted, [{"x": 3}, {"x": 2}, {"x": 2}, {"x": 1}], name="squares", path=tmp_path)
    assert calls == [1, 2, 3]
    assert first["y"].tolist() == [1, 4]
    assert second[["x", "y"]].to_numpy().tolist() == [[3, 9], [2, 4], [2, 4], [1, 1]]
    assert second["curve"].tolist()[1] == [2, 3]
    assert [point["config"]["x"] for point in lines(tmp_path / "squares.jsonl")] == [1, 2, 3]


def test_every_field_and_the_version_are_part_of_the_key(tmp_path):
    run(square, [{"x": 1}], path=tmp_path)
    table = run(square, [{"x": 1}, {"x": 1, "offset": 5}], path=tmp_path)
    assert table["y"].tolist() == [1, 6]
    assert run(square, [{"x": 1}], path=tmp_path, version=2)["y"].tolist() == [1]
    assert [point["version"] for point in lines(tmp_path / "square.jsonl")] == [1, 1, 2]


def test_rows_carry_provenance(tmp_path):
    row = run(square, [{"x": 1}], path=tmp_path).iloc[0]
    assert row["provenance_seconds"] >= 0
    assert {"provenance_commit", "provenance_numpy", "provenance_date", "provenance_cores"} <= set(row.index)


def test_dataclasses_and_numpy_scalars_are_configs(tmp_path):
    @dataclass(frozen=True)
    class Config:
        x: int
        offset: float = 0.5

    table = run(square, [Config(2), {"x": np.int64(2), "offset": np.float64(0.5)}], path=tmp_path)
    assert table["y"].tolist() == [4.5, 4.5]
    assert len(lines(tmp_path / "square.jsonl")) == 1


def test_a_torn_last_line_is_ignored_and_cut_off(tmp_path):
    store = tmp_path / "square.jsonl"
    run(square, [{"x": 1}, {"x": 2}], path=tmp_path)
    whole = store.read_bytes()
    store.write_bytes(whole[:-7])  # killed while writing
    assert len(read_points(store, 1)) == 1
    assert run(square, [{"x": 1}, {"x": 2}], path=tmp_path)["y"].tolist() == [1, 4]
    assert [point["config"]["x"] for point in lines(store)] == [1, 2]


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path):
    store = tmp_path / "square.jsonl"
    run(square, [{"x": 1}], path=tmp_path)
    store.write_text("{oops\n" + store.read_text())
    with pytest.raises(ValueError, match="line 1: not a stored point"):
        run(square, [{"x": 1}], path=tmp_path)


def test_one_failing_point_costs_no_other(tmp_path):
    def fragile(x):
        if x == 2:
            raise ArithmeticError("no")
        return {"y": x}

    with pytest.raises(RuntimeError, match=r"1 of 3 points of 'fragile' failed: \{'x': 2\}: ArithmeticError: no"):
        run(fragile, [{"x": 1}, {"x": 2}, {"x": 3}], path=tmp_path)
    assert [point["config"]["x"] for point in lines(tmp_path / "fragile.jsonl")] == [1, 3]


def test_undefined_results_come_back_as_nan_and_infinite_ones_are_refused(tmp_path):
    for _ in range(2):
        table = run(lambda x: {"y": float("nan"), "z": [1.0, np.nan]}, [{"x": 1}], name="undefined", path=tmp_path)
        assert np.isnan(table["y"][0])
    with pytest.raises(RuntimeError, match="y must be a finite number"):
        run(lambda x: {"y": float("inf")}, [{"x": 1}], name="infinite", path=tmp_path)


def test_stored_only(tmp_path):
    run(square, [{"x": 1}], path=tmp_path)
    assert run(square, [{"x": 1}], path=tmp_path, compute=False)["y"].tolist() == [1]
    with pytest.raises(ValueError, match="1 of 2 points of 'square' version 1 are not stored"):
        run(square, [{"x": 1}, {"x": 7}], path=tmp_path, compute=False)


def test_no_path_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(square, [{"x": 3}], path=None)["y"].tolist() == [9]
    assert list(tmp_path.iterdir()) == []


def test_processes_give_the_same_table(tmp_path):
    configs = [{"x": x} for x in range(6)]
    pd.testing.assert_series_equal(
        run(square, configs, path=tmp_path, jobs=2)["y"], run(square, configs, path=None)["y"]
    )
    assert sorted(point["config"]["x"] for point in lines(tmp_path / "square.jsonl")) == list(range(6))


def test_two_writers_at_once_interleave_whole_lines(tmp_path):
    store = tmp_path / "both.jsonl"
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    writers = [context.Process(target=_write, args=(store, start)) for start in (0, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(point["config"]["x"] for point in lines(store)) == [*range(50), *range(100, 150)]


def _write(store, start):
    for x in range(start, start + 50):
        append_point(store, {"version": 1, "config": {"x": x}, "result": {}, "provenance": {}})


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_sweep_keeps_what_was_done(tmp_path, kill):
    code = (
        "import signal, time; from hcg_lib.experiments import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job would ignore Ctrl-C
        "def slow(x):\n    time.sleep(0.05)\n    return {'y': x}\n"
        f"run(slow, [{{'x': x}} for x in range(1000)], path={str(tmp_path)!r})"
    )
    sweep = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL, cwd=os.getcwd())
    store = tmp_path / "slow.jsonl"
    deadline = time.monotonic() + 60
    while (not store.exists() or store.read_bytes().count(b"\n") < 3) and time.monotonic() < deadline:
        time.sleep(0.01)
    sweep.send_signal(kill)
    assert sweep.wait(30) != 0
    done = [point["result"]["y"] for point in lines(store)]
    assert done == list(range(len(done)))
    assert len(done) >= 3
