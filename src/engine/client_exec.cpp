// Commands beside a container's own.
#include "engine/call_target.hpp"
#include "engine/client.hpp"
#include "engine/failure.hpp"
#include "engine/readers.hpp"
#include "engine/refusal_rules.hpp"

#include <boost/json.hpp>

namespace relay::engine {

Task<Result<std::unique_ptr<http::Stream>>> EngineClient::exec(std::string id,
                                                               std::vector<std::string> command) {
  namespace json = boost::json;
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request making;
  making.method = "POST";
  making.target = "/containers/" + id + "/exec";
  making.headers = {{"Content-Type", "application/json"}};
  making.body = json::serialize(json::object{{"AttachStdin", true},
                                             {"AttachStdout", true},
                                             {"AttachStderr", true},
                                             {"Cmd", json::array(command.begin(), command.end())}});
  const Result<http::Response> made = co_await call(Call::kExec, std::move(making));
  if (!made) co_return made.error();
  if (made->status != 201) {
    const std::string message = refusal(made->body);
    co_return refused("run a command in the container", made->status, message);
  }
  const Result<std::string> name = read_created(made->body);
  if (!name) co_return name.error();
  if (!is_container_name(*name)) co_return bad_name(*name);
  http::Request starting;
  starting.method = "POST";
  starting.target = "/exec/" + *name + "/start";
  starting.headers = {
      {"Content-Type", "application/json"}, {"Connection", "Upgrade"}, {"Upgrade", "tcp"}};
  starting.body = R"({"Detach":false,"Tty":false})";
  Result<Opened> opened = co_await open(Call::kExec, std::move(starting));
  if (!opened) co_return opened.error();
  if (opened->stream) co_return std::move(opened->stream);
  const std::string message = refusal(opened->refused.body);
  co_return refused("run a command in the container", opened->refused.status, message);
}

}  // namespace relay::engine
