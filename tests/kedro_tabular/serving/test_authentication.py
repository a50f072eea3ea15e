"""API keys: none is an error where other machines reach the service; several have names and are rotated in a file."""

import hashlib
import time

import pytest
from kedro_tabular.parameters import ParameterError
from kedro_tabular.serving.authentication import ApiKeys, read_api_keys
from kedro_tabular.serving.server import serve

from .conftest import Server, records, settings_of


def digest(key):
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def header(key):
    return f"Bearer {key}".encode()


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_is_an_error_and_not_no_key(tmp_path, monkeypatch, empty):
    monkeypatch.setenv("SERVICE_KEY", empty)
    with pytest.raises(ParameterError, match="the environment variable SERVICE_KEY is empty: give it a key, or unset"):
        serve(settings_of(tmp_path, api_key_variable="SERVICE_KEY"), "small", f"sqlite:///{tmp_path}/none.db")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "service.example.com", ""])
def test_other_machines_are_not_served_without_a_key_unless_the_settings_say_so(tmp_path, monkeypatch, host):
    monkeypatch.delenv("SERVICE_KEY", raising=False)
    settings = settings_of(tmp_path, host=host, api_key_variable="SERVICE_KEY")
    with pytest.raises(ParameterError, match=r"there is no API key.*SERVICE_KEY.*serving\.allow_unauthenticated: true"):
        serve(settings, "small", f"sqlite:///{tmp_path}/none.db")
    assert not read_api_keys(settings.model_copy(update={"allow_unauthenticated": True})).required
    monkeypatch.setenv("SERVICE_KEY", "secret")
    assert read_api_keys(settings).required


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_is_served_without_a_key(tmp_path, monkeypatch, host):
    monkeypatch.delenv("SERVICE_KEY", raising=False)
    assert not read_api_keys(settings_of(tmp_path, host=host, api_key_variable="SERVICE_KEY")).required


def test_keys_of_a_file_have_names(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# clients\n\nbilling: {digest('one')}\nreports: two: ü\n", encoding="utf-8")
    keys = ApiKeys("SERVICE_KEY", file, {"SERVICE_KEY": "three"})
    assert keys.find_name(header("one")) == "billing"
    assert keys.find_name(header("two: ü")) == "reports"
    assert keys.find_name(header("three")) == "SERVICE_KEY"
    for wrong in (b"", b"Bearer", b"Bearer ", b"Basic one", b"one", header(digest("one")), header("One")):
        assert keys.find_name(wrong) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("billing\n", "line 1: expected `name: key`"),
        ("billing:\n", "line 1: expected"),
        ("a b: secret\n", "line 1: expected"),
        ("a: secret\na: secret\n", "line 2: expected"),
        ("# keys\na: sha256:12\n", "line 2: a digest has 64 hexadecimal digits"),
        (None, "can't be read: FileNotFoundError"),
    ],
)
def test_a_file_of_keys_that_is_wrong_is_an_error_that_does_not_print_keys(tmp_path, text, message):
    file = tmp_path / "keys"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError, match=message) as raised:
        ApiKeys("SERVICE_KEY", file, {})
    assert "secret" not in str(raised.value)


def test_a_file_without_keys_refuses_all_requests(tmp_path):
    (tmp_path / "keys").write_text("# none\n", encoding="utf-8")
    keys = ApiKeys("SERVICE_KEY", tmp_path / "keys", {})
    assert keys.required
    assert keys.find_name(header("")) is None


def test_keys_are_rotated_without_a_restart_and_their_names_are_logged_and_counted(service, tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"billing: {digest('old')}\n", encoding="utf-8")
    server = Server(service.settings.model_copy(update={"api_keys_file": str(file)}), service.deployment)

    def status_of(key):
        return server.post("/predict", {"records": records(1)}, headers={"authorization": header(key)}).status_code

    def wait_for(key, expected):
        until = time.monotonic() + 20
        while status_of(key) != expected and time.monotonic() < until:
            time.sleep(0.1)
        assert status_of(key) == expected

    try:
        assert (status_of("old"), status_of("new"), server.post("/predict", {}).status_code) == (200, 401, 401)
        new = tmp_path / "new"
        new.write_text(f"billing: {digest('old')}\nbilling.2: {digest('new')}\n", encoding="utf-8")
        new.replace(file)
        wait_for("new", 200)
        assert status_of("old") == 200
        file.write_text(f"billing.2: {digest('new')}\n", encoding="utf-8")
        wait_for("old", 401)
        file.write_text("damaged", encoding="utf-8")
        time.sleep(1.2)
        assert (status_of("new"), status_of("old")) == (200, 401)  # the earlier keys stay
        file.write_text("", encoding="utf-8")
        wait_for("new", 401)
        file.write_text("third: 3\n", encoding="utf-8")
        wait_for("3", 200)
        assert server.session.get(server.url + "/openapi.json", timeout=60).json()["security"] == [{"key": []}]
        metrics = server.session.get(server.url + "/metrics", headers={"authorization": header("3")}, timeout=60).text
        assert 'key_requests_total{key="billing"}' in metrics
        assert 'key_requests_total{key="third"}' in metrics
    finally:
        server.stop()
    assert {"billing", "billing.2", "third"} <= set(service.logged()["api_key"].dropna())
