"""The usual plots of a classification and of a regression, as SVG text. Arguments are named as in `metrics`."""

import io
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pandas as pd
from sklearn import metrics as sk

from .metrics import bin_indices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = tuple[str, np.ndarray, np.ndarray]  # the label, and the binary y_true and y_prob, each (n_rows,)

_MODEL, _REFERENCE, _COMBINED = "#1f5fa8", "#9a9a9a", "#c2571a"
_GRID = np.linspace(0, 1, 201)
_MAX_CURVES = 8  # with more classes, the most frequent ones are drawn
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "plots",  # element ids, and so the files' bytes, are the same in every run
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
}
_styled = matplotlib.rc_context(_STYLE)  # a decorator


@_styled
def classification_plots(
    y_true: np.ndarray, probabilities: np.ndarray, classes: np.ndarray, n_bins: int, predicted: np.ndarray | None = None
) -> dict[str, str]:
    """ROC, precision-recall and calibration curves and the confusion matrix by name.

    `predicted` holds the predicted class of each row, (n_rows,); without it that is the most probable one.
    """
    if predicted is None:
        predicted = classes.take(probabilities.argmax(axis=1))
    columns = [1] if len(classes) == 2 else _most_frequent(y_true, classes)
    curves = [(str(classes[k]), y_true == classes[k], probabilities[:, k]) for k in columns]
    return {
        "roc_curve": _roc(curves),
        "precision_recall_curve": _precision_recall(curves),
        "calibration_curve": calibration_plot(curves, n_bins, "Class"),
        "confusion_matrix": _confusion(y_true, predicted, classes),
    }


@_styled
def regression_plots(y_true: np.ndarray, predicted: np.ndarray) -> dict[str, str]:
    """Predicted against true values, residuals against predicted values, and the distribution of the residuals."""
    residuals = y_true - predicted
    fit, axes = _canvas("True value", "Predicted value")
    axes.hexbin(y_true, predicted, gridsize=50, mincnt=1, bins="log", cmap="Blues")
    axes.axline((float(y_true.mean()), float(y_true.mean())), slope=1, color=_REFERENCE, linestyle="--")
    spread, axes = _canvas("Predicted value", "Residual (true minus predicted)")
    axes.hexbin(predicted, residuals, gridsize=50, mincnt=1, bins="log", cmap="Blues")
    axes.axhline(0, color=_REFERENCE, linestyle="--")
    distribution, axes = _canvas("Residual (true minus predicted)", "Rows")
    axes.hist(residuals, bins=60, color=_MODEL)
    figures = {"predicted_and_true": fit, "residuals": spread, "residual_distribution": distribution}
    return {name: _svg(figure) for name, figure in figures.items()}


@_styled
def calibration_plot(curves: list[Curve], n_bins: int, title: str) -> str:
    """Calibration curves of several classes or models, with the title of their legend."""
    figure, axes = _canvas("Mean predicted probability", "Observed frequency")
    axes.plot([0, 1], [0, 1], color=_REFERENCE, linestyle="--", label="perfect calibration")
    for label, y_true, y_prob in curves:
        bins = bin_indices(y_prob, n_bins)
        rows = np.bincount(bins, minlength=n_bins)
        filled = rows > 0
        mean, frequency = (
            np.bincount(bins, weights=values, minlength=n_bins)[filled] / rows[filled] for values in (y_prob, y_true)
        )
        axes.plot(mean, frequency, marker="o", markersize=4, label=label)
    axes.legend(title=title, loc="upper left", frameon=False)
    return _svg(figure)


@_styled
def risk_coverage_plot(confidence: np.ndarray, model: np.ndarray, fallback: np.ndarray) -> str:
    """The error rate if the model predicts only its most confident rows, and the fallback the others.

    See El-Yaniv and Wiener 2010, https://www.jmlr.org/papers/v11/el-yaniv10a.html. `confidence` is the model's, shape
    (n_rows,); `model` and `fallback` are 1 where their prediction is correct, else 0.
    """
    order = np.argsort(-confidence, kind="stable")
    rows = np.arange(1, len(order) + 1)
    errors, fallback_errors = np.cumsum(1 - model[order]), (1 - fallback[order])[::-1].cumsum()[::-1]
    combined = (errors + np.append(fallback_errors[1:], 0)) / len(order)
    coverage = rows / len(order)
    figure, axes = _canvas("Share of rows predicted by the model, most confident first", "Error rate")
    axes.plot(_GRID, np.interp(_GRID, coverage, errors / rows), color=_MODEL, label="model on these rows")
    label = "model and fallback combined on all rows"
    axes.plot(_GRID, np.interp(_GRID, coverage, combined), color=_COMBINED, label=label)
    axes.legend(loc="best", frameon=False)
    return _svg(figure)


