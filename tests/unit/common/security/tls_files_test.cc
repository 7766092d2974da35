#include "common/security/tls_files.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/security/certificate_maker.h"
#include "tests/unit/common/security/fixed_clock.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::security {
namespace {

using testing::HasSubstr;

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() {
    tls_.set_certificate(WriteFile(folder_.path() + "/certificate.pem", pem_.certificate));
    tls_.set_key(WriteFile(folder_.path() + "/key.pem", pem_.key));
    tls_.set_authority(WriteFile(folder_.path() + "/authority.pem", maker_.authority()));
  }

  storage::TemporaryFolder folder_;
  FixedClock clock_;
  CertificateMaker maker_;
  Pem pem_ = maker_.Make();
  v1::Tls tls_;
};

TEST_F(TlsFilesTest, ShowsChainAndKeyUnderOnePathAndTheAuthorityUnderAnother) {
  const auto files = TlsFiles::Open(tls_, clock_);
  ASSERT_TRUE(files.ok()) << files.status();

  EXPECT_EQ(ReadFile((*files)->identity_path()), pem_.certificate + "\n" + pem_.key);
  EXPECT_EQ(ReadFile((*files)->authority_path()), maker_.authority());
}

TEST_F(TlsFilesTest, ANewCertificateWaitsForItsKey) {
  const auto files = TlsFiles::Open(tls_, clock_);
  ASSERT_TRUE(files.ok()) << files.status();
  const Pem next = maker_.Make();

  WriteFile(tls_.certificate(), next.certificate);
  const absl::Status half = (*files)->Look();
  EXPECT_EQ(half.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(half)), HasSubstr("the private key is not the one"));
  EXPECT_THAT(std::string(Message(half)), HasSubstr(tls_.key()));
  EXPECT_EQ(ReadFile((*files)->identity_path()), pem_.certificate + "\n" + pem_.key);

  WriteFile(tls_.key(), next.key);
  EXPECT_TRUE((*files)->Look().ok());
  EXPECT_EQ(ReadFile((*files)->identity_path()), next.certificate + "\n" + next.key);
}

TEST_F(TlsFilesTest, ABrokenOrExpiredSetNeverReplacesTheGoodOne) {
  const auto files = TlsFiles::Open(tls_, clock_);
  ASSERT_TRUE(files.ok()) << files.status();
  const Pem expired = maker_.Make({.ends_seconds = -60});
  const std::string half = pem_.certificate.substr(0, 100);

  WriteFile(tls_.certificate(), half);
  EXPECT_THAT(std::string(Message((*files)->Look())), HasSubstr("cannot be read"));
  WriteFile(tls_.certificate(), expired.certificate);
  WriteFile(tls_.key(), expired.key);
  EXPECT_THAT(std::string(Message((*files)->Look())), HasSubstr("has expired"));
  // A good pair beside a broken authority is not taken either.
  const Pem next = maker_.Make();
  WriteFile(tls_.certificate(), next.certificate);
  WriteFile(tls_.key(), next.key);
  WriteFile(tls_.authority(), "");
  EXPECT_THAT(std::string(Message((*files)->Look())), HasSubstr(tls_.authority()));

  EXPECT_EQ(ReadFile((*files)->identity_path()), pem_.certificate + "\n" + pem_.key);
  EXPECT_EQ(ReadFile((*files)->authority_path()), maker_.authority());
}

TEST_F(TlsFilesTest, TheContentOfEachRotationHasItsOwnTimeAndThePathStays) {
  const auto files = TlsFiles::Open(tls_, clock_);
  ASSERT_TRUE(files.ok()) << files.status();
  const std::string path = (*files)->identity_path();
  auto last = std::filesystem::last_write_time(path);

  for (int i = 0; i < 3; ++i) {
    const Pem next = maker_.Make();
    WriteFile(tls_.certificate(), next.certificate);
    WriteFile(tls_.key(), next.key);
    ASSERT_TRUE((*files)->Look().ok());
    const auto time = std::filesystem::last_write_time(path);
    EXPECT_GE(time - last, std::chrono::seconds(1)) << "gRPC would miss a change within a second";
    last = time;
  }
  EXPECT_EQ((*files)->identity_path(), path);
}

TEST_F(TlsFilesTest, AKeyThatOthersMayReadIsNotTaken) {
  std::filesystem::permissions(tls_.key(), std::filesystem::perms(0640));
  const auto files = TlsFiles::Open(tls_, clock_);
  ASSERT_EQ(files.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(files.status())), HasSubstr(tls_.key() + " is a secret"));
  EXPECT_EQ(Fix(files.status()), "chmod 600 " + tls_.key());
  std::filesystem::permissions(tls_.key(), std::filesystem::perms(0600));
  std::filesystem::permissions(tls_.certificate(), std::filesystem::perms(0644));
  EXPECT_TRUE(TlsFiles::Open(tls_, clock_).ok());
}

TEST_F(TlsFilesTest, AClientNeedsAnAuthorityOnly) {
  tls_.clear_certificate();
  tls_.clear_key();
  const auto files = TlsFiles::Open(tls_, clock_);
  ASSERT_TRUE(files.ok()) << files.status();

  EXPECT_EQ((*files)->identity_path(), "");
  EXPECT_EQ(ReadFile((*files)->authority_path()), maker_.authority());
}

TEST_F(TlsFilesTest, DoesNotOpenWithHalfAPairOrAMissingOrExpiredFile) {
  clock_.now += std::chrono::hours(2);
  EXPECT_THAT(std::string(Message(TlsFiles::Open(tls_, clock_).status())),
              HasSubstr("has expired"));
  clock_.now -= std::chrono::hours(2);
  v1::Tls half = tls_;
  half.clear_key();
  EXPECT_EQ(TlsFiles::Open(half, clock_).status().code(), absl::StatusCode::kInvalidArgument);
  half = tls_;
  half.clear_certificate();
  EXPECT_EQ(TlsFiles::Open(half, clock_).status().code(), absl::StatusCode::kInvalidArgument);
  tls_.set_key(folder_.path() + "/none");
  EXPECT_EQ(TlsFiles::Open(tls_, clock_).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace millrace::security
