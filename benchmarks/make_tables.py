"""Write forty tables of different kinds for tables.py: python benchmarks/make_tables.py FOLDER"""
# ruff: noqa: D103  # the names of the tables in TABLES say what they are

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn import datasets

Rng = np.random.Generator


def customers(n: int, rng: Rng, rate: float = 0.3) -> pd.DataFrame:
    """Numbers, categories, missing values and a binary target `churned` with this rate."""
    table = pd.DataFrame(
        {
            "plan": rng.choice(np.array(["basic", "plus", "pro", None]), n, p=[0.5, 0.3, 0.15, 0.05]),
            "region": rng.choice([f"region {k}" for k in range(12)], n),
            "age": rng.integers(18, 90, n),
            "usage": rng.lognormal(2, 1, n).round(2),
            "tickets": rng.poisson(1.2, n),
            "paperless": rng.choice(["yes", "no"], n),
        }
    )
    table.loc[rng.random(n) < 0.08, "usage"] = np.nan
    logit = table["tickets"] * 0.7 - (table["plan"] == "pro") * 1.5 - np.log(table["usage"].fillna(7)) * 0.6
    logit += (table["region"].str[-1].astype(int) % 3 == 0) * 0.8 + rng.logistic(size=n)
    return table.assign(churned=(logit > np.quantile(logit, 1 - rate)).astype(int))


def houses(n: int, rng: Rng) -> pd.DataFrame:
    """A regression with a skewed target `price`."""
    table = pd.DataFrame(
        {
            "area": rng.gamma(6, 20, n).round(1),
            "rooms": rng.integers(1, 9, n),
            "year_built": rng.integers(1880, 2024, n),
            "quarter": rng.choice(["north", "south", "east", "west", "centre"], n),
            "condition": rng.choice(["poor", "fair", "good", "new"], n),
        }
    )
    factor = table["quarter"].map({"north": 1.0, "south": 1.3, "east": 0.8, "west": 1.1, "centre": 2.0})
    price = table["area"] * 3000 * factor * (1 + (table["condition"] == "new") * 0.3)
    return table.assign(price=(price * rng.lognormal(0, 0.2, n)).round(-2))


def numbers(n: int, rng: Rng, n_columns: int = 10) -> pd.DataFrame:
    """Independent numbers."""
    return pd.DataFrame(rng.normal(size=(n, n_columns)), columns=[f"x{k}" for k in range(n_columns)])


def with_time(table: pd.DataFrame, rng: Rng, days: int = 400) -> pd.DataFrame:
    """The rows at random times within so many days, in order."""
    seconds = np.sort(rng.integers(0, days * 86400, len(table)))
    return table.assign(seen_at=pd.Timestamp("2023-01-01") + pd.to_timedelta(seconds, unit="s"))


def toy(name: str) -> Callable[[Rng], pd.DataFrame]:
    """A data set that scikit-learn brings along; its target is `target`."""

    def load(rng: Rng) -> pd.DataFrame:
        data = getattr(datasets, f"load_{name}")(as_frame=True)
        table: pd.DataFrame = data.frame
        return table.sample(frac=1, random_state=0) if len(table) else table

    return load


def linear_regression(rng: Rng) -> pd.DataFrame:
    table = numbers(2000, rng, 30)
    return table.assign(y=table.to_numpy() @ rng.normal(size=30) + rng.normal(scale=2, size=len(table)))


def exclusive_or(rng: Rng) -> pd.DataFrame:
    table = numbers(3000, rng, 6)
    return table.assign(y=np.where((table["x0"] > 0) ^ (table["x1"] > 0) ^ (rng.random(3000) < 0.1), "odd", "even"))


def noise(rng: Rng) -> pd.DataFrame:
    return numbers(1000, rng).assign(y=rng.integers(0, 2, 1000))


def wide(rng: Rng) -> pd.DataFrame:
    table = numbers(300, rng, 400)
    return table.assign(y=(table["x0"] + table["x1"] - table["x2"] + rng.normal(size=300) > 0).astype(int))


def counts(rng: Rng) -> pd.DataFrame:
    table = houses(8645, rng).drop(columns="price")
    rate = np.exp(1 + table["rooms"] * 0.25 + (table["quarter"] == "centre") * 0.5)
    return table.assign(visitors=rng.poisson(rate))


