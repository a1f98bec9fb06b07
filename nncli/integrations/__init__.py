"""Export formats, trackers and a file format of this package, which nncli finds as those of other packages.

Each is a part that the entry points in pyproject.toml name. It imports `nncli.extend`, and nothing else of nncli.
"""
