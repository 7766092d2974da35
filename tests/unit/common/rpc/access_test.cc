#include "common/rpc/access.h"

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "millrace/status/v1/status_service.grpc.pb.h"

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/storage/sha256.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "tests/unit/common/rpc/raw_call.h"
#include "tests/unit/common/rpc/secured.h"

namespace millrace::rpc {
namespace {

using security::Permission;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

Permissions AllMethods() {
  return {{"inference.GRPCInferenceService/ServerLive", Permission::kReader},
          {"inference.GRPCInferenceService/ServerReady", Permission::kReader},
          {"inference.GRPCInferenceService/ModelReady", Permission::kReader},
          {"inference.GRPCInferenceService/ServerMetadata", Permission::kReader},
          {"inference.GRPCInferenceService/ModelMetadata", Permission::kOperator},
          {"inference.GRPCInferenceService/ModelInfer", Permission::kWriter}};
}

const std::vector<std::string>& Services() {
  static const std::vector<std::string> names = {"inference.GRPCInferenceService",
                                                 "grpc.health.v1.Health"};
  return names;
}

TEST(CheckPermissionsTest, TakesATableThatHasEveryMethodAndNoOther) {
  EXPECT_TRUE(CheckPermissions(Services(), AllMethods()).ok());
}

TEST(CheckPermissionsTest, NamesAMethodWithoutAnEntryAndAnEntryWithoutAMethod) {
  Permissions less = AllMethods();
  less.erase("inference.GRPCInferenceService/ModelReady");
  const absl::Status missing = CheckPermissions(Services(), less);
  EXPECT_EQ(missing.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Message(missing)),
              HasSubstr("method inference.GRPCInferenceService/ModelReady"));

  Permissions more = AllMethods();
  more["inference.GRPCInferenceService/Modelready"] = Permission::kReader;
  const absl::Status extra = CheckPermissions(Services(), more);
  EXPECT_EQ(extra.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Message(extra)),
              HasSubstr("not there: inference.GRPCInferenceService/Modelready"));

  EXPECT_THAT(std::string(Message(CheckPermissions({"no.Such"}, {}))),
              HasSubstr("no.Such has no descriptor"));
}

TEST(DeclaredPermissionsTest, AreWhatTheContractSays) {
  const std::string& service =
      status::v1::GetStatusRequest::descriptor()->file()->service(0)->full_name();
  EXPECT_EQ(DeclaredPermissions({service}),
            (Permissions{{"millrace.status.v1.StatusService/GetStatus", Permission::kReader}}));
  EXPECT_EQ(DeclaredPermissions(Services()), Permissions()) << "a contract that is not ours";
}

TEST(MergeTest, PutsTheEntriesOfAllTablesIntoOne) {
  const Permissions all = Merge({{{"a/A", Permission::kReader}}, {{"b/B", Permission::kWriter}}});
  EXPECT_EQ(all.size(), 2U);
  EXPECT_EQ(all.at("b/B"), Permission::kWriter);
}

class AccessTest : public SecuredTest {
 protected:
  AccessTest() {
    options_.tls = server_tls_;
    options_.tls.clear_authority();  // clients need no certificate
    options_.access_file = security::WriteFile(Path("access.yaml"), List());
    options_.permissions = AllMethods();
    channel_.tls.set_authority(server_tls_.authority());
  }

  static std::string Entry(const std::string& name, const std::string& role) {
    return "  - {name: " + name + ", role: " + role +
           ", token_sha256: " + storage::ToHex(storage::Sha256Of("token of " + name)) + "}\n";
  }

  static std::string List() {
    std::string list = "callers:\n" + Entry("rita", "reader") + Entry("wim", "writer") +
                       Entry("wanda", "writer") + Entry("otto", "operator");
    std::string past = Entry("past", "operator");
    past.insert(past.find('}'), ", expire_time: '2000-01-01T00:00:00Z'");
    return list + past + "  - {name: cert, role: writer, certificate: 'spiffe://millrace/ana'}\n";
  }

  std::unique_ptr<Stub> Connect() {
    const auto channel = MakeChannel(Address(), channel_);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return inference::GRPCInferenceService::NewStub(*channel);
  }

  ServerOptions options_;
  ChannelOptions channel_;
};

