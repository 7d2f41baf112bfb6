"""HTTP in, HTTP out: routes, documents, the error table."""
