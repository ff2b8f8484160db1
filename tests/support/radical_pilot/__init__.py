"""Tests of RadicalPilotExecutor that pytest runs in the environment of RADICAL-Pilot."""
