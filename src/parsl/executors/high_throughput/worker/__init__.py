"""The worker, and the fork server that starts and reaps it."""
