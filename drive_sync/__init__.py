"""A folder of Google Drive and a folder of this machine, kept alike in both directions: `python -m drive_sync --help`.

`plan` decides, and touches nothing; `drive` speaks to Google; `mirror` does what was decided.
"""
