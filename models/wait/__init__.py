"""The model `wait`."""