def stations(rng: Rng) -> pd.DataFrame:
    table = with_time(pd.DataFrame({"station": rng.choice([f"station {k}" for k in range(300)], 9000)}), rng)
    level = table["station"].str.split().str[1].astype(int) % 17
    hour = table["seen_at"].dt.hour
    return table.assign(temperature=rng.normal(12, 8, 9000), bikes=rng.poisson(3 + level / 3 + (abs(hour - 8) < 2) * 5))


def tenure(rng: Rng) -> pd.DataFrame:
    table = with_time(customers(4000, rng).drop(columns="churned"), rng)
    days = rng.integers(1, 1500, len(table))
    table["signup_date"] = (table["seen_at"] - pd.to_timedelta(days, unit="D")).dt.strftime("%d.%m.%Y")
    return table.assign(cancelled=np.where(rng.random(len(table)) < 1 / (1 + np.exp((days - 300) / 120)), "Yes", "No"))


def patients(rng: Rng) -> pd.DataFrame:
    person = np.repeat(np.arange(700), 2)
    base = rng.normal(size=(700, 3))[person]
    table = pd.DataFrame(base + rng.normal(scale=0.3, size=base.shape), columns=["pressure", "depth", "angle"])
    table["eye"] = np.tile(["left", "right"], 700)
    risk = table["pressure"] + table["depth"] * table["angle"] + rng.normal(scale=0.5, size=1400)
    return table.assign(patient_id=[f"P{k:05d}" for k in person], diseased=(risk > 0.5).astype(int))


def messy(rng: Rng) -> pd.DataFrame:
    table = customers(1500, rng)
    table["usage"] = table["usage"].map(lambda value: "" if np.isnan(value) else f"{value:.2f}".replace(".", ","))
    names = {
        "usage": "Nutzung (GB/Monat)",
        "age": "Alter  in Jahren",
        "region": 'Region "neu"',
        "tickets": "n[tickets]<5",
    }
    return table.rename(columns=names | {"churned": "Gekündigt?", "plan": "prediction", "paperless": "Größe = ja/nein"})


def letters(rng: Rng) -> pd.DataFrame:
    table, label = numbers(4000, rng, 8), rng.integers(0, 15, 4000)
    centres = rng.normal(scale=1.5, size=(15, 8))
    return (table + centres[label]).assign(letter=np.array(list("ABCDEFGHIJKLMNO"))[label])


def low_cardinality(rng: Rng) -> pd.DataFrame:
    table = pd.DataFrame({f"q{k}": rng.choice(["a", "b", "c"], 2500) for k in range(4)})
    score = (table == "a").sum(axis=1) + rng.normal(size=2500)
    return table.assign(passed=np.where(score > 2, "pass", "fail"))


def yes_no(rng: Rng) -> pd.DataFrame:
    table = customers(900, rng)
    return table.assign(churned=np.where(table["churned"] == 1, "Yes", "No"), vip=rng.random(900) < 0.2)


def drifting(rng: Rng) -> pd.DataFrame:
    table = with_time(houses(6000, rng), rng, 900)
    trend = 1 + (table["seen_at"] - table["seen_at"].min()) / pd.Timedelta(days=900)
    return table.assign(price=table["price"] * trend)


def scales(rng: Rng) -> pd.DataFrame:
    table = pd.DataFrame({"tiny": rng.lognormal(-20, 1, 1200), "huge": rng.normal(1e12, 1e11, 1200).round()})
    table["negative"] = -rng.gamma(2, 5, 1200)
    return table.assign(energy=np.log(table["tiny"]) * 3 + table["huge"] / 1e11 - table["negative"])


def sparse(rng: Rng) -> pd.DataFrame:
    table = numbers(2000, rng, 12)
    target = (table["x0"] + table["x1"] > 0).astype(int)
    return table.mask(rng.random(table.shape) < 0.6).assign(empty=np.nan, constant=7, y=target)


def ratings(rng: Rng) -> pd.DataFrame:
    table = houses(3000, rng)
    return table.assign(stars=pd.qcut(table["price"] * rng.lognormal(0, 0.5, 3000), 5, labels=False) + 1)


def copies(rng: Rng) -> pd.DataFrame:
    table = customers(700, rng)
    return pd.concat([table, table.sample(500, random_state=0, replace=True)], ignore_index=True)


