"""`python src/<package>` runs `kedro run` without importing the commands of plugins, which takes seconds."""

import sys
from pathlib import Path


def main() -> None:
    """Run the command line of `kedro run` with the code of this folder, even if another one is installed."""
    package = Path(__file__).resolve().parent
    sys.path[:] = [str(package.parent), *(path for path in sys.path if Path(path).resolve() != package)]
    from kedro.framework.project import configure_project
    from kedro_tabular.commands import run

    configure_project(package.name)
    run()


if __name__ == "__main__":
    main()
