from .comparison import compare_models
from .packaging import measure_cost, package_model
from .report import write_report
from .rules import judge

__all__ = ["compare_models", "judge", "measure_cost", "package_model", "write_report"]
