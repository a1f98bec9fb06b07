"""Runs on an MLflow server, written by MLflow's client.

MLflow's active run and its tracking URI, which are global, are neither used nor changed, so programs that have them,
and parallel trainings, are not affected. Two things are set for the whole process: the environment variables of
`QUIET`, unless they are set, and a handler of the logger urllib3.

A run is found again by a tag that holds its key. The id of MLflow's run could be kept in a file of the run directory
instead, but the tag works for every server, for copies of the directory, for directories that cannot be written, and
after a process that was killed just after it had begun the run.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from nncli.extend import HEALTH_LEVELS, Ending, Point, TrackedRun, TrackerKind, with_credentials

EXPERIMENT = "nncli"
"""The experiment, unless MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID says another one."""
KEY_TAG = "nncli.run"
STATUSES = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
MAX_METRICS, MAX_PARAMETERS = 1000, 100
"""What a server takes in one request at most."""
CONNECT_SECONDS = 5.0
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""Variables that keep the client from reporting its use to its vendors, and from printing between the results."""

FILE_STORE_VARIABLE = "MLFLOW_ALLOW_FILE_STORE"
"""What MLflow's error about a folder as its store names, but no other one."""

T = TypeVar("T")


class MLflow:
    """A `Tracker` that writes to an MLflow server; None is that of MLFLOW_TRACKING_URI, or MLflow's default."""

    def __init__(self, uri: str | None) -> None:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        # Otherwise Python prints what the client says of every retry.
        logging.getLogger("urllib3").addHandler(logging.NullHandler())
        from mlflow import MlflowClient

        try:
            self._client: Any = MlflowClient(tracking_uri=uri)
        except Exception as error:
            if FILE_STORE_VARIABLE in str(error):
                raise OSError(
                    "MLflow does not write to folders any more; use a database: sqlite:///mlflow.db"
                ) from error
            raise
        check_reachable(self._client.tracking_uri)
        self._experiment: str | None = None
        self._ids: dict[str, str] = {}
        self._earlier_points: dict[str, _EarlierPoints] = {}
        self._running: set[str] = set()

    def start(self, run: TrackedRun) -> None:
        """Begin a run, or continue the one with the tag."""
        if run.key in self._ids:
            return
        client = self._client
        experiment = self._experiment = self._experiment or _experiment(client)
        if run.parent is None or run.parent.key in self._earlier_points:
            runs = client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{run.key}'", max_results=1)
        else:  # a run that has just begun has no children
            runs = []
        if runs:
            self._ids[run.key] = runs[0].info.run_id
            self._earlier_points[run.key] = _EarlierPoints(client, runs[0].info.run_id)
            self._running.add(run.key)
            client.update_run(runs[0].info.run_id, status="RUNNING")
            self._continue(run, runs[0].data.params)
            return
        tags = {**dict(run.tags), KEY_TAG: run.key, "mlflow.source.name": "nncli", "mlflow.source.type": "LOCAL"}
        if run.parent is not None:
            tags["mlflow.parentRunId"] = self._ids[run.parent.key]
        created = client.create_run(experiment, round(run.started * 1000), tags, run.name)
        self._ids[run.key] = created.info.run_id
        self._running.add(run.key)
        self._log_parameters(created.info.run_id, {key: str(value) for key, value in run.parameters})

    def log(self, run: TrackedRun, points: Sequence[Point]) -> None:
        """Send points, except for those that the run has from before; MLflow has no histograms, but quantiles."""
        from mlflow.entities import Metric

        identifiers = self._earlier_points.get(run.key)
        every = [scalar for point in points for scalar in (_quantiles(point) if point.quantiles else (point,))]
        new = [point for point in every if identifiers is None or not identifiers.has(point)]
        for part in _parts(new, MAX_METRICS):
            metrics = [Metric(point.metric, point.value, round(point.time * 1000), point.step) for point in part]
            self._client.log_batch(self._ids[run.key], metrics=metrics, synchronous=True)

    def rewind(self, run: TrackedRun, step: int) -> None:
        """Nothing: MLflow keeps all points, and shows the last one of a step."""

    def end(self, run: TrackedRun, ending: Ending) -> None:
        """Send the final scores, end the run, and send its files."""
        run_id = self._ids[run.key]
        self.log(run, ending.scores)
        self._client.set_terminated(run_id, STATUSES[ending.outcome], round(ending.time * 1000))
        self._running.discard(run.key)
        for file in ending.files:
            self._client.log_artifact(run_id, os.fspath(file))

    def flush(self) -> None:
        """Nothing: every call has been answered."""

    def close(self) -> None:
        """End what still runs, as after an error, as failed, unless the server cannot be reached either."""
        with suppress(Exception):  # the error before is what matters
            if self._running:
                check_reachable(self._client.tracking_uri)
            while self._running:
                self._client.set_terminated(self._ids[self._running.pop()], STATUSES["failed"])

    def _continue(self, run: TrackedRun, before: dict[str, str]) -> None:
        """Add parameters that are new. A parameter cannot change: the new value, as of `epochs`, becomes a tag."""
        now = {key: str(value) for key, value in run.parameters}
        run_id = self._ids[run.key]
        self._log_parameters(run_id, {key: value for key, value in now.items() if key not in before})
        for key, value in now.items():
            if before.get(key, value) != value:
                self._client.set_tag(run_id, f"nncli.changed.{key}", value)

    def _log_parameters(self, run_id: str, parameters: dict[str, str]) -> None:
        from mlflow.entities import Param

        for part in _parts([Param(key, value) for key, value in parameters.items()], MAX_PARAMETERS):
            self._client.log_batch(run_id, params=part, synchronous=True)


