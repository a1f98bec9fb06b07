"""Metrics of trainings for TensorBoard and MLflow."""
