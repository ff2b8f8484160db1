"""The executor that runs tasks with Work Queue."""
