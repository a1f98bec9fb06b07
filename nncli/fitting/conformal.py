"""The calibration of a run for prediction intervals and sets."""

from __future__ import annotations

from nncli.base.errors import Advice, DataError, UseOption
from nncli.base.scratch import Scratch
from nncli.base.text import quote
from nncli.data.dialect import CsvDialect
from nncli.data.table import Table
from nncli.models.conformal.groups import RowGroups
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import AnyModel
from nncli.models.held_out_rows import HeldOutRows
from nncli.run_directory.run import Run
from nncli.run_directory.saved_decision import calibration_rows


def conformal_predictor(run: Run, model: AnyModel, options: UncertaintyOptions) -> ConformalPredictor | None:
    """The model of a run, calibrated for the levels of the options; None without levels.

    Raises:
        UsageError: the options do not fit the model, or there are too few held-out rows for a level.
        RunError: the run keeps no held-out rows.
        DataError: the column of the groups cannot be read from the table that the run was trained on.
    """
    options.check(model.spec.target)
    if not options.levels:
        return None
    rows = calibration_rows(run)
    if options.by is None:
        return ConformalPredictor.of(model, rows, options)
    column = held_out_column(run, rows, options.by, model.spec.dialect)
    return ConformalPredictor.of(model, rows, options, RowGroups.of(column, options.by))


def target_predictors(run: Run, options: UncertaintyOptions) -> dict[str, tuple[AnyModel, ConformalPredictor | None]]:
    """The model of each of several targets, calibrated for the levels of the options that fit it.

    Raises:
        UsageError: an option fits no target, or there are too few held-out rows for a level.
        RunError: a run is damaged, or keeps no held-out rows.
    """
    models = {name: (of_target, of_target.load_model()) for name, of_target in run.targets.items()}
    options.check_any([model.spec.target for _, model in models.values()])
    return {
        name: (model, conformal_predictor(of_target, model, options.of_target(model.spec.target)))
        for name, (of_target, model) in models.items()
    }


def held_out_column(run: Run, rows: HeldOutRows, name: str, dialect: CsvDialect) -> Table:
    """A column of the held-out rows, from the table that the run was trained on, which has this dialect.

    Raises:
        RunError: the configuration of the run was changed.
        DataError: the table has changed, is missing, was read from a pipe, or has no such column.
    """
    # Of all predictions only those with intervals by group read the table that the run was trained on.
    from nncli.fitting.prepare.load import load_numbered_rows, table_copies
    from nncli.fitting.train.provenance import check_config_unchanged, check_tables_unchanged

    manifest = run.load_manifest()
    config = check_config_unchanged(run, manifest, ())
    with table_copies(config, again=True), Scratch() as scratch:
        try:
            check_tables_unchanged(config, manifest)
        except DataError as error:
            raise DataError(
                f"the groups of {quote(name)} cannot be read from the training table: {error.message}",
                location=error.location,
                hint=Advice("Restore the table, or leave out ", UseOption("by", "by"), "."),
            ) from error
        return load_numbered_rows(config, rows.row_numbers, dialect, scratch).columns([name])
