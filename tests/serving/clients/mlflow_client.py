"""Calls a server by MLflow's client: `mlflow_client.py HOST:PORT TABLE`, and prints what it answers as JSON."""

import json
import sys
from typing import Any

import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def main(address: str, path: str) -> None:
    host, _, port = address.partition(":")
    client = ScoringServerClient(host, int(port))
    client.wait_server_ready(timeout=10)
    table = pd.read_csv(path)
    answers = {
        "version": client.get_version(),
        "frame": client.invoke(table).get_predictions()[0].tolist(),
        "records": client.invoke(table.astype(object).where(table.notna(), None).to_dict(orient="records"))[
            "predictions"
        ],
        "interval": client.invoke(table, params={"interval": 0.9}).get_predictions().to_dict(orient="list"),
        "errors": {
            name: _error(client, data, params)
            for name, data, params in (
                ("parameter", table, {"temperature": 1}),
                ("column", table.drop(columns="x"), None),
                ("array", table.to_numpy(), None),
            )
        },
    }
    print(json.dumps(answers))


def _error(client: ScoringServerClient, data: object, params: dict[str, Any] | None) -> str:
    try:
        client.invoke(data, params)
    except Exception as error:  # the client raises no other
        return str(error)
    raise AssertionError("no error")


if __name__ == "__main__":
    main(*sys.argv[1:])
