"""What a model predicts: the kind of target, its decision, and the metrics of predictions.

Metrics are pure functions of labels, predictions and weights. A class that is the same in two tables has the same
label, and predictions are in the units of the target.
"""
