#include "clients/cli/connection_options.h"

#include <cstdlib>
#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/context_file.h"
#include "common/status/status.h"
#include "tests/unit/common/security/certificate_maker.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using training::Fails;

// A variable of the environment for as long as a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }

  ~Variable() { unsetenv(name_); }

  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

class ConnectionOptionsTest : public testing::Test {
 protected:
  ConnectionOptionsTest() {
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    context::v1::ContextList list;
    *list.add_contexts() = ToContext("lab",
                                     {.data_address = "lab:1",
                                      .training_address = "lab:2",
                                      .ca = "/lab/ca.pem",
                                      .token_file = "/lab/token"});
    *list.add_contexts() = ToContext("ward", {.data_address = "ward:1"});
    list.set_current("lab");
    EXPECT_TRUE(SaveContexts(list).ok());
  }

  storage::TemporaryFolder folder_;
};

TEST_F(ConnectionOptionsTest, AFlagWinsOverAVariableThisOverTheContextAndThatOverTheDefault) {
  const Variable data("MILLRACE_DATA_ADDRESS", "variable:1");
  const Variable training("MILLRACE_TRAINING_ADDRESS", "variable:2");
  const auto ends = Resolve({.data_address = "flag:1"});
  ASSERT_TRUE(ends.ok()) << ends.status();
  EXPECT_EQ(ends->addresses.data, "flag:1");
  EXPECT_EQ(ends->addresses.training, "variable:2");
  EXPECT_EQ(ends->addresses.serving, "127.0.0.1:7603");
  EXPECT_EQ(ends->protection.tls.authority(), "/lab/ca.pem");
  EXPECT_EQ(ends->protection.token_file, "/lab/token");
  EXPECT_EQ(ends->context, "lab");
}

TEST_F(ConnectionOptionsTest, TheContextIsThatOfTheFlagOrOfTheVariableOrTheOneInUse) {
  EXPECT_EQ(Resolve({})->addresses.data, "lab:1");
  const Variable context("MILLRACE_CONTEXT", "ward");
  EXPECT_EQ(Resolve({})->addresses.data, "ward:1");
  EXPECT_EQ(Resolve({.context = "local"})->addresses.data, "127.0.0.1:7601");
  EXPECT_EQ(Resolve({.context = "local"})->protection.token_file, "");
}

TEST_F(ConnectionOptionsTest, AnUnknownContextNamesTheClosest) {
  const auto ends = Resolve({.context = "wart"});
  EXPECT_THAT(ends, Fails(absl::StatusCode::kNotFound, "there is no context 'wart'"));
  EXPECT_EQ(Fix(ends.status()), "did you mean 'ward'?");
}

TEST_F(ConnectionOptionsTest, ATokenOfTheEnvironmentIsHandedOnAsAFileInMemory) {
  const Variable token("MILLRACE_TOKEN", "secret-words");
  const auto ends = Resolve({});
  ASSERT_TRUE(ends.ok()) << ends.status();
  EXPECT_EQ(security::ReadFile(ends->protection.token_file), "secret-words");
  EXPECT_EQ(Resolve({.token_file = "/mine"})->protection.token_file, "/mine");
}

TEST_F(ConnectionOptionsTest, AVariableIsAnAddressToo) {
  const Variable data("MILLRACE_DATA_ADDRESS", "host");
  EXPECT_THAT(Resolve({}),
              Fails(absl::StatusCode::kInvalidArgument,
                    "MILLRACE_DATA_ADDRESS must be host:port, found 'host'"));
  EXPECT_EQ(Resolve({.data_address = "flag:1"})->addresses.data, "flag:1");
}

TEST_F(ConnectionOptionsTest, WhatListensHereIsNoContextsMatter) {
  EXPECT_EQ(LocalAddresses({})->data, "127.0.0.1:7601");
  EXPECT_EQ(LocalAddresses({.data_address = "flag:1"})->data, "flag:1");
}

TEST_F(ConnectionOptionsTest, AFileThatIsNoListOfContextsIsToldWithItsLine) {
  security::WriteFile(ContextPath(), "contexts:\n- nmae: lab\n");
  EXPECT_THAT(Resolve({}), Fails(absl::StatusCode::kInvalidArgument, "contexts.yaml:2:"));
}

}  // namespace
}  // namespace millrace::cli
