"""Prediction intervals and sets: a trained model, calibrated by the rows that it did not train on."""
