"""Ready configurations, a module for each machine."""
