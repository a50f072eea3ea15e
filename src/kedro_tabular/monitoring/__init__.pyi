from .alerting import AlertsDataset
from .alerts import decide_alerts
from .assessment import assess, observe
from .monitored import MonitoredVersionsDataset, ProfilesDataset
from .profile import INPUT, OUTCOME
from .profiling import profile_reference
from .report import write_report
from .scored import Part, ScoredFileDataset, Window, WindowContents

__all__ = [
    "INPUT",
    "OUTCOME",
    "AlertsDataset",
    "MonitoredVersionsDataset",
    "Part",
    "ProfilesDataset",
    "ScoredFileDataset",
    "Window",
    "WindowContents",
    "assess",
    "decide_alerts",
    "observe",
    "profile_reference",
    "write_report",
]
