"""Memoised sweeps: stored points are read, missing ones computed and appended at once.

A store is one JSON-lines file per experiment, one point a line:

    {"version": 1, "config": {...}, "result": {...}, "provenance": {...}}

A point is keyed by the experiment's name, its version and every field of its config. The driver is the only
writer, and it writes whole lines and flushes them: killing a sweep loses at most the points in flight.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

Config = Mapping[str, Any]
Outcome = tuple[Config, Any]


def run(
    function: Callable[..., Mapping[str, Any]],
    configs: Iterable[Any],
    *,
    name: str | None = None,
    version: int = 1,
    path: str | Path | None = "results",
    jobs: int = 1,
    client: Any = None,
    compute: bool = True,
) -> pd.DataFrame:
    """Evaluate `function(**config)` for every config, reading what is stored and storing what is not.

    Parameters
    ----------
    function
        Takes the config's fields as keyword arguments and returns a flat dict of numbers, strings or lists.
        With `jobs > 1` it must be importable.
    configs
        Dicts or dataclasses of JSON-able fields. Repeated configs are computed once.
    name
        Name of the experiment and of its file, `<path>/<name>.jsonl`; the function's name if None.
    version
        Raise it when the science changes: points of another version are not read.
    path
        Folder of the store; None keeps nothing on disk.
    jobs
        Processes that compute missing points; -1 uses every core.
    client
        A `dask.distributed.Client`: missing points are computed by its cluster instead. Points of workers that die
        are computed again elsewhere.
    compute
        False raises a ValueError that counts the missing points instead of computing them.

    Returns
    -------
    One row per config, in order: its fields, its results, and its provenance in columns `provenance_…`.

    Raises
    ------
    ValueError
        If a field is not JSON-able, a result shares a config's name, or points are missing and `compute` is False.
    RuntimeError
        After all other points are stored, if some points failed: it names their configs, the first error is its
        cause.

    Examples
    --------
    >>> table = run(lambda x: {"square": x * x}, [{"x": 2}, {"x": 3}], name="squares", path=None)
    >>> table[["x", "square"]].to_numpy().tolist()
    [[2, 4], [3, 9]]
    """
    name = name or function.__name__
    wanted = [_plain(config) for config in configs]
    keys = [_key(config) for config in wanted]
    store = None if path is None else Path(path) / f"{name}.jsonl"
    points = {} if store is None else read_points(store, version)
    missing = [config for key, config in dict(zip(keys, wanted, strict=True)).items() if key not in points]
    if missing and not compute:
        raise ValueError(
            f"compute=False, but {len(missing)} of {len(set(keys))} points of {name!r} version {version} are not "
            f"stored in {store}; the first is {missing[0]}"
        )
    failures: list[tuple[Config, Exception]] = []
    work = _locally(function, missing, jobs) if client is None else _on_cluster(function, missing, client)
    for config, outcome in tqdm(work, total=len(missing), desc=name, disable=None if missing else True):
        if isinstance(outcome, Exception):
            failures.append((config, outcome))
            continue
        point = {"version": version, "config": config, **outcome}
        if store is not None:
            append_point(store, point)
        points[_key(config)] = point
    if failures:
        listed = "; ".join(f"{config}: {type(error).__name__}: {error}" for config, error in failures[:3])
        raise RuntimeError(f"{len(failures)} of {len(missing)} points of {name!r} failed: {listed}") from failures[0][1]
    return pd.DataFrame([_row(points[key]) for key in keys])


def read_points(store: Path, version: int) -> dict[str, dict[str, Any]]:
    """Return the stored points of one version by key; a torn last line is ignored, the first of two equals wins.

    Raises
    ------
    ValueError
        If a line other than the last is not a point: the file was edited or damaged.
    """
    points: dict[str, dict[str, Any]] = {}
    if not store.exists():
        return points
    lines = store.read_text("utf8").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            point = json.loads(line)
            key = _key(point["config"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise ValueError(f"{store}, line {number}: not a stored point ({error})") from error
        if point.get("version") == version:
            points.setdefault(key, point)
    return points


def append_point(store: Path, point: Mapping[str, Any]) -> None:
    """Append one point as a whole line and flush it to disk; a torn line left by a kill is cut off first."""
    line = json.dumps(point, allow_nan=False).encode() + b"\n"
    store.parent.mkdir(parents=True, exist_ok=True)
    with open(store, "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            if whole < size:
                file.truncate(whole)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _evaluate(function: Callable[..., Mapping[str, Any]], config: Config) -> Outcome:
    """Compute one point; an error comes back as a value, so that the other points are not lost."""
    start = time.perf_counter()
    try:
        result = {str(field): _plain_value(field, value) for field, value in function(**config).items()}
        clash = set(result) & set(config)
        if clash:
            raise ValueError(f"results must not share names with the config, got {sorted(clash)}")
    except Exception as error:
        return config, error
    return config, {"result": result, "provenance": provenance(time.perf_counter() - start)}


def _locally(function: Callable[..., Mapping[str, Any]], configs: Sequence[Config], jobs: int) -> Iterator[Outcome]:
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    return parallel(joblib.delayed(_evaluate)(function, config) for config in configs)


def _on_cluster(
    function: Callable[..., Mapping[str, Any]], configs: Sequence[Config], client: Any
) -> Iterator[Outcome]:
    """Yield outcomes as a Dask cluster finishes them; whatever ends the sweep also takes back what is still queued."""
    from distributed import as_completed

    futures = {client.submit(_evaluate, function, config, pure=False): config for config in configs}
    try:
        for future in as_completed(futures):
            error = future.exception()  # of the cluster, such as a worker that died too often; ours come as values
            yield (futures[future], error) if error else future.result()
    finally:
        client.cancel(list(futures))


def provenance(seconds: float) -> dict[str, Any]:
    """Return where a result comes from: duration, time, versions, commit and machine.

    >>> sorted(provenance(1.0))
    ['commit', 'cores', 'date', 'device', 'hcg_lib', 'numpy', 'python', 'seconds', 'torch']
    """
    return {
        "seconds": round(seconds, 3),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cores": joblib.cpu_count(),
        **_environment(),
    }


@cache
def _environment() -> dict[str, str]:
    versions = {}
    for package, label in (("hcg-book", "hcg_lib"), ("numpy", "numpy"), ("torch", "torch")):
        try:
            versions[label] = installed_version(package)
        except PackageNotFoundError:
            versions[label] = "not installed"
    here = Path(__file__).resolve().parent
    try:
        command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
        commit = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        commit = "unknown"
    return {**versions, "python": platform.python_version(), "commit": commit, "device": platform.machine()}


def _plain(config: Any) -> dict[str, Any]:
    """Return a config as a dict of JSON-able values."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        config = dataclasses.asdict(config)
    if not isinstance(config, Mapping):
        raise ValueError(f"configs must be dicts or dataclasses, got {config!r}")
    return {str(field): _plain_value(field, value) for field, value in config.items()}


def _plain_value(field: Any, value: Any) -> Any:
    """Turn numpy scalars and arrays into JSON-able values; NaN becomes null."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain_value(field, item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"{field} must be a finite number, a string, a list of them or None, got {value!r}")


def _key(config: Config) -> str:
    return json.dumps(config, sort_keys=True)


def _row(point: Mapping[str, Any]) -> dict[str, Any]:
    origin = {f"provenance_{field}": value for field, value in point["provenance"].items()}
    result = {field: np.nan if value is None else value for field, value in point["result"].items()}
    return {**point["config"], **result, **origin}
