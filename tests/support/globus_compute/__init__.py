"""Parts of Globus Compute for tests: its endpoint's engine, and a stand-in for its web service."""
