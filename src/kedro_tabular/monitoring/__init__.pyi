from .alerts import decide_alerts
from .assessment import assess, observe
from .model_alerts import decide_model_alerts
from .model_status import ALERT, ModelStatus, Span, rows_a_day, span_of
from .models_page import Volume, write_models_page
from .notification import AlertsDataset
from .profile import INPUT, OUTCOME
from .profiling import profile_reference
from .registered_versions import MonitoredVersionsDataset, ProfilesDataset
from .report import write_report
from .scored_rows import RowSelection, ScoredFileDataset, WindowSummary
from .settings import ModelsReport
from .window import Window

__all__ = [
    "ALERT",
    "INPUT",
    "OUTCOME",
    "AlertsDataset",
    "ModelStatus",
    "ModelsReport",
    "MonitoredVersionsDataset",
    "ProfilesDataset",
    "RowSelection",
    "ScoredFileDataset",
    "Span",
    "Volume",
    "Window",
    "WindowSummary",
    "assess",
    "decide_alerts",
    "decide_model_alerts",
    "observe",
    "profile_reference",
    "rows_a_day",
    "span_of",
    "write_models_page",
    "write_report",
]