def codes(rng: Rng) -> pd.DataFrame:
    table = pd.DataFrame({"postcode": [f"{k:05d}" for k in rng.choice(800, 6000)], "amount": rng.gamma(2, 40, 6000)})
    fraud = (table["postcode"].str[-1] == "7") * 0.25 + (table["amount"] > 200) * 0.2 + 0.01
    return table.assign(fraud=(rng.random(6000) < fraud).astype(int))


# name of the file, what makes it, options of kedro adopt
TABLES: list[tuple[str, Callable[[Rng], pd.DataFrame], dict[str, Any]]] = [
    ("iris.csv", toy("iris"), {"target": "target"}),
    ("wine.csv", toy("wine"), {"target": "target"}),
    ("breast_cancer.csv", toy("breast_cancer"), {"target": "target"}),
    ("diabetes.csv", toy("diabetes"), {"target": "target"}),
    ("digits.parquet", toy("digits"), {"target": "target"}),
    ("churn_300.csv", lambda rng: customers(300, rng), {"target": "churned"}),
    ("churn_5000.csv", lambda rng: customers(5000, rng), {"target": "churned"}),
    ("churn_50000.parquet", lambda rng: customers(50_000, rng), {"target": "churned"}),
    ("churn_rare.csv", lambda rng: customers(8000, rng, 0.03), {"target": "churned"}),
    ("churn_time.csv", lambda rng: with_time(customers(5000, rng), rng), {"target": "churned", "time": "seen_at"}),
    ("churn_time_300.csv", lambda rng: with_time(customers(300, rng), rng), {"target": "churned", "time": "seen_at"}),
    ("churn_untold_time.csv", lambda rng: with_time(customers(2000, rng), rng), {"target": "churned"}),
    ("yes_no.csv.gz", yes_no, {"target": "churned"}),
    ("tenure.csv", tenure, {"target": "cancelled", "time": "seen_at"}),
    ("tenure_random.csv", lambda rng: tenure(rng).drop(columns="seen_at"), {"target": "cancelled"}),
    ("houses_300.csv", lambda rng: houses(300, rng), {"target": "price"}),
    ("houses_5000.csv", lambda rng: houses(5000, rng), {"target": "price"}),
    ("houses_53940.parquet", lambda rng: houses(53_940, rng), {"target": "price"}),
    ("houses_time.csv", lambda rng: with_time(houses(5000, rng), rng), {"target": "price", "time": "seen_at"}),
    ("houses_numbers.csv", lambda rng: houses(2000, rng)[["area", "rooms", "price"]], {"target": "price"}),
    ("drifting.csv", drifting, {"target": "price", "time": "seen_at"}),
    ("counts.csv", counts, {"target": "visitors", "task": "regression"}),
    ("stations.csv", stations, {"target": "bikes", "task": "regression", "time": "seen_at"}),
    ("ratings.csv", ratings, {"target": "stars"}),
    ("ratings_number.csv", ratings, {"target": "stars", "task": "regression"}),
    ("patients.csv", patients, {"target": "diseased", "id": "patient_id"}),
    ("patients_untold.csv", patients, {"target": "diseased"}),
    ("messy.csv", messy, {"target": "Gekündigt?"}),
    ("letters.jsonl", letters, {"target": "letter"}),
    ("low_cardinality.csv", low_cardinality, {"target": "passed"}),
    ("linear.csv", linear_regression, {"target": "y"}),
    ("exclusive_or.tsv", exclusive_or, {"target": "y"}),
    ("noise.csv", noise, {"target": "y"}),
    ("wide.csv", wide, {"target": "y"}),
    ("scales.csv", scales, {"target": "energy"}),
    ("sparse.csv", sparse, {"target": "y"}),
    ("copies.csv", copies, {"target": "churned"}),
    ("codes.csv", codes, {"target": "fraud"}),
    ("tiny.csv", lambda rng: customers(110, rng, 0.5), {"target": "churned"}),
    ("too_few.csv", lambda rng: customers(60, rng), {"target": "churned"}),
]


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table in the format of its suffix; the messy one with semicolons and in Windows-1252."""
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    elif path.stem == "messy":
        table.to_csv(path, index=False, sep=";", encoding="cp1252")
    else:
        table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")


def main(folder: Path) -> None:
    """Write the tables and tables.yml."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, make, _) in enumerate(TABLES):
        write(make(np.random.default_rng(seed)), folder / name)
    entries = [{"file": name, **options} for name, _, options in TABLES]
    (folder / "tables.yml").write_text(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
