"""Aliases of keys and values: earlier spellings and the names that other libraries use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from nncli.base.text import closest_match

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        # keys
        "layers": "hidden_layers hidden_layer_sizes hidden_sizes hidden_units hidden architecture network",
        "activation": "nonlinearity act_fn activation_function hidden_activation",
        "output_activation": "final_activation last_activation",
        "learning_rate": "lr eta step_size learning_rate_init base_lr scheduler lr_scheduler schedule lr_schedule",
        "batch_size": "bs mini_batch minibatch_size",
        "epochs": "epoch n_epochs num_epochs max_epochs max_iter iterations n_iter nb_epoch",
        "loss": "criterion loss_function loss_fn objective cost",
        "metric": "metrics scoring monitor eval_metric",
        "optimizer": "solver optim optimiser algorithm",
        "seed": "random_state random_seed rng_seed",
        "validation": "test_size test_split val_split validation_split validation_fraction val_size val valid",
        "early_stopping": "early_stop patience_epochs",
        "l2": "alpha weight_decay ridge l2_regularization regularization reg_lambda",
        "l1": "lasso l1_regularization reg_alpha",
        "clip_norm": "grad_clip gradient_clipping max_grad_norm",
        "init": "initializer kernel_initializer weight_init initialization",
        "precision": "dtype",
        "members": "ensemble n_estimators n_members ensemble_size",
        "workers": "n_jobs num_workers",
        "output": "output_dir out_dir run_dir save_dir",
        "class_weight": "class_weights",
        "path": "file filename csv source table dataset train data_path",
        "target": "label labels y y_column outcome response target_column targets",
        "features": "x inputs columns_used feature_columns",
        "drop": "ignore exclude skip drop_columns",
        "sample_weight": "weight weights sample_weights",
        "group": "groups",
        "missing_values": "missing na_values null_values",
        "separator": "sep delimiter",
        "columns": "categorical dtypes kinds types",
        "numeric": "normalize normalization scaling scaler standardize",
        "type": "name kind class",
        "parametrization": "parametrisation",
        "embedding_init_std": "embedding_std",
        "best_epoch_tie": "best_epoch",
        "max_one_hot": "one_hot one_hot_max_size",
        "max_text_features": "text_width max_features",
        "param_groups": "groups",
        "pct_start": "rise",
        "warmup_steps": "warmup",
        "lr_multiplier": "rate lr_mult",
        "weight_decay_multiplier": "decay",
        "units": "size width neurons nodes out_features hidden_size",
        "rate": "p prob probability dropout",
        "beta1": "betas b1",
        "beta2": "b2",
        "epsilon": "eps",
        "min_delta": "delta tol",
        "initial": "start base max_lr",
        "fold": "index",
        "folds": "n_splits k cv",
        "from": "min low lower minimum lowest",
        "to": "max high upper maximum highest",
        "choices": "values options one_of",
        # values
        "halve_learning_rate": "halve_rate",
        "parametric_activation": "parametric prelu",
        "data_dependent": "data lsuv",
        "sign": "signs",
        "one_hot": "indicators indicator dummy",
        "cross_entropy": "bce binary_cross_entropy categorical_cross_entropy sparse_categorical_cross_entropy nll "
        "log_loss logistic",
        "mse": "mean_squared_error squared_error l2 rmse",
        "mae": "mean_absolute_error absolute_error l1",
        "huber": "smooth_l1",
        "quantile": "pinball",
        "hinge": "svm",
        "silu": "swish",
        "identity": "linear none",
        "sigmoid": "logistic",
        "dense": "linear fully_connected fc hidden",
        "batch_norm": "batch_normalization bn",
        "layer_norm": "layer_normalization ln",
        "residual": "skip resnet",
        "glorot": "xavier",
        "glorot_uniform": "xavier_uniform",
        "glorot_normal": "xavier_normal",
        "he": "kaiming",
        "he_uniform": "kaiming_uniform",
        "he_normal": "kaiming_normal",
        "sgd": "gd gradient_descent momentum",
        "cosine": "cosine_annealing cosine_decay",
        "reduce_on_plateau": "plateau",
        "exponential": "exponential_decay",
        "float64": "double",
        "float32": "single float",
        "full": "all",
        "standard": "zscore standardize",
        "min_max": "normalize",
        "best": "high good",
        "textbook": "plain default",
    }
)
"""The aliases of each key and value. A word may be an alias of several; only one of them is valid at a location."""


def normalized(word: str) -> str:
    """`word` in lower case without separators."""
    return re.sub(r"[\s_.-]", "", word).lower()


_BY_ALIAS: dict[str, list[str]] = {}
for _word, _aliases in ALIASES.items():
    for _alias in _aliases.split():
        _BY_ALIAS.setdefault(normalized(_alias), []).append(_word)


def same_spelling(word: str, known: Iterable[str]) -> str | None:
    """The known word that differs from `word` only in capitals and separators."""
    return next((other for other in known if normalized(other) == normalized(word)), None)


def aliases_of(word: str) -> Sequence[str]:
    """The keys and values that `word` is an alias of."""
    return _BY_ALIAS.get(normalized(word), ())


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be; None if no word is similar."""
    words = list(known)
    named = (other for other in aliases_of(word) if other in words)
    return same_spelling(word, words) or next(named, None) or closest_match(word, words)
