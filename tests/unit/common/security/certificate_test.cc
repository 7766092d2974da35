#include "common/security/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/security/certificate_maker.h"

namespace millrace::security {
namespace {

using std::chrono::hours;
using testing::HasSubstr;

class CertificateTest : public testing::Test {
 protected:
  void ExpectRefused(const absl::Status& status, const std::string& phrase) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
  }

  const std::chrono::system_clock::time_point now_ = std::chrono::system_clock::now();
  CertificateMaker maker_;
  Pem pem_ = maker_.Make({.name = "data"});
};

TEST_F(CertificateTest, TakesACertificateWithItsKeyAloneOrWithItsAuthority) {
  EXPECT_TRUE(CheckIdentity(pem_.certificate, pem_.key, now_).ok());
  EXPECT_TRUE(CheckIdentity(pem_.certificate + maker_.authority(), pem_.key, now_).ok());
}

TEST_F(CertificateTest, RefusesTheKeyOfAnotherCertificate) {
  const Pem other = maker_.Make();
  ExpectRefused(CheckIdentity(pem_.certificate, other.key, now_),
                "the private key is not the one of the certificate of CN=data");
}

TEST_F(CertificateTest, RefusesACertificateBeforeAndAfterItsTime) {
  ExpectRefused(CheckIdentity(pem_.certificate, pem_.key, now_ - hours(2)),
                "CN=data is not valid yet");
  ExpectRefused(CheckIdentity(pem_.certificate, pem_.key, now_ + hours(2)), "CN=data has expired");
}

TEST_F(CertificateTest, RefusesAnExpiredCertificateLaterInTheChain) {
  const CertificateMaker old("old", -60);
  ExpectRefused(CheckIdentity(pem_.certificate + old.authority(), pem_.key, now_),
                "CN=old has expired");
}

TEST_F(CertificateTest, RefusesTextThatIsNoCertificateOrNoKey) {
  ExpectRefused(CheckIdentity("", pem_.key, now_), "there is no certificate");
  ExpectRefused(CheckIdentity(pem_.key, pem_.key, now_), "there is no certificate");
  ExpectRefused(CheckIdentity(pem_.certificate, "", now_), "there is no private key");
  ExpectRefused(CheckIdentity(pem_.certificate, pem_.certificate, now_), "there is no private key");
  ExpectRefused(CheckIdentity(pem_.certificate, std::string(2 << 20, 'x'), now_),
                "at most 1048576 bytes");
}

TEST_F(CertificateTest, RefusesHalfACertificateOrADamagedOne) {
  const std::string half = pem_.certificate.substr(0, pem_.certificate.size() / 2);
  ExpectRefused(CheckIdentity(half, pem_.key, now_), "certificate 1 cannot be read");
  ExpectRefused(CheckIdentity(pem_.certificate + half, pem_.key, now_),
                "certificate 2 cannot be read");
  std::string damaged = pem_.certificate;
  damaged[damaged.size() / 2] = '!';
  ExpectRefused(CheckIdentity(damaged, pem_.key, now_), "certificate 1 cannot be read");
}

TEST_F(CertificateTest, RefusesAnEncryptedKeyAndAsksNobodyForAPassphrase) {
  ExpectRefused(CheckIdentity(pem_.certificate, CertificateMaker::Encrypt(pem_.key), now_),
                "encrypted");
}

TEST_F(CertificateTest, TakesAnAuthorityAndABundleThatKeepsAnExpiredOne) {
  EXPECT_TRUE(CheckAuthority(maker_.authority(), now_).ok());
  const CertificateMaker old("old", -60);
  EXPECT_TRUE(CheckAuthority(old.authority() + maker_.authority(), now_).ok());
  EXPECT_TRUE(CheckAuthority(maker_.authority() + old.authority(), now_).ok());
  ExpectRefused(CheckAuthority(old.authority(), now_), "CN=old has expired");
}

TEST_F(CertificateTest, RefusesACertificateThatIsNoAuthoritysAsOne) {
  ExpectRefused(CheckAuthority(maker_.authority() + pem_.certificate, now_),
                "CN=data is not one of an authority");
  ExpectRefused(CheckAuthority("nothing", now_), "there is no certificate");
}

}  // namespace
}  // namespace millrace::security
