"""The stand-in for Torque: PBS's qsub, and answers of its own."""
