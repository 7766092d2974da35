#include "common/rpc/caught.h"

#include <exception>
#include <new>
#include <typeinfo>

#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::rpc {

absl::Status StatusOfException() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    log::Error("exception", {{"kind", "bad_alloc"}});
    return WithFix(ResourceExhausted("there is not enough memory for this call"),
                   "ask for less at once, or try again when less is going on");
  } catch (const std::exception& exception) {
    log::Error("exception", {{"kind", typeid(exception).name()}});
  } catch (...) {
    log::Error("exception", {{"kind", "unknown"}});
  }
  return WithFix(Internal("the service failed at this call"),
                 "tell whoever runs the service: its log has a line 'exception' of this moment");
}

}  // namespace millrace::rpc
