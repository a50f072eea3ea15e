"""The plots people expect of a classification and of a regression, as SVG text."""

import io
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics as sk

from .metrics import bins_of

_MODEL, _REFERENCE = "#1f5fa8", "#9a9a9a"
_GRID = np.linspace(0, 1, 201)
_MOST_CURVES = 8  # classes drawn one by one; of more, the most frequent ones
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "plots",  # element ids, and so the files' bytes, are the same in every run
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
}


def classification_plots(
    truth: np.ndarray, probabilities: np.ndarray, classes: np.ndarray, n_bins: int
) -> dict[str, str]:
    """ROC, precision-recall and calibration curves and the confusion matrix, by name.

    Arguments are those of `classification_metrics`.
    """
    shown = [1] if len(classes) == 2 else _most_frequent(truth, classes)
    curves = [(str(classes[k]), truth == classes[k], probabilities[:, k]) for k in shown]
    with matplotlib.rc_context(_STYLE):
        return {
            "roc_curve": _roc(curves),
            "precision_recall_curve": _precision_recall(curves),
            "calibration_curve": _calibration(curves, n_bins, "Class"),
            "confusion_matrix": _confusion(truth, classes.take(probabilities.argmax(axis=1)), classes),
        }


def regression_plots(truth: np.ndarray, predicted: np.ndarray) -> dict[str, str]:
    """Predictions against the truth, residuals against predictions, and the residuals' distribution."""
    residuals = truth - predicted
    with matplotlib.rc_context(_STYLE):
        fitted, axes = _canvas("True value", "Predicted value")
        axes.hexbin(truth, predicted, gridsize=50, mincnt=1, bins="log", cmap="Blues")
        axes.axline((float(truth.mean()), float(truth.mean())), slope=1, color=_REFERENCE, linestyle="--")
        spread, axes = _canvas("Predicted value", "Residual (true minus predicted)")
        axes.hexbin(predicted, residuals, gridsize=50, mincnt=1, bins="log", cmap="Blues")
        axes.axhline(0, color=_REFERENCE, linestyle="--")
        distribution, axes = _canvas("Residual (true minus predicted)", "Rows")
        axes.hist(residuals, bins=60, color=_MODEL)
        return {
            "predicted_and_true": _svg(fitted),
            "residuals": _svg(spread),
            "residual_distribution": _svg(distribution),
        }


def calibration_overlay(curves: list[tuple[str, np.ndarray, np.ndarray]], n_bins: int) -> str:
    """The calibration curves of several models in one plot.

    Args:
        curves: of each model its name, whether each row is of the class, and the probability that it is.
        n_bins: bins of equal width.
    """
    with matplotlib.rc_context(_STYLE):
        return _calibration(curves, n_bins, "Model")


def risk_coverage(confidence: np.ndarray, model: np.ndarray, fallback: np.ndarray) -> str:
    """The share of wrong answers when only the surest rows are left to the model.

    See El-Yaniv and Wiener 2010, https://www.jmlr.org/papers/v11/el-yaniv10a.html.

    Args:
        confidence: of the model in each row, shape (n_rows,).
        model: whether it answers the row rightly, 1 or 0.
        fallback: whether the fallback does.
    """
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    wrong, wrong_else = np.cumsum(1 - model[order]), (1 - fallback[order])[::-1].cumsum()[::-1]
    both = (wrong + np.append(wrong_else[1:], 0)) / len(order)
    share = answered / len(order)
    with matplotlib.rc_context(_STYLE):
        figure, axes = _canvas("Share of rows left to the model, the surest first", "Share of wrong answers")
        axes.plot(_GRID, np.interp(_GRID, share, wrong / answered), color=_MODEL, label="model on its rows")
        label = "all rows, with the fallback on the others"
        axes.plot(_GRID, np.interp(_GRID, share, both), color="#c2571a", label=label)
        axes.legend(loc="best", frameon=False)
        return _svg(figure)


