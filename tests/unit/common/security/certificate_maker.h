// CertificateMaker: authorities and certificates for one test.

#pragma once

#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/status/check.h"

namespace millrace::security {

/// A certificate and its private key, PEM.
struct Pem {
  std::string certificate;
  std::string key;
};

/// What a certificate is to say.
struct Wanted {
  std::string name = "server";                             // the subject's common name
  std::string alternative = "DNS:localhost,IP:127.0.0.1";  // OpenSSL's form of subjectAltName
  long begins_seconds = -3600;                             // from now
  long ends_seconds = 3600;                                // from now
};

/// An authority that signs whatever it is asked to. Not thread-safe.
class CertificateMaker {
 public:
  explicit CertificateMaker(const std::string& name = "authority", long ends_seconds = 3600)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free),
        certificate_(X509_new(), X509_free) {
    Fill({.name = name, .ends_seconds = ends_seconds}, *certificate_, *key_);
    X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
    Add(NID_basic_constraints, "critical,CA:TRUE", *certificate_);
    CHECK(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
  }

  [[nodiscard]] std::string authority() const { return Text(*certificate_); }

  [[nodiscard]] Pem Make(const Wanted& wanted = {}) const {
    const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const Certificate certificate(X509_new(), X509_free);
    Fill(wanted, *certificate, *key);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
    Add(NID_subject_alt_name, wanted.alternative.c_str(), *certificate);
    CHECK(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
    return {.certificate = Text(*certificate), .key = Text(*key)};
  }

  /// The private key `pem`, encrypted with a passphrase.
  static std::string Encrypt(const std::string& pem) {
    const Memory in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    const Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    const Memory out(BIO_new(BIO_s_mem()), BIO_free);
    std::string passphrase = "secret";
    CHECK(PEM_write_bio_PKCS8PrivateKey(out.get(),
                                        key.get(),
                                        EVP_aes_128_cbc(),
                                        passphrase.data(),
                                        static_cast<int>(passphrase.size()),
                                        nullptr,
                                        nullptr) == 1);
    return Text(*out);
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
  using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

  static void Fill(const Wanted& wanted, X509& certificate, EVP_PKEY& key) {
    static long serial = 0;
    X509_set_version(&certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(&certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(&certificate), wanted.begins_seconds);
    X509_gmtime_adj(X509_getm_notAfter(&certificate), wanted.ends_seconds);
    const std::string& name = wanted.name;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(name.data());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(&certificate),
                               "CN",
                               MBSTRING_UTF8,
                               bytes,
                               static_cast<int>(name.size()),
                               -1,
                               0);
    X509_set_pubkey(&certificate, &key);
  }

  static void Add(int kind, const char* value, X509& certificate) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    CHECK(extension != nullptr);
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static std::string Text(BIO& memory) {
    const char* data = nullptr;
    const auto size = BIO_get_mem_data(&memory, &data);
    return {data, static_cast<std::size_t>(size)};
  }

  static std::string Text(X509& certificate) {
    const Memory out(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509(out.get(), &certificate);
    return Text(*out);
  }

  static std::string Text(EVP_PKEY& key) {
    const Memory out(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PrivateKey(out.get(), &key, nullptr, nullptr, 0, nullptr, nullptr);
    return Text(*out);
  }

  Key key_;
  Certificate certificate_;
};

/// Writes a file that is its owner's alone and returns its path.
inline std::string WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  return path;
}

/// The whole of a file.
inline std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace millrace::security
