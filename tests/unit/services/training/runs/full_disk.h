// FullDisk: a medium that takes nothing while it lasts.

#pragma once

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace millrace::training {

/// As long as one lives, no file of this process or of one that it starts can have a byte written;
/// empty ones can be made, and pipes work.
class FullDisk {
 public:
  FullDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  }

  ~FullDisk() { EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before_), 0); }

  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

}  // namespace millrace::training
