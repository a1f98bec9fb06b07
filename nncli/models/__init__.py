"""What has been learned: a model or an ensemble, its predictions, their scores, intervals and sets.

A prediction depends on its row alone, to the bit, whatever the other rows of a call are. A model in memory does not
change; threads may predict at the same time.
"""
