"""The database of monitoring: its tables, the rows that an event log becomes, and where rows are stored.

``schema`` and ``sql`` describe the tables, ``rows`` is the pure mapping, ``sqlite`` and ``server`` store,
``filling`` connects an event log with a store.
"""
