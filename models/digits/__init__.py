"""The model `digits`."""
