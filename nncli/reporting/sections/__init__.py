"""The sections of a report, one file for each: what is known of a run in, a `Section` out, or None."""
