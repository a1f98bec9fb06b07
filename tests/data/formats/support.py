"""Tables and file names for the tests of writers."""

from __future__ import annotations

import sys

import polars
from hypothesis import strategies as st

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

TEXT_NAMES = ["a.csv", "a.tsv", "a.txt", "a.csv.gz", "a.csv.zst", "a.tsv.BZ2", "a.txt.xz"]
TYPED_NAMES = ["a.parquet", "a.jsonl", "a.jsonl.gz", "a.arrow", "a.feather", "a.arrow.zst"]
NAMES = [*TEXT_NAMES, *TYPED_NAMES]
FRAME = polars.DataFrame({"n": [1, 2], "s": ["x", None]})

cells = st.one_of(st.none(), st.text(alphabet=st.sampled_from('ab0 ,;|\t"\n\r\ufeffé😀{'), max_size=6))


@st.composite
def texts(draw: st.DrawFn) -> polars.DataFrame:
    width = draw(st.integers(1, 3))
    names = draw(
        st.lists(st.text(alphabet='ab ,;|\t"\n\r\ufeff{é', min_size=1), min_size=width, max_size=width, unique=True)
    )
    rows = draw(st.lists(st.tuples(*[cells] * width), max_size=6))
    return polars.DataFrame(rows, schema=dict.fromkeys(names, polars.String), orient="row")
