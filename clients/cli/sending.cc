#include "clients/cli/sending.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/spelling.h"
#include "common/rpc/request_id.h"
#include "common/status/status.h"

namespace millrace::cli {

transfer::Source SourceOf(InputFile& input) {
  return [&stream = input.stream](std::int64_t offset,
                                  std::int64_t size) -> absl::StatusOr<std::string> {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    stream.clear();  // of the end that was read before
    stream.seekg(offset);
    stream.read(bytes.data(), size);
    if (stream.bad()) {
      return DataLoss("reading the file failed: {}", std::strerror(errno));
    }
    bytes.resize(static_cast<std::size_t>(stream.gcount()));
    return bytes;
  };
}

transfer::UploadOptions SendingOptions(Shell& shell, Progress& progress, std::string closing) {
  Console& console = shell.console;
  return {
      .timeout = kTransferMax,
      .prepare =
          [id = shell.connection.request_id()](grpc::ClientContext& context) {
            rpc::SetRequestId(context, id);
            context.set_wait_for_ready(false);
          },
      .on_sent = [&](std::int64_t sent) { progress.Update(sent, SpellBytes(sent)); },
      .on_closed = [&console, closing = std::move(closing)] { console.Redraw(closing); },
      .on_break =
          [&](const absl::Status& why) {
            console.Note(fmt::format("the upload broke off: {}; trying to go on", Message(why)));
          },
      .on_resume =
          [&](std::int64_t offset) {
            console.Note(offset == 0 ? "sending it again from its start"
                                     : "going on after " + SpellBytes(offset));
          }};
}

}  // namespace millrace::cli
