"""From which effect and which p-value on a difference is drift; without imports, for the help of the command line."""

LIMIT = 0.05
"""The population stability index beyond its expectation from which a difference is drift.

A normal variable that moves by 0.3 standard deviations has 0.09; 0.1 is often called moderate, and 0.25 large.
"""
SIGNIFICANCE = 0.05
"""The probability that any of the tests of the same rows finds drift where there is none, at most."""
VALIDITY = "under covariate shift: P(class | features) unchanged"
"""When scores that are estimated without labels are valid."""
