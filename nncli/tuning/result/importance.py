"""The importance of the parameters of a search, by Optuna's PED-ANOVA.

It compares how the values of the best trials are distributed with those of all: the more a parameter's differ, the more
it matters for being among the best. A conditional parameter counts by the trials that have it.
Sources: Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently quantifying hyperparameter importance in arbitrary
subspaces", 2023; for conditional parameters Baba, Ozaki and Watanabe, "Conditional PED-ANOVA: Hyperparameter importance
in hierarchical and dynamic search spaces", arXiv 2601.20800, 2026.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from nncli.base.spec import Spec
from nncli.tuning.sampler import distribution_of, without_logs
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials.objective import Objective
from nncli.tuning.trials.trials import Trial

TARGET_QUANTILE = 0.1
"""Quantile of the scores up to which trials count as the best ones."""
MIN_BEST = 5
"""Number of the best trials, at least."""
MIN_TRIALS = 2 * MIN_BEST


class ParameterImportance(Spec):
    """The importance of a parameter, a share of 1."""

    parameter: str
    importance: float


def compute_importance(
    trials: Sequence[Trial], space: SearchSpace, objective: Objective
) -> tuple[ParameterImportance, ...] | None:
    """The importance of each parameter, the largest first; None for fewer than ten trials with a score.

    A pruned trial counts by its estimate, and trial 0 if its values are in the space.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    distributions = {parameter.name: distribution_of(parameter.domain) for parameter in space.parameters}
    with without_logs():
        study = optuna.create_study()
        for trial in trials:
            score = trial.comparable_score
            values = trial.values if trial.number else space.base_values()
            if not values or score is None or not math.isfinite(score):
                continue
            own = {name: distributions[name] for name in values}
            study.add_trial(create_trial(params=dict(values), distributions=own, value=objective.loss_of(score)))
        scored = len(study.get_trials(deepcopy=False))
        if scored < MIN_TRIALS:
            return None
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(TARGET_QUANTILE, MIN_BEST / scored))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # a choice that hardly any trial made
            shares = get_param_importances(study, evaluator=evaluator)
    names = [parameter.name for parameter in space.parameters if parameter.name in shares]
    ranked = sorted(names, key=lambda name: -shares[name])
    return tuple(ParameterImportance(parameter=name, importance=float(shares[name])) for name in ranked)