def interval_coverage(truth: np.ndarray, predicted: np.ndarray, limit: float) -> str:
    """How often the truth is within `limit` of the prediction, in ten parts along the prediction."""
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, 10) if len(part)]
    inside = np.abs(truth - predicted) <= limit
    with matplotlib.rc_context(_STYLE):
        figure, axes = _canvas("Predicted value", "Share of rows inside the interval")
        middle = [float(predicted[part].mean()) for part in parts]
        axes.plot(middle, [float(inside[part].mean()) for part in parts], color=_MODEL, marker="o")
        axes.axhline(float(inside.mean()), color=_REFERENCE, linestyle="--", label="all rows")
        axes.set_ylim(0, 1.02)
        axes.legend(loc="best", frameon=False)
        return _svg(figure)


def importance_plot(importance: pd.DataFrame, score: str) -> str:
    """Bars of permutation importance with the standard deviation over repeats, largest first.

    Args:
        importance: index column name; columns `mean` and `std`, in units of the score.
        score: what the importance is measured in.
    """
    ordered = importance.sort_values("mean")
    with matplotlib.rc_context(_STYLE):
        figure, axes = _canvas(f"Drop of {score} when the column is shuffled", "")
        figure.set_size_inches(5, max(2.0, 0.24 * len(ordered) + 0.8))
        axes.barh(ordered.index, ordered["mean"], xerr=ordered["std"], color=_MODEL, ecolor=_REFERENCE)
        axes.grid(visible=False, axis="y")
        return _svg(figure)


def _most_frequent(truth: np.ndarray, classes: np.ndarray) -> list[int]:
    counts = np.array([(truth == label).sum() for label in classes])
    order = np.argsort(counts, kind="stable")[::-1][:_MOST_CURVES]
    return sorted(order[counts[order] > 0].tolist())  # of a class that is not there is no curve


def _roc(curves: list[tuple[str, np.ndarray, np.ndarray]]) -> str:
    figure, axes = _canvas("False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=_REFERENCE, linestyle="--", label="chance")
    for label, hits, probability in curves:
        false_rate, true_rate, _ = sk.roc_curve(hits, probability)
        area = sk.auc(false_rate, true_rate)
        axes.plot(_GRID, np.interp(_GRID, false_rate, true_rate), label=f"{label}: area {area:.3f}")
    axes.legend(title="Class", loc="lower right", frameon=False)
    return _svg(figure)


def _precision_recall(curves: list[tuple[str, np.ndarray, np.ndarray]]) -> str:
    figure, axes = _canvas("Recall", "Precision")
    for label, hits, probability in curves:
        precision, recall, _ = sk.precision_recall_curve(hits, probability)
        area = sk.average_precision_score(hits, probability)
        line = axes.plot(_GRID, np.interp(_GRID, recall[::-1], precision[::-1]), label=f"{label}: {area:.3f}")
        axes.axhline(hits.mean(), color=line[0].get_color(), linestyle="--", linewidth=0.8)
    axes.set_ylim(0, 1)
    axes.legend(title="Class: average precision (dashed: base rate)", frameon=False)
    return _svg(figure)


def _calibration(curves: list[tuple[str, np.ndarray, np.ndarray]], n_bins: int, title: str) -> str:
    figure, axes = _canvas("Mean predicted probability", "Observed frequency")
    axes.plot([0, 1], [0, 1], color=_REFERENCE, linestyle="--", label="perfect")
    for label, hits, probability in curves:
        bins = bins_of(probability, n_bins)
        rows = np.bincount(bins, minlength=n_bins)
        filled = rows > 0
        means = np.bincount(bins, weights=probability, minlength=n_bins)[filled] / rows[filled]
        frequency = np.bincount(bins, weights=hits, minlength=n_bins)[filled] / rows[filled]
        axes.plot(means, frequency, marker="o", markersize=4, label=label)
    axes.legend(title=title, loc="upper left", frameon=False)
    return _svg(figure)


def _confusion(truth: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> str:
    counts = sk.confusion_matrix(truth, predicted, labels=classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _canvas("Predicted class", "True class")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    labels = [str(label) for label in classes]
    axes.set_xticks(range(len(labels)), labels, rotation=90 if len(labels) > _MOST_CURVES else 0)
    axes.set_yticks(range(len(labels)), labels)
    if len(labels) <= _MOST_CURVES:
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{count:,}\n{share:.0%}", ha="center", va="center", color=colour)
    return _svg(figure)


def _canvas(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    # Figure without pyplot: no window system, and nothing to close.
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x_label, ylabel=y_label)
    return figure, axes


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
