"""Features of your own. Each is a function of columns; `features.derived` in conf/ names the function and its columns.

The function gets the columns as arrays of shape (n_rows,) and returns one number per row. Numbers are float64 (NaN if
missing), date-times datetime64 (NaT if missing), categories objects (None if missing). A row's value must not depend
on other rows. Values that are not finite count as missing.
"""
