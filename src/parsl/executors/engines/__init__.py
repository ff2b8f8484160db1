"""What executors have in common whose tasks run in another engine: Dask, Ray, a pool of processes, ..."""
