// Blocker: keeps a thread of a ComputePool until released.

#pragma once

#include <future>
#include <utility>

#include <gtest/gtest.h>

#include "services/serving/rpc/compute_pool.h"

namespace millrace::serving {

/// Has a thread of `pool` when constructed; gives it back when released, at the latest when
/// destroyed.
class Blocker final : public ComputeWork {
 public:
  explicit Blocker(ComputePool& pool, double microseconds = 0) {
    EXPECT_TRUE(pool.Admit(*this, {.microseconds = microseconds}).ok());
    began_.get_future().wait();
  }

  ~Blocker() override {
    Release();
    end_.wait();
  }

  Blocker(const Blocker&) = delete;
  Blocker& operator=(const Blocker&) = delete;

  void Release() {
    if (!released_) {
      released_ = true;
      release_.set_value();
    }
  }

  absl::Status Run() override {
    began_.set_value();
    release_.get_future().wait();
    return absl::CancelledError("teaches the pool nothing about time");
  }

  void End(const absl::Status& /*status*/) override {
    std::promise<void> ended = std::move(ended_);  // outlives this object
    ended.set_value();
  }

 private:
  std::promise<void> began_;
  std::promise<void> release_;
  std::promise<void> ended_;
  std::future<void> end_ = ended_.get_future();
  bool released_ = false;
};

}  // namespace millrace::serving
