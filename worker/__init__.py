"""The Celery worker: loads models, claims tasks, computes predictions, keeps leases, reaps."""
