"""Model inspection: permutation importance, partial dependence and integrated gradients."""
