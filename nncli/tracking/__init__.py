"""Metrics of trainings for TensorBoard and MLflow, whose clients are imported here alone.

A tracker never stops a training: it has a thread and a bounded queue of its own. No room above api imports this one.
"""
