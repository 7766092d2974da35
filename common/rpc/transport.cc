#include "common/rpc/transport.h"

#include <map>
#include <utility>

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "common/clock/clock.h"
#include "common/security/token_file.h"
#include "common/status/status.h"

namespace millrace::rpc {

namespace {

using grpc::experimental::FileWatcherCertificateProvider;

constexpr unsigned int kWatchSeconds = 1;

// Reads the files again and again, on a thread of its own.
std::shared_ptr<FileWatcherCertificateProvider> WatcherOf(const security::TlsFiles& files) {
  return std::make_shared<FileWatcherCertificateProvider>(
      files.identity_path(), files.identity_path(), files.authority_path(), kWatchSeconds);
}

// Tells gRPC where the files are, and to take them when they change.
void Watch(const security::TlsFiles& files,
           const std::shared_ptr<FileWatcherCertificateProvider>& watcher,
           grpc::experimental::TlsCredentialsOptions& options) {
  options.set_certificate_provider(watcher);
  if (!files.identity_path().empty()) {
    options.watch_identity_key_cert_pairs();
  }
  if (!files.authority_path().empty()) {
    options.watch_root_certs();
  }
}

// Puts the token into every call.
class TokenPlugin final : public grpc::MetadataCredentialsPlugin {
 public:
  explicit TokenPlugin(std::unique_ptr<security::TokenFile> file) : file_(std::move(file)) {}

  [[nodiscard]] bool IsBlocking() const override { return false; }

  grpc::Status GetMetadata(grpc::string_ref /*service*/,
                           grpc::string_ref /*method*/,
                           const grpc::AuthContext& /*connection*/,
                           std::multimap<std::string, std::string>* metadata) override {
    metadata->emplace("authorization", "Bearer " + file_->token());
    return grpc::Status::OK;
  }

 private:
  const std::unique_ptr<security::TokenFile> file_;
};

}  // namespace

absl::StatusOr<ServerTransport> MakeServerTransport(const security::v1::Tls& tls,
                                                    bool gated,
                                                    std::size_t count) {
  ServerTransport transport;
  if (tls.certificate().empty() && tls.key().empty()) {
    if (!tls.authority().empty()) {
      return InvalidArgument("a server with tls.authority needs tls.certificate and tls.key");
    }
    for (std::size_t i = 0; i < count; ++i) {
      transport.credentials.push_back(gated ? grpc::experimental::LocalServerCredentials(LOCAL_TCP)
                                            : grpc::InsecureServerCredentials());
    }
    return transport;
  }
  ASSIGN_OR_RETURN(transport.files, security::TlsFiles::Open(tls, SystemClock()));
  const auto watcher = WatcherOf(*transport.files);
  for (std::size_t i = 0; i < count; ++i) {
    grpc::experimental::TlsServerCredentialsOptions options(nullptr);  // become the credentials'
    Watch(*transport.files, watcher, options);
    if (!tls.authority().empty()) {
      options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    }
    transport.credentials.push_back(grpc::experimental::TlsServerCredentials(options));
  }
  return transport;
}

absl::StatusOr<ChannelTransport> MakeChannelTransport(const security::v1::Tls& tls,
                                                      const std::string& token_file,
                                                      bool loopback) {
  ChannelTransport transport;
  if (!tls.authority().empty()) {
    ASSIGN_OR_RETURN(transport.files, security::TlsFiles::Open(tls, SystemClock()));
    grpc::experimental::TlsChannelCredentialsOptions options;
    Watch(*transport.files, WatcherOf(*transport.files), options);
    transport.credentials = grpc::experimental::TlsCredentials(options);
  } else if (!tls.certificate().empty() || !tls.key().empty()) {
    return InvalidArgument(
        "a client with tls.certificate needs tls.authority to trust the server by");
  } else if (token_file.empty()) {
    transport.credentials = grpc::InsecureChannelCredentials();
    return transport;
  } else if (loopback) {
    transport.credentials = grpc::experimental::LocalCredentials(LOCAL_TCP);
  } else {
    return WithFix(FailedPrecondition("the token in {} would travel as plain text", token_file),
                   "give tls.authority");
  }
  if (!token_file.empty()) {
    ASSIGN_OR_RETURN(auto token, security::TokenFile::Open(token_file));
    transport.credentials = grpc::CompositeChannelCredentials(
        transport.credentials,
        grpc::MetadataCredentialsFromPlugin(std::make_unique<TokenPlugin>(std::move(token))));
  }
  return transport;
}

absl::StatusOr<ChannelTransport> MakeSelfTransport(const security::v1::Tls& tls) {
  ChannelTransport transport;
  if (tls.certificate().empty()) {
    transport.credentials = grpc::InsecureChannelCredentials();
    return transport;
  }
  ASSIGN_OR_RETURN(transport.files, security::TlsFiles::Open(tls, SystemClock()));
  grpc::experimental::TlsChannelCredentialsOptions options;
  Watch(*transport.files, WatcherOf(*transport.files), options);
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  transport.credentials = grpc::experimental::TlsCredentials(options);
  return transport;
}

}  // namespace millrace::rpc
