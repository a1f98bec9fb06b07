"""The run directory: its only writer and reader, with the profile of the training rows.

Files are data, never code. The manifest, with the checksums of all files, is written last; a directory without it is
no run. What any version since 0.2.0 wrote is read and predicts the same bits.
"""
