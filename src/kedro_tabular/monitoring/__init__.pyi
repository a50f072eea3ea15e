from .alerts import decide_alerts
from .assessment import assess, observe
from .notification import AlertsDataset
from .profile import INPUT, OUTCOME
from .profiling import profile_reference
from .registered_versions import MonitoredVersionsDataset, ProfilesDataset
from .report import write_report
from .scored_rows import RowSelection, ScoredFileDataset, WindowSummary
from .window import Window

__all__ = [
    "INPUT",
    "OUTCOME",
    "AlertsDataset",
    "MonitoredVersionsDataset",
    "ProfilesDataset",
    "RowSelection",
    "ScoredFileDataset",
    "Window",
    "WindowSummary",
    "assess",
    "decide_alerts",
    "observe",
    "profile_reference",
    "write_report",
]
