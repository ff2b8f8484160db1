"""What executors whose tasks run in another engine (Dask, Ray, a pool of processes, ...) have in common."""
