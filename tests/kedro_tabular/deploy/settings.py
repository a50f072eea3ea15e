"""The settings that deploy/ ships."""

from ...conftest import ROOT

DEPLOY = ROOT / "deploy"


def read_settings() -> dict[str, str]:
    """The variables of the example of deploy/.env with their values."""
    lines = (DEPLOY / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
