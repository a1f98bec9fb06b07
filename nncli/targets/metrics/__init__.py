"""Classification and regression metrics, ROC curves, calibration, bootstrap and significance tests."""
