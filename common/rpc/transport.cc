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

// Tells gRPC where the files are, and to read them again.
void Watch(const security::TlsFiles& files, grpc::experimental::TlsCredentialsOptions& options) {
  const std::string& identity = files.identity_path();
  const std::string& authority = files.authority_path();
  options.set_certificate_provider(std::make_shared<FileWatcherCertificateProvider>(
      identity, identity, authority, kWatchSeconds));
  if (!identity.empty()) {
    options.watch_identity_key_cert_pairs();
  }
  if (!authority.empty()) {
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

absl::StatusOr<ServerTransport> MakeServerTransport(const security::v1::Tls& tls, bool gated) {
  if (tls.certificate().empty() && tls.key().empty()) {
    if (!tls.authority().empty()) {
      return InvalidArgument("a server with tls.authority needs tls.certificate and tls.key");
    }
    return ServerTransport{
        .files = nullptr,
        .credentials = gated ? grpc::experimental::LocalServerCredentials(LOCAL_TCP)
                             : grpc::InsecureServerCredentials()};
  }
  ServerTransport transport;
  ASSIGN_OR_RETURN(transport.files, security::TlsFiles::Open(tls, SystemClock()));
  grpc::experimental::TlsServerCredentialsOptions options(nullptr);
  Watch(*transport.files, options);
  if (!tls.authority().empty()) {
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  transport.credentials = grpc::experimental::TlsServerCredentials(options);
  return transport;
}

absl::StatusOr<ChannelTransport> MakeChannelTransport(const security::v1::Tls& tls,
                                                      const std::string& token_file,
                                                      bool loopback) {
  ChannelTransport transport;
  if (!tls.authority().empty()) {
    ASSIGN_OR_RETURN(transport.files, security::TlsFiles::Open(tls, SystemClock()));
    grpc::experimental::TlsChannelCredentialsOptions options;
    Watch(*transport.files, options);
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
  Watch(*transport.files, options);
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  transport.credentials = grpc::experimental::TlsCredentials(options);
  return transport;
}

}  // namespace millrace::rpc
