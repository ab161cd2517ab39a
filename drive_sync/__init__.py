"""A folder of Google Drive and a folder of this machine, kept alike: not built yet, see the open issues."""
