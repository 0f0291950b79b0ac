import pytest

import lint_coroutines


def messages(body):
    return [message for _, message in lint_coroutines.check("Task<void> run() {\n" + body + "\n}\n")]


@pytest.mark.parametrize("body", [
    "co_await call();",
    "const auto executor = co_await asio::this_coro::executor;",
    "auto [error, count] = co_await socket.async_read_some(buffer, kNoThrow);",
    "const Result<std::vector<int>> answer = co_await client->request(std::move(request));",
    "std::optional<AgentOutput> output = co_await agent_->receive();",
    "Stream* stream = co_await open();",
    "const Frame& frame = co_await next();",
    "co_return co_await call();",
    "state_.value = co_await call();",
    "state->next = co_await call();",
    "co_await call(std::string{text}, std::chrono::milliseconds{5});",
    "co_await call([] { return 1; });",
    "co_await log.find(SessionId(text));",
    "co_await log.find(SessionId{text});",
    "co_await asio::async_initiate<const Token&, void(bool)>(initiation, token);",
    "auto first = co_await (std::move(work) || timer.async_wait(kNoThrow));",
    "auto first = co_await (reader_.read(buffer, kNoThrow) && timer.async_wait(kNoThrow) && std::move(other));",
    "auto&& [first, second] = co_await call();",
    "auto text = co_await (*connected)->read(buffer);",
    "auto text = co_await (*sockets[0]).read(buffer);",
    "co_await call(std::vector<int>(3), make<Options>(a, b));",
    "co_await calls[index](values[0]);",
    "co_await calls[indexes[0]];",
    "if (ready) co_await call();",
    "if (ready) { co_await call(); } else co_await other();",
    "while (true) co_await call();",
    "for (int i = 0; i < 3; ++i) { co_await call(); }",
    "switch (kind) { case Kind::kOne: co_await call(); break; default: co_await call(); }",
    "try { co_await call(); } catch (const std::exception&) { failed = true; }",
    "const auto body = [this]() -> Task<void> { co_await call(); };",
    "const auto body = [this](int n) -> Task<Result<int>> { co_return co_await call(n); };",
    "scope.spawn(\"reader\", [this] { return read(); }); co_await scope.join();",
    "const Options options{1, 2}; co_await call(options);",
    "// if (co_await call()) act();",
    "log(\"if (co_await call())\");",
    "log(R\"(f(co_await call()))\");",
    "const char c = ';'; co_await call();",
    "const auto n = 1'000; co_await call(n);",
    "[[maybe_unused]] const bool ok = co_await call();",
])
def test_accepts_the_forms_that_compile_correctly(body):
    assert messages(body) == []


@pytest.mark.parametrize("body", [
    "if (co_await call()) act();",
    "if (!co_await call()) act();",
    "if (const auto value = co_await call(); value) act();",
    "while (co_await call()) act();",
    "switch (co_await call()) { default: break; }",
    "for (auto value : co_await call()) act();",
    "for (int i = 0; co_await call(); ++i) act();",
    "act(co_await call());",
    "EXPECT_TRUE(co_await call());",
    "const int sum = 1 + co_await call();",
    "const bool no = !co_await call();",
    "const auto value = ready ? co_await call() : 0;",
    "const auto value = (co_await call()).value();",
    "const auto value = *co_await call();",
    "co_return !co_await call();",
    "co_return Answer{co_await call()};",
    "const Answer answer{co_await call()};",
    "const auto pair = std::pair{co_await one(), 2};",
    "count += co_await call();",
    "values[index] = co_await call();",
    "this->values[0] = co_await call();",
    "co_await co_await call();",
])
def test_refuses_co_await_inside_another_expression(body):
    assert messages(body)[:1] == [lint_coroutines.NOT_A_CALL]


@pytest.mark.parametrize("body", [
    "const auto sum = co_await call() + 1;",
    "co_return co_await call() == 3;",
    "const auto value = co_await call() ? 1 : 2;",
    "co_await call() || co_await other();",
    "const bool small = co_await call() < 3;",
    "co_await (ready ? one() : two());",
    "co_await (call() + 1);",
    "co_await (one(), two());",
    "co_await (one() || ready ? two() : three());",
    "co_await (one() || two()).value;",
    "co_await (*ready ? one : two)->read();",
    "co_await (*connected)->read() + 1;",
])
def test_refuses_an_operand_with_more_behind_it(body):
    assert lint_coroutines.OPERAND in messages(body)


@pytest.mark.parametrize("body", [
    "co_await call({.name = text});",
    "co_await call(1, {a, b});",
    "co_await call(Options{a, b});",
    "co_await call(Options(a, b));",
    "co_await call(Holder<int>(a, b));",
    "co_await call(Holder<std::map<int, Other<int>>>(a));",
    "co_await call(URL(text));",
    "co_await call(PairOfId{a, b});",
    "co_await call(SessionId(a, b));",
    "co_await (one() || call(Options{a, b}));",
    "co_await call(std::vector<int>{1, 2});",
    "co_return co_await call(Options{});",
])
def test_refuses_aggregate_temporaries(body):
    assert messages(body) == [lint_coroutines.TEMPORARY]


@pytest.mark.parametrize("body", [
    "co_await call([value] { return value; });",
    "co_await call([&] { return 1; });",
    "co_await call([value = std::move(value)]() mutable { return value; }, token);",
])
def test_refuses_capturing_lambda_temporaries(body):
    assert messages(body) == [lint_coroutines.LAMBDA]


def test_looks_into_the_body_of_a_lambda_on_its_own():
    body = "co_await call([]() -> Task<void> { if (co_await other()) act(); });"
    assert messages(body) == [lint_coroutines.NOT_A_CALL]


def test_names_the_line():
    assert [line for line, _ in lint_coroutines.check("\n\nvoid f() {\n  g(co_await h());\n}\n")] == [4]


def test_says_nothing_about_a_file_without_coroutines():
    assert list(lint_coroutines.check("#include <vector>\nint main() { return f({1, 2}); }\n")) == []


def test_exit_code_tells(tmp_path, capsys):
    good, bad = tmp_path / "good.cpp", tmp_path / "bad.cpp"
    good.write_text("void f() { co_await g(); }\n")
    bad.write_text("void f() { h(co_await g()); }\n")
    assert lint_coroutines.main([str(good)]) == 0
    assert lint_coroutines.main([str(good), str(bad)]) == 1
    assert f"{bad}:1:" in capsys.readouterr().out