TEST_F(AccessTest, AsksEveryMethodOfTheTableForATokenAndForItsRole) {
  Start(options_);
  const auto channel = MakeChannel(Address(), channel_);
  ASSERT_TRUE(channel.ok()) << channel.status();
  const std::vector<std::string> tokens = {
      "", "unknown", "token of past", "token of rita", "token of wim", "token of otto"};
  const auto held = [](const std::string& token) {
    return token == "token of rita"   ? Permission::kReader
           : token == "token of wim"  ? Permission::kWriter
           : token == "token of otto" ? Permission::kOperator
                                      : Permission::kAnyone;
  };

  for (const auto& [method, needed] : AllMethods()) {
    for (const std::string& token : tokens) {
      // An empty message fits the request of every method.
      const grpc::StatusCode code =
          RawCall(*channel, method, "", token.empty() ? "" : "Bearer " + token).error_code();
      const std::string what = fmt::format("{} with '{}'", method, token);
      if (held(token) == Permission::kAnyone) {
        EXPECT_EQ(code, grpc::StatusCode::UNAUTHENTICATED) << what;
      } else if (held(token) < needed) {
        EXPECT_EQ(code, grpc::StatusCode::PERMISSION_DENIED) << what;
      } else {
        EXPECT_NE(code, grpc::StatusCode::UNAUTHENTICATED) << what;
        EXPECT_NE(code, grpc::StatusCode::PERMISSION_DENIED) << what;
      }
    }
  }
}

TEST_F(AccessTest, SaysWhoMayNotAndWhatIsNeeded) {
  Start(options_);
  const auto stub = Connect();
  EXPECT_THAT(Infer(*stub, "Bearer token of rita").status.error_message(),
              HasSubstr("ModelInfer needs the role writer, and rita has the role reader"));
  EXPECT_THAT(Infer(*stub).status.error_message(), HasSubstr("send a token"));
  EXPECT_THAT(Infer(*stub, "Bearer token of past").status.error_message(),
              HasSubstr("past has expired"));
  EXPECT_THAT(Infer(*stub, "Basic token of wim").status.error_message(), HasSubstr("Bearer TOKEN"));
  for (const std::string scheme : {"Bearer ", "bearer ", "BEARER "}) {
    EXPECT_EQ(Infer(*stub, scheme + "token of wim").caller, "wim") << scheme;
  }
}

