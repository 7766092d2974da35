#include "common/transfer/upload_sweeper.h"

#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace millrace::transfer {

UploadSweeper::UploadSweeper(UploadStore& store, std::chrono::milliseconds period)
    : thread_([&store, period](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any changed;
        std::unique_lock lock(mutex);
        while (!changed.wait_for(lock, stop, period, [&] { return stop.stop_requested(); })) {
          store.Expire();
        }
      }) {}

}  // namespace millrace::transfer
