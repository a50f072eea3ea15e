"""`python -m <package>` runs `kedro run` without importing the commands of plugins, which takes seconds."""

from pathlib import Path

from kedro.framework.project import configure_project
from kedro_tabular.commands import run


def main() -> None:
    """Run the command line of `kedro run`."""
    configure_project(Path(__file__).parent.name)
    run()


if __name__ == "__main__":
    main()
