"""The server of the page in the browser: what it serves, and ports that it cannot have."""

import socket
import threading
import urllib.request

import pytest

from examples import serve_browser


def test_the_page_is_served_at_a_free_port():
    serving = serve_browser.server(0)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{serving.server_port}/index.html"
        with urllib.request.urlopen(address, timeout=10) as reply:
            assert reply.read() == (serve_browser.FOLDER / "index.html").read_bytes()
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


def test_a_port_in_use_is_one_line_that_names_it_and_the_option(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as stop:
            serve_browser.main(["--port", str(port)])
    printed = capsys.readouterr().err
    assert stop.value.code == 1 and printed.count("\n") == 1
    assert f"error: Port {port} is in use" in printed and "`--port`" in printed


def test_a_port_that_does_not_exist_is_named(capsys):
    with pytest.raises(SystemExit):
        serve_browser.main(["--port", "70000"])
    assert "`--port` must be from 0 to 65535, got 70000" in capsys.readouterr().err
