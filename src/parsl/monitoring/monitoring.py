"""Not available yet. The import fails with advice, whatever the script's year and options."""

raise ModuleNotFoundError(
    "MonitoringHub is not available in this version yet. Leave MonitoringHub and Config(monitoring=...) "
    "out, with all options: parsl.log, `parsl explain RUN` and dfk.task_state_counts show the state of a run"
)
