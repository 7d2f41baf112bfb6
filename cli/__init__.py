"""The `penstock` command: runs the parts of an installation, and is a first client of one."""