TEST_F(AccessTest, WhoIsNotKnownLearnsNothingOfMethodsAndWhoIsKnownLearnsWhatIsThere) {
  Start(options_);
  const auto channel = MakeChannel(Address(), channel_);
  ASSERT_TRUE(channel.ok()) << channel.status();
  for (const std::string method : {"inference.GRPCInferenceService/ModelConfig",
                                   "millrace.data.v1.DataService/ListDatasets"}) {
    EXPECT_EQ(RawCall(*channel, method).error_code(), grpc::StatusCode::UNAUTHENTICATED);
    const grpc::Status known = RawCall(*channel, method, "", "Bearer token of rita");
    EXPECT_EQ(known.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_THAT(known.error_message(), HasSubstr("inference.GRPCInferenceService")) << method;
  }
}

TEST_F(AccessTest, WhatIsDeniedIsCountedAndWrittenDownWithItsAddress) {
  prometheus::Registry metrics;
  const storage::TemporaryFolder folder;
  const auto audit =
      audit::AuditLog::Open(storage::PosixFileSystem(), SystemClock(), folder.path());
  ASSERT_TRUE(audit.ok()) << audit.status();
  options_.metrics = &metrics;
  options_.audit = audit->get();
  Start(options_);
  const auto stub = Connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Infer(*stub).status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  EXPECT_EQ(Infer(*stub, "Bearer token of rita").status.error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  server_.reset();

  const std::string method = R"(method="inference.GRPCInferenceService/ModelInfer"} )";
  EXPECT_THAT(prometheus::TextSerializer().Serialize(metrics.Collect()),
              AllOf(HasSubstr(R"(millrace_calls_total{code="UNAUTHENTICATED",)" + method + "3"),
                    HasSubstr(R"(millrace_calls_total{code="PERMISSION_DENIED",)" + method + "1")));
  EXPECT_THAT(security::ReadFile(folder.path() + "/00000001.jsonl"),
              AllOf(HasSubstr(R"("outcome":"UNAUTHENTICATED: 3 calls from )"),
                    AnyOf(HasSubstr("3 calls from 127.0.0.1"), HasSubstr("3 calls from ::/64")),
                    HasSubstr(R"("caller":"rita")"),
                    HasSubstr(R"("outcome":"PERMISSION_DENIED: 1 calls from )")));
}

TEST_F(AccessTest, WhoBeganACallIsNamedAlsoWhenTheListForgetsThemMeanwhile) {
  class Waits final : public inference::GRPCInferenceService::CallbackService {
   public:
    grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                         const inference::ModelInferRequest* /*request*/,
                                         inference::ModelInferResponse* response) override {
      begun.set_value();
      revoked.get_future().wait();
      response->set_id(Caller(*context));
      return Reply(*context, absl::OkStatus());
    }

    std::promise<void> begun;
    std::promise<void> revoked;
  };

  Waits service;
  const storage::TemporaryFolder folder;
  const auto audit =
      audit::AuditLog::Open(storage::PosixFileSystem(), SystemClock(), folder.path());
  ASSERT_TRUE(audit.ok()) << audit.status();
  options_.audit = audit->get();
  auto server = Server::Start(options_, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  const auto stub = Connect();
  Answer answer;
  std::thread client([&] { answer = Infer(*stub, "Bearer token of wim"); });
  service.begun.get_future().wait();
  std::filesystem::remove(options_.access_file);
  const auto other = Connect();
  inference::ServerLiveResponse live;
  bool gone = false;
  while (!gone) {  // the list is looked at once a second
    grpc::ClientContext context;
    SetDeadline(context, std::chrono::seconds(20));
    context.AddMetadata("authorization", "Bearer token of wim");
    gone = other->ServerLive(&context, {}, &live).error_code() == grpc::StatusCode::UNAUTHENTICATED;
  }
  service.revoked.set_value();
  client.join();

  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.caller, "wim");
  EXPECT_THAT(security::ReadFile(folder.path() + "/00000001.jsonl"),
              HasSubstr(R"("caller":"wim")"));
}

TEST_F(AccessTest, RefusesTwoTokensInOneCall) {
  Start(options_);
  const auto stub = Connect();
  grpc::ClientContext context;
  SetDeadline(context, std::chrono::seconds(20));
  context.AddMetadata("authorization", "Bearer token of wim");
  context.AddMetadata("authorization", "Bearer token of otto");
  inference::ModelInferResponse response;
  EXPECT_EQ(stub->ModelInfer(&context, {}, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AccessTest, HealthIsForAnyoneAndReflectionForReaders) {
  Start(options_);
  EXPECT_TRUE(Probe(Address(), std::chrono::seconds(20), channel_).ok());
  const auto channel = MakeChannel(Address(), channel_);
  ASSERT_TRUE(channel.ok());
  const auto stub = ::grpc::reflection::v1::ServerReflection::NewStub(*channel);
  for (const bool token : {false, true}) {
    grpc::ClientContext context;
    SetDeadline(context, std::chrono::seconds(20));
    if (token) {
      context.AddMetadata("authorization", "Bearer token of rita");
    }
    const auto stream = stub->ServerReflectionInfo(&context);
    stream->WritesDone();
    EXPECT_EQ(stream->Finish().error_code(),
              token ? grpc::StatusCode::OK : grpc::StatusCode::UNAUTHENTICATED);
  }
}

TEST_F(AccessTest, SendsTheTokenOfAFileWithEveryCall) {
  Start(options_);
  channel_.token_file = security::WriteFile(Path("token"), "token-of-nobody\n");
  EXPECT_EQ(Call(channel_).status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AccessTest, KnowsACallerByItsCertificateAndATokenGoesFirst) {
  options_.tls = server_tls_;
  channel_.tls = client_tls_;
  Start(options_);
  const auto stub = Connect();
  EXPECT_EQ(Infer(*stub).caller, "cert");
  EXPECT_EQ(Infer(*stub, "Bearer token of wanda").caller, "wanda");
  EXPECT_EQ(Infer(*stub, "Bearer unknown").status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AccessTest, TakesTokensInPlainTextOnTheLoopbackOnly) {
  options_.tls.Clear();
  Start(options_);
  const auto stub = inference::GRPCInferenceService::NewStub(MakeChannel(Address("127.0.0.1")));
  EXPECT_EQ(Infer(*stub).status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Infer(*stub, "Bearer token of wim").caller, "wim");
  const std::string path = security::WriteFile(Path("token"), "abc");
  EXPECT_EQ(Call({.token_file = path}, "127.0.0.1").status.error_code(),
            grpc::StatusCode::UNAUTHENTICATED);

  options_.address = "0.0.0.0:0";
  options_.insecure = true;
  const auto server = Server::Start(options_, {&service_});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(server.status())),
              HasSubstr("tokens would travel as plain text"));
  const auto channel = MakeChannel("192.0.2.1:1", {.token_file = path});
  EXPECT_EQ(channel.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(channel.status())), HasSubstr("would travel as plain text"));
}

TEST_F(AccessTest, DoesNotStartWhilePermissionsAndMethodsDiffer) {
  options_.permissions.erase("inference.GRPCInferenceService/ModelInfer");
  const auto server = Server::Start(options_, {&service_});
  ASSERT_EQ(server.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Message(server.status())), HasSubstr("ModelInfer"));

  // The table is held to the methods without an access list too.
  options_.access_file.clear();
  EXPECT_EQ(Server::Start(options_, {&service_}).status().code(), absl::StatusCode::kInternal);
}

TEST_F(AccessTest, DoesNotStartWithABrokenAccessList) {
  security::WriteFile(options_.access_file, "callers: []");
  const auto server = Server::Start(options_, {&service_});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(server.status())), HasSubstr("access.yaml"));
}

// One call of two callers in turns.
struct TurnCall {
  grpc::ClientContext context;
  inference::ModelInferRequest request;
  inference::ModelInferResponse response;
  std::promise<bool> done;
};

// So many calls at once, each time with another of two tokens: how many were told as their
// caller's.
int RightCallers(inference::GRPCInferenceService::Stub& stub, std::size_t in_flight) {
  std::vector<TurnCall> calls(in_flight);
  for (std::size_t i = 0; i < in_flight; ++i) {
    TurnCall& one = calls[i];
    SetDeadline(one.context, std::chrono::seconds(60));
    one.context.AddMetadata("authorization",
                            i % 2 == 0 ? "Bearer token of wim" : "Bearer token of wanda");
    stub.async()->ModelInfer(
        &one.context, &one.request, &one.response, [&one](const grpc::Status& status) {
          one.done.set_value(status.ok());
        });
  }
  int right = 0;
  for (std::size_t i = 0; i < in_flight; ++i) {
    const bool ok = calls[i].done.get_future().get();
    right += ok && calls[i].response.id() == (i % 2 == 0 ? "wim" : "wanda") ? 1 : 0;
  }
  return right;
}

// Goal: who calls is told by the call and never by the connection. Method: four threads call over
// one connection, each time with another of two tokens, and the handler says whom it saw.
TEST_F(AccessTest, AHundredThousandCallsOfTwoCallersOnOneConnectionAreNeverMixedUp) {
  options_.tls.Clear();  // so that time goes into calls; the way of the identity is the same
  Start(options_);
  const auto stub = inference::GRPCInferenceService::NewStub(MakeChannel(Address("127.0.0.1")));
  constexpr int kThreads = 4;
  constexpr int kRounds = 1'000;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads(kThreads);
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (int round = 0; round < kRounds; ++round) {
        right += RightCallers(*stub, 25);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(right, 100'000);
}

TEST_F(SecuredTest, WithoutAListACallerIsTheNameInItsCertificateOrAnonymous) {
  Start({.tls = server_tls_});
  EXPECT_EQ(Call({.tls = client_tls_}).caller, "spiffe://millrace/ana");
  security::v1::Tls named =
      Write("named", maker_.Make({.name = "x", .alternative = "DNS:ben.example"}));
  EXPECT_EQ(Call({.tls = named}).caller, "ben.example");

  Start({});
  const auto stub = inference::GRPCInferenceService::NewStub(MakeChannel(Address("127.0.0.1")));
  EXPECT_EQ(Infer(*stub).caller, "anonymous");
  EXPECT_EQ(Infer(*stub, "Bearer ana").caller, "anonymous") << "nobody verified it";
}

}  // namespace
}  // namespace millrace::rpc
