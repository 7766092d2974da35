#include "common/transfer/upload_sweeper.h"

#include <stop_token>

#include "common/patience/patience.h"

namespace millrace::transfer {

UploadSweeper::UploadSweeper(UploadStore& store, std::chrono::milliseconds period)
    : thread_([&store, period](const std::stop_token& stop) {
        while (WaitUnlessStopped(period, stop)) {
          store.Expire();
        }
      }) {}

}  // namespace millrace::transfer
