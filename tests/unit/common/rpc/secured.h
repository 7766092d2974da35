// Secured: certificates in a folder, a service that says who calls, and clients of it.

#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/rpc/access.h"
#include "common/rpc/channel.h"
#include "common/rpc/reply.h"
#include "common/rpc/server.h"
#include "inference/open_inference_grpc.grpc.pb.h"
#include "tests/unit/common/security/certificate_maker.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::rpc {

/// ModelInfer answers with the caller's name as the id.
class CallerService final : public inference::GRPCInferenceService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* /*request*/,
                                       inference::ServerLiveResponse* /*response*/) override {
    return Reply(*context, absl::OkStatus());
  }

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* /*request*/,
                                       inference::ModelInferResponse* response) override {
    response->set_id(Caller(*context));
    return Reply(*context, absl::OkStatus());
  }
};

/// An authority, a server's certificate for localhost and 127.0.0.1, and one of a client.
class SecuredTest : public testing::Test {
 protected:
  using Stub = inference::GRPCInferenceService::Stub;

  struct Answer {
    grpc::Status status;
    std::string caller;
  };

  /// Writes the pair to `{name}.pem` and `{name}.key`.
  security::v1::Tls Write(const std::string& name, const security::Pem& pem) {
    security::v1::Tls tls;
    tls.set_certificate(security::WriteFile(Path(name + ".pem"), pem.certificate));
    tls.set_key(security::WriteFile(Path(name + ".key"), pem.key));
    tls.set_authority(security::WriteFile(Path("authority.pem"), maker_.authority()));
    return tls;
  }

  [[nodiscard]] std::string Path(const std::string& name) const {
    return folder_.path() + "/" + name;
  }

  void Start(const ServerOptions& options) {
    auto server = Server::Start(options, {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  [[nodiscard]] std::string Address(const std::string& host = "localhost") const {
    return host + ":" + std::to_string(server_->port());
  }

  /// Calls once over a new channel. A refused handshake is tried again until `wait` is over.
  [[nodiscard]] Answer Call(const ChannelOptions& options,
                            const std::string& host = "localhost",
                            std::chrono::milliseconds wait = std::chrono::seconds(20)) const {
    const auto channel = MakeChannel(Address(host), options);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return Infer(*inference::GRPCInferenceService::NewStub(*channel), "", wait);
  }

  /// Calls with `authorization`, unless it is empty.
  static Answer Infer(Stub& stub,
                      const std::string& authorization = "",
                      std::chrono::milliseconds wait = std::chrono::seconds(20)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + wait);
    if (!authorization.empty()) {
      context.AddMetadata("authorization", authorization);
    }
    inference::ModelInferResponse response;
    const grpc::Status status = stub.ModelInfer(&context, {}, &response);
    return {.status = status, .caller = response.id()};
  }

  storage::TemporaryFolder folder_;
  security::CertificateMaker maker_;
  security::v1::Tls server_tls_ = Write("server", maker_.Make());
  security::v1::Tls client_tls_ = Write(
      "client",
      maker_.Make({.name = "ana", .alternative = "DNS:ana.example,URI:spiffe://millrace/ana"}));
  CallerService service_;
  std::unique_ptr<Server> server_;
};

}  // namespace millrace::rpc
