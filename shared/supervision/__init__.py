"""Supervision: keeping processes running, for whoever starts some: `penstock up`, and an API of several processes."""
