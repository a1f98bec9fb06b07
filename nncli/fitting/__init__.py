"""From a configuration to a run: checks, preparation, training, ensembles, parallel tasks, time limits.

Validation rows change neither an encoder nor a weight. A training that was stopped or killed and is resumed ends in
the bits of one that never stopped, on any number of workers.
"""
