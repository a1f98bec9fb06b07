"""Metrics of trainings for trackers, such as TensorBoard and MLflow, which are parts of nncli/integrations.

A tracker never stops a training: it has a thread and a bounded queue of its own. No room above api imports this one.
"""
