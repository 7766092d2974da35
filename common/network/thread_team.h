// ThreadTeam: a few threads that run one region together and meet at barriers.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "common/network/kernels/kernels.h"

namespace millrace::network {

/// Threads that spin briefly and then sleep between regions, so that an idle team costs nothing and
/// a busy one no system call. One thread calls Run() at a time.
class ThreadTeam {
 public:
  /// What a thread knows of itself inside a region.
  class Member {
   public:
    Member(ThreadTeam& team, int index) : team_(team), index_(index) {}

    [[nodiscard]] int index() const { return index_; }

    [[nodiscard]] int count() const { return team_.size(); }

    /// Returns when every member has arrived; all writes before it are seen by all after it.
    /// Free in a team of one.
    void Barrier();

    /// This member's part of [0, count), in multiples of `grain`.
    [[nodiscard]] kernels::Range Part(std::int64_t count, std::int64_t grain = 1) const;

   private:
    ThreadTeam& team_;
    int index_;
  };

  /// `size` threads in [1, 64], the caller of Run() being the first of them.
  explicit ThreadTeam(int size);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  [[nodiscard]] int size() const { return size_; }

  /// Calls `region` once on each thread and returns when all have returned.
  void Run(const std::function<void(Member&)>& region);

 private:
  struct State;
  int size_;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::network
