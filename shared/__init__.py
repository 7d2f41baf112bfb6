"""What the API and the worker must agree on: tasks, the ledger, messages, the model contract, settings."""
