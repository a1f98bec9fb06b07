"""Other servers of the same work, in an environment that has them.

    python benchmarks/serve_peers.py mlflow-save RUN FOLDER     a run of nncli as a pyfunc model of MLflow
    python benchmarks/serve_peers.py mlflow FOLDER PORT         MLflow's own server of that model, one worker
    python benchmarks/serve_peers.py fastapi TABLE PORT         FastAPI around scikit-learn's Pipeline and MLPRegressor
    python benchmarks/serve_peers.py check                      whether all that they need is installed

The scikit-learn network has three layers of 256 units and sees each row once: how well it fits does not matter here.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

TARGET = "y"


def save_mlflow(run: Path, folder: Path) -> None:
    """A pyfunc model whose prediction is that of `nncli.load(run)`."""
    import mlflow
    import pandas as pd

    class RunModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def load_context(self, context: Any) -> None:
            import nncli

            self.model = nncli.load(context.artifacts["run"])

        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
            return pd.DataFrame(self.model.predict(model_input).to_dict(as_series=False))

    mlflow.pyfunc.save_model(folder, python_model=RunModel(), artifacts={"run": str(run)}, pip_requirements=[])


def serve_mlflow(folder: Path, port: int) -> None:
    """`mlflow models serve` in this environment."""
    from mlflow.cli import cli

    words = ["models", "serve", "-m", str(folder), "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    cli([*words, "--workers", "1"])


def serve_fastapi(table: Path, port: int) -> None:
    """The plain wrapper: a pydantic model of the row, a frame of one row, the pipeline."""
    import pandas as pd
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel, create_model
    from sklearn.compose import ColumnTransformer
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    data = pd.read_csv(table, nrows=2000)
    X, y = data.drop(columns=TARGET), data[TARGET]
    numbers = list(X.select_dtypes("number"))
    words = [name for name in X if name not in numbers]
    encode = ColumnTransformer(
        [("numbers", StandardScaler(), numbers), ("words", OneHotEncoder(handle_unknown="ignore"), words)]
    )
    pipeline = make_pipeline(encode, MLPRegressor(hidden_layer_sizes=(256, 256, 256), max_iter=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch does not converge
        pipeline.fit(X, y)
    fields: dict[str, Any] = {name: (float if name in numbers else str, ...) for name in X}
    app = FastAPI()

    def predict(row: BaseModel) -> dict[str, float]:
        return {"prediction": float(pipeline.predict(pd.DataFrame([row.model_dump()]))[0])}

    predict.__annotations__["row"] = create_model("Row", **fields)
    app.post("/predict")(predict)

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def check() -> None:
    """Import all of it."""
    import fastapi
    import mlflow.pyfunc
    import sklearn.neural_network
    import uvicorn

    import nncli

    versions = ((module.__name__, module.__version__) for module in (mlflow, fastapi, uvicorn, sklearn, nncli))
    print(", ".join(f"{name} {version}" for name, version in versions))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["check"]:
            check()
        case ["mlflow-save", run, folder]:
            save_mlflow(Path(run), Path(folder))
        case ["mlflow", folder, port]:
            serve_mlflow(Path(folder), int(port))
        case ["fastapi", table, port]:
            serve_fastapi(Path(table), int(port))
        case _:
            sys.exit(__doc__)
