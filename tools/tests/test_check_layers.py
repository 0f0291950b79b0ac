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
    ("app/relay.cpp", '"cli/commands.hpp"'),
])
def test_refuses_what_points_up_or_out_of_its_place(name, header):
    assert len(include(name, header)) == 1


def test_every_module_may_use_itself_and_nothing_unknown():
    for module, allowed in check_layers.LAYERS.items():
        assert check_layers.may_use(module, module)
        assert allowed <= set(check_layers.LAYERS)


# What is there, so that no line of the tables is for nothing.
PURE_TREE = {**{f"{prefix}x.hpp" if prefix.endswith("/") else f"{prefix}.hpp": "" for prefix in check_layers.PURE},
             "protocol/mixed.cpp": "".join(f'#include "{header}"\n' for header in check_layers.MIXED),
             **{header: '#include "base/async.hpp"\n' for header in check_layers.MIXED}}


def test_pure_code_may_use_the_values_of_a_mixed_header():
    assert list(check_layers.check_pure(PURE_TREE)) == []


def test_pure_code_reaches_nothing_that_waits_by_way_of_others():
    tree = {**PURE_TREE, "egress/reach.cpp": '#include "reach.hpp"\n', "egress/reach.hpp": '#include "base/a.hpp"\n',
            "base/a.hpp": '#include "base/b.hpp"\n', "base/b.hpp": "#include <boost/asio/post.hpp>\n",
            "egress/reach_test.cpp": '#include "base/b.hpp"\n'}
    assert list(check_layers.check_pure(tree)) == [
        "src/egress/reach.cpp: pure code may not include boost/asio/post.hpp, which comes by way of egress/reach.hpp, "
        "base/a.hpp, base/b.hpp",
        "src/egress/reach.hpp: pure code may not include boost/asio/post.hpp, which comes by way of base/a.hpp, "
        "base/b.hpp"]


def test_lines_of_the_tables_for_nothing_are_told():
    tree = {name: text for name, text in PURE_TREE.items() if name not in ("egress/budget.hpp", "protocol/mixed.cpp")}
    problems = list(check_layers.check_pure(tree))
    assert problems[0] == "tools/check_layers.py: PURE names egress/budget, and no file is called so"
    assert len(problems) == 1 + len(check_layers.MIXED)


def test_reads_the_cmake_dependencies_too():
    good = "relay_module(session DEPENDS base protocol LIBRARIES fmt::fmt)\n"
    bad = "relay_module(protocol DEPENDS base http LIBRARIES simdjson::simdjson)\n"
    assert list(check_layers.check_cmake("x", good)) == []
    assert list(check_layers.check_cmake("x", bad)) == ["x: protocol may not depend on http"]


@pytest.fixture
def small_tree(tmp_path, monkeypatch):
    """A root whose files need none of the tables' lines."""
    monkeypatch.setattr(check_layers, "PURE", ())
    monkeypatch.setattr(check_layers, "MIXED", ())
    return tmp_path


def test_exit_code_tells(small_tree, capsys):
    module = small_tree / "src" / "base"
    module.mkdir(parents=True)
    (module / "a.cpp").write_text('#include "base/a.hpp"\n')
    assert check_layers.main([str(small_tree)]) == 0
    (module / "a.cpp").write_text('\n#include "cli/a.hpp"\n')
    assert check_layers.main([str(small_tree)]) == 1
    assert "src/base/a.cpp:2:" in capsys.readouterr().out


def test_programs_beside_src_are_looked_at(small_tree, capsys):
    for folder in ("src/base", "workspace_helper"):
        (small_tree / folder).mkdir(parents=True)
    (small_tree / "src/base/a.cpp").write_text('#include "base/a.hpp"\n')
    (small_tree / "workspace_helper/main.cpp").write_text("#include <sqlite3.h>\n")
    assert check_layers.main([str(small_tree)]) == 1
    assert capsys.readouterr().out.startswith("workspace_helper/main.cpp:1: sqlite3.h belongs below src/")


def test_an_empty_tree_is_a_mistake(tmp_path):
    assert check_layers.main([str(tmp_path)]) == 1
