"""Notes on many files are few."""

from __future__ import annotations

from nncli.api.predict_files import MAX_NOTES, common_notes


def test_a_note_of_several_files_is_one() -> None:
    notes = [(f"{i}.csv", (f"{i}.csv: in latin-1", f"{i}.csv: line {i}")) for i in range(MAX_NOTES + 2)]
    lines = list(common_notes(notes))
    assert lines[0] == "0.csv: in latin-1 (and 6 more files)"
    assert lines[1] == "0.csv: line 0"
    assert len(lines) == MAX_NOTES + 1
    assert "3 files" in lines[-1]
