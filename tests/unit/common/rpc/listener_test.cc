#include "common/rpc/listener.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "common/status/status.h"
#include "tests/unit/common/rpc/client_socket.h"

namespace millrace::rpc {
namespace {

using testing::HasSubstr;

// Greets each connection and keeps it.
class ListenerTest : public testing::Test {
 protected:
  void Start(ConnectionLimits limits, const std::string& address = "127.0.0.1:0") {
    auto listener = Listener::Open(address, limits, slots_);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    listener_->Start([this](int descriptor, std::size_t slot) {
      const std::lock_guard lock(mutex_);
      taken_.push_back(descriptor);
      slots_seen_.push_back(slot);
      EXPECT_EQ(send(descriptor, "hello", 5, MSG_NOSIGNAL), 5);
    });
  }

  ~ListenerTest() override {
    listener_.reset();
    for (const int descriptor : taken_) {
      close(descriptor);
    }
  }

  ListenerTest() = default;

  // Ends the connection that was taken first.
  void CloseFirst() {
    const std::lock_guard lock(mutex_);
    close(taken_.front());
    taken_.erase(taken_.begin());
  }

  PeerSlots slots_{8};
  std::unique_ptr<Listener> listener_;
  std::mutex mutex_;
  std::vector<int> taken_;               // guarded by mutex_
  std::vector<std::size_t> slots_seen_;  // guarded by mutex_
};

TEST_F(ListenerTest, ClosesAtOnceWhatIsOverTheLimitAndTakesAgainWhenOneHasEnded) {
  Start({.all = 3, .of_address = 3});
  const ClientSocket first(listener_->port());
  const ClientSocket second(listener_->port());
  EXPECT_EQ(second.Read(), "hello");
  const ClientSocket third(listener_->port());
  EXPECT_EQ(third.Read(), "hello");
  EXPECT_EQ(ClientSocket(listener_->port()).Read(), "") << "the one after the last";
  EXPECT_EQ(listener_->refused(), 1);
  EXPECT_EQ(first.Read(), "hello") << "others go on";

  CloseFirst();
  const ClientSocket again(listener_->port());
  EXPECT_EQ(again.Read(), "hello");
  EXPECT_EQ(ClientSocket(listener_->port()).Read(), "");
}

TEST_F(ListenerTest, OneAddressDoesNotShutTheOthersOut) {
  Start({.all = 3, .of_address = 2});
  const ClientSocket first(listener_->port());
  const ClientSocket second(listener_->port());
  EXPECT_EQ(second.Read(), "hello");
  EXPECT_EQ(ClientSocket(listener_->port()).Read(), "");

  const ClientSocket other(listener_->port(), "127.0.0.2");
  EXPECT_EQ(other.Read(), "hello");
  EXPECT_EQ(ClientSocket(listener_->port(), "127.0.0.3").Read(), "") << "three in all";
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(slots_.PeerOf(slots_seen_.at(0)), "127.0.0.1");
  EXPECT_EQ(slots_.PeerOf(slots_seen_.at(2)), "127.0.0.2");
}

TEST_F(ListenerTest, ADescriptorThatIsAnotherSocketNowIsNotTakenForTheOldOne) {
  Start({.all = 1, .of_address = 1});
  const ClientSocket first(listener_->port());
  EXPECT_EQ(first.Read(), "hello");
  CloseFirst();
  const ClientSocket reuses_the_number;
  const ClientSocket second(listener_->port());
  EXPECT_EQ(second.Read(), "hello");
}

TEST_F(ListenerTest, GoesOnAfterTheProcessHadNoDescriptorLeft) {
  Start({.all = 100, .of_address = 100});
  const ClientSocket early;
  const ClientSocket late;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = dup(0);
  ASSERT_GE(lowest_free, 0);
  close(lowest_free);
  const rlimit none_left = {.rlim_cur = static_cast<rlim_t>(lowest_free),
                            .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_left), 0);
  early.Connect(listener_->port());
  EXPECT_EQ(early.Read(), "") << "told at once and not left to wait";
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

  late.Connect(listener_->port());
  EXPECT_EQ(late.Read(), "hello");
}

TEST_F(ListenerTest, ListensOnEveryAddressAndOnNames) {
  for (const std::string address : {"0.0.0.0:0", "[::]:0", "localhost:0", "127.0.0.1:0"}) {
    listener_.reset();
    Start({.all = 10, .of_address = 10}, address);
    const ClientSocket client(listener_->port());
    EXPECT_EQ(client.Read(), "hello") << address;
  }
}

TEST_F(ListenerTest, APortThatIsTakenOrIsNoneIsRefused) {
  Start({.all = 1, .of_address = 1});
  for (const std::string& port :
       {std::to_string(listener_->port()), std::string("65536"), std::string("99999999999")}) {
    const auto second = Listener::Open("127.0.0.1:" + port, {.all = 1, .of_address = 1}, slots_);
    ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable) << port;
    EXPECT_THAT(std::string(Message(second.status())), HasSubstr("cannot listen on 127.0.0.1:"));
  }
  const int port = listener_->port();
  listener_->Stop();
  EXPECT_TRUE(
      Listener::Open("127.0.0.1:" + std::to_string(port), {.all = 1, .of_address = 1}, slots_)
          .ok());
}

TEST(FittingDescriptorsTest, LeavesDescriptorsForFilesAndHalfOfTheRestForOthers) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const auto with = [&](rlim_t soft, ConnectionLimits limits) {
    const rlimit set = {.rlim_cur = soft, .rlim_max = before.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &set), 0);
    const ConnectionLimits fitting = FittingDescriptors(limits);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    return fitting;
  };
  const ConnectionLimits few = with(1'024, {.all = 4'096, .of_address = 2'048});
  EXPECT_EQ(few.all, 768);
  EXPECT_EQ(few.of_address, 384);
  const ConnectionLimits asked = with(1'024, {.all = 100, .of_address = 100});
  EXPECT_EQ(asked.all, 100) << "there are enough for what was asked for";
  EXPECT_EQ(asked.of_address, 100);
  EXPECT_EQ(with(300, {.all = 4'096, .of_address = 10}).all, 150);
}

}  // namespace
}  // namespace millrace::rpc
