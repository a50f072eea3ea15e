"""Features of your own, each a function of some columns: `features.derived` in conf/ names it and them.

It gets the columns as arrays of shape (n_rows,) and returns one number a row. Numbers come as float64 (NaN
where missing), date-times as datetime64 (NaT), categories as objects (None). A row's value must not depend on
other rows. What is no finite number counts as missing.
"""
