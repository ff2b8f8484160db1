"""Data that every layer names: states, errors, files, futures. It imports only the ground."""
