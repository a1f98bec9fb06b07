"""Questions to a run: scores, explanations, comparisons, drift, reproduction, and the report.

Every number is of the predictions that it names, and the same thing has the same number everywhere. Matplotlib and
Jinja are imported in report/ alone, but for the charts of a search.
"""