def _quantiles(point: Point) -> list[Point]:
    """The quantiles of a distribution as points: `health/output/z_p5` and so on."""
    pairs = zip(HEALTH_LEVELS, point.quantiles, strict=True)
    return [Point(f"{point.metric}_p{100.0 * level:g}", point.step, value, point.time) for level, value in pairs]


class _EarlierPoints:
    """The steps and values that a run had before, read metric by metric as they are needed."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id
        self._steps: dict[str, set[tuple[int, str]]] = {}

    def has(self, point: Point) -> bool:
        """Whether the run has the value at the step."""
        if point.metric not in self._steps:
            history = self._client.get_metric_history(self._run_id, point.metric)
            self._steps[point.metric] = {(metric.step, repr(float(metric.value))) for metric in history}
        return (point.step, repr(point.value)) in self._steps[point.metric]


def check_reachable(uri: str) -> None:
    """Connect to a server that is reached without a proxy: the client itself would try again for minutes.

    Raises:
        ConnectionError: the server is not there.
    """
    try:
        url = urlsplit(uri)
        host, port = url.hostname, url.port or {"http": 80, "https": 443}[url.scheme]
    except (KeyError, ValueError):  # a database, a folder
        return
    if host is None or (url.scheme in getproxies() and not proxy_bypass(host)):
        return
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise ConnectionError(f"cannot connect to {host}, port {port}: {error.strerror or error}") from error


def _experiment(client: Any) -> str:
    """The id of the experiment, which is created if it is new."""
    given = os.environ.get("MLFLOW_EXPERIMENT_ID")
    if given:
        return given
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    there = client.get_experiment_by_name(name)
    if there is None:
        try:
            return str(client.create_experiment(name))
        except Exception:
            there = client.get_experiment_by_name(name)  # another process was faster
            if there is None:
                raise
    return str(there.experiment_id)


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    every = list(items)
    for start in range(0, len(every), size):
        yield every[start : start + size]


MLFLOW = TrackerKind(
    "mlflow",
    "MLflow",
    lambda target, run: MLflow(None if target is None else with_credentials(target)),
    "http://127.0.0.1:5000",
    requires="mlflow",
    extra="mlflow",
)
