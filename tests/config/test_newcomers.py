"""What people write who come from elsewhere: each message leads straight to the right form."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.config.loading import load_config
from nncli.errors import ConfigError

START = "data: {path: t.csv, target: y}\n"


def told(folder: Path, text: str) -> str:
    path = folder / "c.yaml"
    path.write_text(text if text.startswith("data") else START + text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).count("c.yaml") == 1, str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # a key of another section
        ("dropout: 0.2", "as in layers: [{type: dropout, rate: 0.2}]."),
        ("batch_norm: true", "as in layers: [batch_norm]."),
        ("units: 64", "as in layers: [{type: dense, units: 64}]."),
        ("target: y", "It belongs under 'data', as in data: {target: \"y\"}."),
        ("features: [a, b]", "as in data: {features: [a, b]}."),
        ("patience: 10", "as in early_stopping: {patience: 10}."),
        ("numeric: robust", "as in encoding: {numeric: robust}."),
        ("max_one_hot: 8", "as in encoding.categories: {max_one_hot: 8}."),
        ("normalize: true", "as in encoding: {numeric: …}."),
        ("momentum: 0.9", "as in optimizer: {type: sgd, momentum: 0.9}."),
        ("weight_decay: 0.1", "of type 'adamw' and 'lion', as in optimizer: {type: adamw, weight_decay: 0.1}."),
        ("optimizer: {type: adam, momentum: 0.9}", "as in optimizer: {type: sgd, momentum: 0.9}."),
        ("optimizer: {type: adam, learning_rate: 0.1}", "It belongs beside 'optimizer', not under it."),
        ("optimizer: {type: adam, lr: 0.1}", "did you mean 'learning_rate'?"),
        ("model: {layers: [3]}", "The keys in it stand at the top, not under 'model'."),
        # another word
        ("lr: 0.1", "did you mean 'learning_rate'?"),
        ("hidden_layers: [64]", "did you mean 'layers'?"),
        ("batchsize: 32", "did you mean 'batch_size'?"),
        ("random_state: 1", "did you mean 'seed'?"),
        ("data: {path: t.csv, label: y}", "did you mean 'target'?"),
        ("activation: ReLU", "did you mean 'relu'?"),
        ("optimizer: Adam", "did you mean 'adam'?"),
        ("loss: crossentropy", "did you mean 'cross_entropy'?"),
        ("loss: bce", "did you mean 'cross_entropy'?"),
        ("loss: MAE", "did you mean 'mae'?"),
        ("precision: double", "did you mean 'float64'?"),
        ("preset: fast", "Write quality: fast."),
        ("layers: [64, relu]", "It is a type of 'activation', as in activation: relu."),
        ("layers: [64, {type: dropout, p: 0.2}]", "did you mean 'rate'?"),
        # another form
        ("layers: 64", "Write layers: [64]."),
        ('layers: "64, 32"', "Write layers: [64, 32]."),
        ("layers: (64, relu)", "Write layers: [64, relu]."),
        ("layers: none", "Write layers: [] for none."),
        ("layers: {type: dense, units: 3}", "begin each item with a dash"),
        ("layers: [{units: 64}]", "Write {type: dense, units: 64}, say."),
        ("layers:\n- dense: 64", "Write {type: dense, units: 64}."),
        ("layers:\n- dropout:\n    rate: 0.2", "Write {type: dropout, rate: 0.2}."),
        ("layers: [4]\noptimizer: {name: adam, beta1: 0.1}", "Write type: adam instead of name: adam."),
        ("optimizer: sgd(momentum=0.9)", "Options stand beside the type: {type: sgd, …}."),
        ("early_stopping: 10", "Write early_stopping: {patience: 10}."),
        ("early_stopping: true", "Write early_stopping: {} for its defaults."),
        ("early_stopping: false", "Write early_stopping: null, or leave it out."),
        ("data: t.csv", "Write data: {path: t.csv, target: …}."),
        ("encoding: {clip_target: 'True'}", "Write clip_target: true."),
        ("encoding: {clip_target: no}", "Write clip_target: false."),
        ("epochs: '10'", "Write epochs: 10, without quotes."),
        ("epochs: 1e3", "Write epochs: 1000, without a decimal point or an exponent."),
        ("learning_rate: 0,1", "Write learning_rate: 0.1."),
        ("learning_rate: '0.1'", "Write learning_rate: 0.1, without quotes."),
        ("learning_rate: cosine", "Write learning_rate: {type: cosine, initial: …}."),
        ("validation: 20%", "Write validation: 0.2."),
        ("validation: 20", "A share is a part of 1: validation: 0.2 for 20 %."),
        ("metric: [accuracy]", "Write metric: accuracy."),
        ("data: {path: t.csv, target: [1]}", 'Write "1", in quotes.'),
        ("class_weight: {'a b: 1': '2'}", 'Write "a b: 1": 2, without quotes.'),
        ("output: 3", 'Write output: "3", in quotes.'),
    ],
)
def test_a_slip_leads_to_the_right_form(tmp_path: Path, text: str, words: str) -> None:
    assert words in told(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        'layers: "1e999 2"',
        "layers: '" + "9" * 5000 + "'",
        "epochs: '" + "9" * 5000 + "'",
        "validation: 1e999%",
        'optimizer: {"\\e[31m": adam}',
        'target: "\\e[31m"',
        "early_stopping: '" + "x" * 5000 + "'",
        "layers: [{" + ", ".join(f"k{n}: 1" for n in range(2000)) + "}]",
    ],
    ids=lambda text: text[:20],
)
def test_a_hostile_slip_is_told_in_few_harmless_words(tmp_path: Path, text: str) -> None:
    words = told(tmp_path, text)
    assert len(words) < 700
    assert "\x1b" not in words
