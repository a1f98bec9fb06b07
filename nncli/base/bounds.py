"""The sizes of numbers that are multiplied, squared or added up before anything scales them.

So of the weights and the exposure of a row, of times to an event, and of the keys of a configuration. Products of two
such numbers, squares, and sums over the rows of a table then stay far from the largest float64, 1.8e308, and the
numbers themselves within float32. A number outside is a mistake or in a wrong unit: it is refused with its cell or key.
"""

from __future__ import annotations

LARGEST = 1e30
"""The largest weight, exposure, time to an event or value of a key."""
SMALLEST = 1e-30
"""The smallest exposure, and the least that the largest of some weights may be."""
