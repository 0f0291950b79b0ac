// The way of an agent's connections to the broker where a socket can't be mounted into its
// container: acp-agent-init --carry, run there by the Engine, over its standard streams.
//
// Shared: the container has it, and closes it; keep_carrying() runs it.
#pragma once

#include "backend/docker/attached_container.hpp"
#include "egress/carried_connections.hpp"
#include "engine/stream_demuxer.hpp"

#include <memory>
#include <string>

namespace relay {

class StdioCarrier {
 public:
  // Returns when it carries. Fails as the Engine's calls do, and with container_start_failed when
  // the program says something else.
  static Task<Result<std::shared_ptr<StdioCarrier>>> start(DockerContext& context, std::string id,
                                                           SessionId session,
                                                           std::size_t max_connections);

  StdioCarrier(DockerContext& context, SessionId session, std::size_t max_connections,
               std::unique_ptr<http::Stream> stream);
  StdioCarrier(const StdioCarrier&) = delete;
  StdioCarrier& operator=(const StdioCarrier&) = delete;

  // Until it is over: why, in words.
  Task<std::string> run();
  void close() { stream_->close(); }

 private:
  std::string said() const;
  Task<std::string> read();
  Task<bool> write(std::string_view bytes);

  const asio::any_io_executor executor_;
  const SharedContainerOptions options_;
  const std::unique_ptr<http::Stream> stream_;
  engine::StreamDemuxer frames_;
  StderrTail errors_;
  egress::CarriedConnections connections_;
};

// Runs the container's carrier, and another whenever one ends, for as long as the container does
// and this relay has it. Started once for each container.
Task<void> keep_carrying(std::shared_ptr<AttachedContainer> container);

}  // namespace relay
