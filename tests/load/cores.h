// Cores: whether a measurement had the machine for itself.

#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace millrace::serving {

/// The time of the machine's cores since this object was made, in ticks of /proc: hundredths of a
/// second.
class Cores {
 public:
  /// `ours` are the processes that a measurement consists of.
  explicit Cores(std::vector<pid_t> ours) : ours_(std::move(ours)), begin_(Read()) {}

  /// The share that other programs took, in [0, 1].
  [[nodiscard]] double OthersShare() const;

 private:
  struct Ticks {
    std::int64_t all = 0;
    std::int64_t idle = 0;
    std::int64_t ours = 0;
  };

  [[nodiscard]] Ticks Read() const;

  const std::vector<pid_t> ours_;
  const Ticks begin_;
};

}  // namespace millrace::serving
