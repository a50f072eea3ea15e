"""Reports as HTML from Jinja templates."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader


def render(template: Path, **values: Any) -> str:
    """Render a template.

    The filters `fixed` (four decimals), `signed`, `percent` and `count` format numbers; None becomes empty.
    """
    loader = FileSystemLoader(template.parent)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    formats = {"fixed": "{:.4f}", "signed": "{:+.4f}", "percent": "{:.1%}", "count": "{:,}"}
    for name, text in formats.items():
        environment.filters[name] = lambda value, text=text: "" if value is None else text.format(value)
    return environment.get_template(template.name).render(**values)
