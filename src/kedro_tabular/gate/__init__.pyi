from .comparison import compare_models, compare_with_pooled
from .packaging import measure_cost, package_model
from .report import write_report
from .rules import apply_rules

__all__ = ["apply_rules", "compare_models", "compare_with_pooled", "measure_cost", "package_model", "write_report"]
