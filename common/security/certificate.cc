#include "common/security/certificate.h"

#include <memory>
#include <vector>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/status/status.h"

namespace millrace::security {

namespace {

using TimePoint = std::chrono::system_clock::time_point;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Owner = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyOwner = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

constexpr std::size_t kTextBytesMax = std::size_t{1} << 20U;

// Never asks for a passphrase: there is nobody to answer.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*unused*/) {
  return -1;
}

absl::StatusOr<Bio> Reader(std::string_view text) {
  if (text.size() > kTextBytesMax) {
    return FailedPrecondition("must be at most {} bytes, found {}", kTextBytesMax, text.size());
  }
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
}

// Every certificate of the text. A block that cannot be read is an error, not the end.
absl::StatusOr<std::vector<X509Owner>> ReadCertificates(std::string_view text) {
  ASSIGN_OR_RETURN(const Bio reader, Reader(text));
  std::vector<X509Owner> certificates;
  ERR_clear_error();
  while (true) {
    X509Owner certificate(PEM_read_bio_X509(reader.get(), nullptr, NoPassphrase, nullptr),
                          X509_free);
    if (certificate == nullptr) {
      break;
    }
    certificates.push_back(std::move(certificate));
  }
  const auto error = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    return FailedPrecondition("certificate {} cannot be read", certificates.size() + 1);
  }
  if (certificates.empty()) {
    return FailedPrecondition("there is no certificate");
  }
  return certificates;
}

std::string NameOf(const X509& certificate) {
  const Bio text(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(text.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253);
  const char* data = nullptr;
  const auto size = BIO_get_mem_data(text.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

absl::Status CheckTime(const X509& certificate, TimePoint now) {
  std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  // X509_cmp_time answers 0 for a time that it cannot read.
  if (X509_cmp_time(X509_get0_notBefore(&certificate), &seconds) != -1) {
    return FailedPrecondition("the certificate of {} is not valid yet", NameOf(certificate));
  }
  if (X509_cmp_time(X509_get0_notAfter(&certificate), &seconds) != 1) {
    return FailedPrecondition("the certificate of {} has expired", NameOf(certificate));
  }
  return absl::OkStatus();
}

absl::StatusOr<KeyOwner> ReadKey(std::string_view text) {
  ASSIGN_OR_RETURN(const Bio reader, Reader(text));
  KeyOwner key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassphrase, nullptr),
               EVP_PKEY_free);
  ERR_clear_error();
  if (key == nullptr) {
    return FailedPrecondition("there is no private key, or it is encrypted or damaged");
  }
  return key;
}

}  // namespace

absl::Status CheckIdentity(std::string_view chain, std::string_view key, TimePoint now) {
  ASSIGN_OR_RETURN(const std::vector<X509Owner> certificates, ReadCertificates(chain));
  ASSIGN_OR_RETURN(const KeyOwner owner, ReadKey(key));
  for (const X509Owner& certificate : certificates) {
    RETURN_IF_ERROR(CheckTime(*certificate, now));
  }
  const bool match = X509_check_private_key(certificates.front().get(), owner.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return FailedPrecondition("the private key is not the one of the certificate of {}",
                              NameOf(*certificates.front()));
  }
  return absl::OkStatus();
}

absl::Status CheckAuthority(std::string_view certificates, TimePoint now) {
  ASSIGN_OR_RETURN(const std::vector<X509Owner> all, ReadCertificates(certificates));
  absl::Status last;
  bool valid = false;
  for (const X509Owner& certificate : all) {
    if (X509_check_ca(certificate.get()) == 0) {
      return FailedPrecondition("the certificate of {} is not one of an authority",
                                NameOf(*certificate));
    }
    const absl::Status status = CheckTime(*certificate, now);
    valid = valid || status.ok();
    last.Update(status);
  }
  return valid ? absl::OkStatus() : last;
}

}  // namespace millrace::security
