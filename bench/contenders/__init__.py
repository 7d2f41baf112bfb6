"""Who takes part, one module each, all described by the same few words."""
