"""Libraries that are not as the lock file says: real distributions in folders of their own."""

import json
import sys

import pytest
from kedro_tabular.lineage.environment import describe_environment, find_unlocked, is_installed, read_lock


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose lock file has `boosted` and what it requires, and a folder where these are installed."""
    (tmp_path / "requirements.lock").write_text(
        "boosted==2.0 \\\n    --hash=sha256:00\n"
        "trees-core==1.5 ; sys_platform != 'no-such-platform' \\\n    --hash=sha256:00\n"
        "trees-core==9.9 ; sys_platform == 'no-such-platform' \\\n    --hash=sha256:00\n"
    )
    installed = tmp_path / "installed"
    monkeypatch.syspath_prepend(installed)
    install(installed, "boosted", "2.0", "Trees.Core>=1", "absent; sys_platform == 'no-such-platform'", "not-there")
    install(installed, "Trees_Core", "1.5")
    install(installed, "unrelated", "1.0")
    return tmp_path


def install(folder, name, version, *requires, url=None):
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in requires)]
    (metadata / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines]) + "\n")
    if url:
        (metadata / "direct_url.json").write_text(json.dumps({"url": url, "dir_info": {}}))


def remove(folder, name):
    for path in folder.glob(f"{name}-*/*"):
        path.unlink()
    for path in folder.glob(f"{name}-*"):
        path.rmdir()


def outside(project, *classes):
    """Those of the classes' libraries; what the project's own package imports is not of interest here."""
    own = {str(library) for library in find_unlocked(project, [])}
    return [str(library) for library in find_unlocked(project, classes) if str(library) not in own]


def test_an_environment_as_locked_has_nothing_outside(project):
    assert outside(project, "boosted.Classifier", "kedro_tabular.modelling.GroupRates", "project.own.Own") == []
    tags = describe_environment(project, [])
    assert tags["env.outside_lock"] == "none"
    assert tags["env.python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_library_that_was_installed_by_hand_and_what_it_requires_are_named(project):
    install(project / "installed", "lightly", "4.7", "extra-trees-of-it[fast]>=2")
    install(project / "installed", "extra_trees_of_it", "2.1", "fast-part>=1; extra == 'fast'", "slow; extra == 'slow'")
    install(project / "installed", "fast_part", "1.1")
    install(project / "installed", "slow", "1.1")
    assert outside(project, "boosted.Classifier", "lightly.sklearn.Classifier") == [
        "extra-trees-of-it==2.1 (not in requirements.lock)",
        "fast-part==1.1 (not in requirements.lock)",
        "lightly==4.7 (not in requirements.lock)",
    ]
    unlocked = [library for library in find_unlocked(project, ["lightly.Classifier"]) if library.locked is None]
    assert "lightly==4.7" in describe_environment(project, unlocked)["env.outside_lock"].split(", ")


def test_another_version_than_the_locked_one_is_named(project):
    remove(project / "installed", "Trees_Core")
    install(project / "installed", "Trees_Core", "1.6")
    assert outside(project, "boosted.Classifier") == ["trees-core==1.6 (locked: 1.5)"]


def test_a_library_of_a_folder_or_repository_is_named_by_it_without_a_token(project):
    install(project / "installed", "mine", "1.0", url="https://TOKEN@host.example/mine.git")
    assert outside(project, "mine.Classifier") == [
        "mine @ https://***@host.example/mine.git (not in requirements.lock)"
    ]


def test_it_is_known_what_is_installed(project):
    assert is_installed("boosted==2.0")
    for other in ("boosted==2.1", "no-such-thing==1", "boosted @ https://host.example/x"):
        assert not is_installed(other)


def test_the_lock_file_of_the_project_is_read(request):
    locked = read_lock(request.config.rootpath / "requirements.lock")
    assert {"numpy", "scikit-learn", "mlflow"} <= set(locked)
    assert all(locked.values())


def test_without_a_lock_file_nothing_is_compared(tmp_path):
    assert find_unlocked(tmp_path, ["boosted.Classifier"]) == []
    assert describe_environment(tmp_path, [])["env.lock"].startswith("none")