@_styled
def interval_coverage_plot(y_true: np.ndarray, predicted: np.ndarray, half_width: float) -> str:
    """The empirical coverage of the prediction interval in ten groups of rows, ordered by the prediction."""
    order = np.argsort(predicted, kind="stable")
    groups = [group for group in np.array_split(order, 10) if len(group)]
    covered = np.abs(y_true - predicted) <= half_width
    figure, axes = _canvas("Mean predicted value", "Empirical coverage of the interval")
    mean = [float(predicted[group].mean()) for group in groups]
    axes.plot(mean, [float(covered[group].mean()) for group in groups], color=_MODEL, marker="o")
    axes.axhline(float(covered.mean()), color=_REFERENCE, linestyle="--", label="all rows")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="best", frameon=False)
    return _svg(figure)


@_styled
def importance_plot(importance: pd.DataFrame, score: str) -> str:
    """Bars of the permutation importance, as `compute_importance` returns it, largest first."""
    ordered = importance.sort_values("mean")
    figure, axes = _canvas(f"Decrease in {score} when the column is permuted", "")
    figure.set_size_inches(5, max(2.0, 0.24 * len(ordered) + 0.8))
    axes.barh(ordered.index, ordered["mean"], xerr=ordered["std"], color=_MODEL, ecolor=_REFERENCE)
    axes.grid(visible=False, axis="y")
    return _svg(figure)


def _most_frequent(y_true: np.ndarray, classes: np.ndarray) -> list[int]:
    counts = np.array([(y_true == label).sum() for label in classes])
    order = np.argsort(counts, kind="stable")[::-1][:_MAX_CURVES]
    return sorted(order[counts[order] > 0].tolist())  # a class without rows has no curve


def _roc(curves: list[Curve]) -> str:
    figure, axes = _canvas("False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=_REFERENCE, linestyle="--", label="chance")
    for label, y_true, y_prob in curves:
        false_rate, true_rate, _ = sk.roc_curve(y_true, y_prob)
        auc = sk.auc(false_rate, true_rate)
        axes.plot(_GRID, np.interp(_GRID, false_rate, true_rate), label=f"{label}: AUC {auc:.3f}")
    axes.legend(title="Class", loc="lower right", frameon=False)
    return _svg(figure)


def _precision_recall(curves: list[Curve]) -> str:
    figure, axes = _canvas("Recall", "Precision")
    for label, y_true, y_prob in curves:
        precision, recall, _ = sk.precision_recall_curve(y_true, y_prob)
        area = sk.average_precision_score(y_true, y_prob)
        line = axes.plot(_GRID, np.interp(_GRID, recall[::-1], precision[::-1]), label=f"{label}: {area:.3f}")
        axes.axhline(y_true.mean(), color=line[0].get_color(), linestyle="--", linewidth=0.8)
    axes.set_ylim(0, 1)
    axes.legend(title="Class: average precision (dashed: base rate)", frameon=False)
    return _svg(figure)


def _confusion(y_true: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> str:
    counts = sk.confusion_matrix(y_true, predicted, labels=classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _canvas("Predicted class", "True class")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    labels = [str(label) for label in classes]
    axes.set_xticks(range(len(labels)), labels, rotation=90 if len(labels) > _MAX_CURVES else 0)
    axes.set_yticks(range(len(labels)), labels)
    if len(labels) <= _MAX_CURVES:
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            color = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{count:,}\n{share:.0%}", ha="center", va="center", color=color)
    return _svg(figure)


def _canvas(x_label: str, y_label: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure  # it takes half a second: only those who draw wait for it

    # A Figure without pyplot needs no window system and no closing.
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x_label, ylabel=y_label)
    return figure, axes


def _svg(figure: "Figure") -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
