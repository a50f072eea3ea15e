"""Machine learning on tables as a Kedro plugin, from the contract of a table to the monitoring of its models.

Packages from the top; each may import those below it: commands; serving, adoption; gate; registry; monitoring;
evaluation; modelling; lineage; contract. Each exports its public names, and others import them from there.
"""
