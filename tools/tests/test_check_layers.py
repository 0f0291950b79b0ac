import pytest

import check_layers


def include(name, *headers):
    return list(check_layers.check_source(name, "".join(f"#include {header}\n" for header in headers)))


def test_the_table_has_no_cycle():
    assert list(check_layers.check_table()) == []


def test_reports_a_cycle_in_the_table(monkeypatch):
    monkeypatch.setitem(check_layers.LAYERS, "base", {"http"})
    assert len(list(check_layers.check_table())) == 1


@pytest.mark.parametrize("name, header", [
    ("session/session.cpp", '"session/router.hpp"'),
    ("session/session.cpp", '"storage/message_log.hpp"'),
    ("session/session.cpp", "<boost/asio/post.hpp>"),
    ("http/server.cpp", "<boost/beast/http.hpp>"),
    ("http/tls.cpp", "<openssl/ssl.h>"),
    ("http/utf8.cpp", "<simdjson.h>"),
    ("storage/database.cpp", "<sqlite3.h>"),
    ("backend/process/spawn.cpp", "<spawn.h>"),
    ("cli/main.cpp", '"app/relay.hpp"'),
    ("cli/main.cpp", "<CLI/CLI.hpp>"),
    ("protocol/frame_test.cpp", "<boost/asio/io_context.hpp>"),
    ("config/load.cpp", '"config.hpp"'),
])
def test_accepts_what_points_down(name, header):
    assert include(name, header) == []


@pytest.mark.parametrize("name, header", [
    ("base/error.cpp", '"protocol/rpc_error.hpp"'),
    ("protocol/frame.cpp", '"http/message.hpp"'),
    ("storage/database.cpp", '"session/session.hpp"'),
    ("backend/agent.hpp", '"session/session.hpp"'),
    ("session/session.cpp", '"frontend/relay_http.hpp"'),
    ("session/session.cpp", '"http/server.hpp"'),
    ("frontend/relay_http.cpp", '"storage/message_log.hpp"'),
    ("app/relay.cpp", "<boost/beast/core.hpp>"),
    ("frontend/tls.cpp", "<boost/asio/ssl/context.hpp>"),
    ("session/session.cpp", "<simdjson.h>"),
    ("app/relay.cpp", "<sqlite3.h>"),
    ("app/relay.cpp", "<yaml-cpp/yaml.h>"),
    ("app/relay.cpp", "<CLI/CLI.hpp>"),
    ("backend/docker/run.cpp", "<spawn.h>"),
    ("app/relay.cpp", "<prometheus/registry.h>"),
    ("protocol/frame.cpp", "<boost/asio/buffer.hpp>"),
    ("config/load.cpp", '"base/async.hpp"'),
    ("session/router_rules.hpp", '"base/async.hpp"'),
    ("http/websocket_codec.cpp", "<boost/asio/buffer.hpp>"),
    ("helpers/text.cpp", "<string>"),
])
def test_refuses_what_points_up_or_out_of_its_place(name, header):
    assert len(include(name, header)) == 1


def test_every_module_may_use_itself_and_nothing_unknown():
    for module, allowed in check_layers.LAYERS.items():
        assert check_layers.may_use(module, module)
        assert allowed <= set(check_layers.LAYERS) | {"*"}


def test_reads_the_cmake_dependencies_too():
    good = "relay_module(session DEPENDS base protocol LIBRARIES fmt::fmt)\n"
    bad = "relay_module(protocol DEPENDS base http LIBRARIES simdjson::simdjson)\n"
    assert list(check_layers.check_cmake("x", good)) == []
    assert list(check_layers.check_cmake("x", bad)) == ["x: protocol may not depend on http"]


def test_exit_code_tells(tmp_path, capsys):
    module = tmp_path / "src" / "base"
    module.mkdir(parents=True)
    (module / "a.cpp").write_text('#include "base/a.hpp"\n')
    assert check_layers.main([str(tmp_path)]) == 0
    (module / "a.cpp").write_text('\n#include "cli/a.hpp"\n')
    assert check_layers.main([str(tmp_path)]) == 1
    assert "src/base/a.cpp:2:" in capsys.readouterr().out


def test_programs_beside_src_are_looked_at(tmp_path, capsys):
    for folder in ("src/base", "workspace_helper"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/base/a.cpp").write_text('#include "base/a.hpp"\n')
    (tmp_path / "workspace_helper/main.cpp").write_text("#include <sqlite3.h>\n")
    assert check_layers.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("workspace_helper/main.cpp:1: sqlite3.h belongs below src/")


def test_an_empty_tree_is_a_mistake(tmp_path):
    assert check_layers.main([str(tmp_path)]) == 1
