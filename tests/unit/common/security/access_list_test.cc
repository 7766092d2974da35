#include "common/security/access_list.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "common/status/status.h"
#include "tests/unit/common/security/certificate_maker.h"
#include "tests/unit/common/security/fixed_clock.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::security {
namespace {

using testing::HasSubstr;

// SHA-256 of "abc" (FIPS 180-4, appendix of examples) and of the empty text.
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string Entry(const std::string& fields) {
  return "callers: [" + fields + "]";
}

std::string Two() {
  return Entry(std::string("{name: ana, role: writer, token_sha256: ") + kAbc +
               ", expire_time: '2027-01-01T00:00:00Z'}, " +
               "{name: training, role: operator, certificate: 'spiffe://millrace/training'}");
}

std::chrono::system_clock::time_point At(std::int64_t unix_seconds) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(unix_seconds));
}

constexpr std::int64_t kNewYear2027 = 1'798'761'600;

TEST(AccessListTest, FindsACallerByTokenAndByTheNameInACertificate) {
  const auto list = AccessList::Parse("access.yaml", Two());
  ASSERT_TRUE(list.ok()) << list.status();

  const auto ana = list->Find({.token = "abc", .certificate_names = {}}, At(0));
  ASSERT_TRUE(ana.ok()) << ana.status();
  EXPECT_EQ(ana->name, "ana");
  EXPECT_EQ(ana->permission, Permission::kWriter);
  const auto training = list->Find(
      {.token = std::nullopt, .certificate_names = {"localhost", "spiffe://millrace/training"}},
      At(0));
  ASSERT_TRUE(training.ok()) << training.status();
  EXPECT_EQ(training->name, "training");
  EXPECT_EQ(training->permission, Permission::kOperator);
}

TEST(AccessListTest, KnowsNobodyByAnotherTokenOrCertificateOrByNone) {
  const auto list = AccessList::Parse("access.yaml", Two());
  ASSERT_TRUE(list.ok()) << list.status();
  const std::vector<Credentials> unknown = {
      {.token = "abd", .certificate_names = {}},
      {.token = "", .certificate_names = {}},
      {.token = kAbc, .certificate_names = {}},
      {.token = "wrong", .certificate_names = {"spiffe://millrace/training"}},
      {.token = std::nullopt, .certificate_names = {"spiffe://millrace/trainin"}},
      {.token = std::nullopt, .certificate_names = {""}},
      {.token = std::nullopt, .certificate_names = {}}};

  for (const Credentials& credentials : unknown) {
    EXPECT_EQ(list->Find(credentials, At(0)).status().code(), absl::StatusCode::kUnauthenticated);
  }
  EXPECT_THAT(std::string(Message(list->Find(unknown.back(), At(0)).status())),
              HasSubstr("send a token"));
}

TEST(AccessListTest, NoFlippedBitOfATokenIsTakenForIt) {
  const std::string token = "0123456789abcdef0123456789abcdef";
  unsigned char digest[32];
  unsigned int size = 0;
  ASSERT_EQ(EVP_Digest(token.data(), token.size(), digest, &size, EVP_sha256(), nullptr), 1);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += fmt::format("{:02X}", byte);  // upper case is read too
  }
  const auto list = AccessList::Parse(
      "access.yaml", Entry("{name: a, role: reader, token_sha256: '" + hex + "'}"));
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_TRUE(list->Find({.token = token, .certificate_names = {}}, At(0)).ok());

  for (std::size_t bit = 0; bit < token.size() * 8; ++bit) {
    std::string flipped = token;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(list->Find({.token = flipped, .certificate_names = {}}, At(0)).ok()) << bit;
  }
}

TEST(AccessListTest, AnEntryEndsAtItsTime) {
  const auto list = AccessList::Parse("access.yaml", Two());
  ASSERT_TRUE(list.ok()) << list.status();
  const Credentials ana = {.token = "abc", .certificate_names = {}};

  EXPECT_TRUE(list->Find(ana, At(kNewYear2027 - 1)).ok());
  const auto expired = list->Find(ana, At(kNewYear2027));

  EXPECT_EQ(expired.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(Message(expired.status())), HasSubstr("the access of ana has expired"));
}

struct Bad {
  std::string yaml;
  std::string phrase;
};

TEST(AccessListTest, RefusesABadFileAndNamesTheEntry) {
  const std::string token = std::string(", token_sha256: ") + kAbc;
  const std::vector<Bad> files = {
      {"", "1 to 1024 callers, found 0"},
      {"callers: []", "1 to 1024 callers, found 0"},
      {"caller: []", "unknown key 'caller'"},
      {Entry("{role: reader" + token + "}"), "callers[0]: name must be"},
      {Entry("{name: 'a b', role: reader" + token + "}"), "callers[0]: name must be"},
      {Entry("{name: " + std::string(64, 'a') + ", role: reader" + token + "}"), "name must be"},
      {Entry("{name: a" + token + "}"), "role must be one of"},
      {Entry("{name: a, role: king" + token + "}"), "king"},
      {Entry("{name: a, role: reader}"), "a needs either token_sha256 or certificate"},
      {Entry("{name: a, role: reader, certificate: b" + token + "}"), "and not both"},
      {Entry("{name: a, role: reader, token_sha256: abc}"), "found 3 characters"},
      {Entry("{name: a, role: reader, token_sha256: " + std::string(64, 'g') + "}"),
       "found another character"},
      {Entry("{name: a, role: reader, expire_time: tomorrow" + token + "}"), "found 'tomorrow'"},
      {Entry("{name: a, role: reader" + token + "}, {name: b, role: writer" + token + "}"),
       "callers[1]: b has the token or certificate of a"},
      {Entry("{name: a, role: reader, certificate: x}, {name: b, role: writer, certificate: x}"),
       "callers[1]: b has the token or certificate of a"},
  };
  for (const Bad& bad : files) {
    const auto list = AccessList::Parse("access.yaml", bad.yaml);
    EXPECT_EQ(list.status().code(), absl::StatusCode::kInvalidArgument) << bad.yaml;
    EXPECT_THAT(std::string(Message(list.status())), HasSubstr(bad.phrase));
    EXPECT_THAT(std::string(Message(list.status())), HasSubstr("access.yaml"));
  }
}

TEST(AccessListTest, TakesAsManyCallersAsItSaysAndNotOneMore) {
  std::string callers;
  for (int i = 0; i < 1024; ++i) {
    callers += fmt::format("{{name: c{0}, role: reader, certificate: c{0}}},", i);
  }
  EXPECT_TRUE(AccessList::Parse("access.yaml", Entry(callers)).ok());
  const auto more = AccessList::Parse(
      "access.yaml", Entry(callers + "{name: one, role: reader, certificate: one}"));
  EXPECT_THAT(std::string(Message(more.status())), HasSubstr("found 1025"));
}

TEST(AccessListTest, AnEndBeyondTheClocksRangeIsNever) {
  const auto list = AccessList::Parse(
      "access.yaml",
      Entry(std::string("{name: a, role: reader, expire_time: '9999-12-31T23:59:59Z', ") +
            "token_sha256: " + kEmpty + "}"));
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->Find({.token = "", .certificate_names = {}}, At(9'000'000'000)).ok());
}

TEST(AccessFileTest, FollowsTheFileAndKeepsTheOldListWhenTheNewOneIsBroken) {
  const storage::TemporaryFolder folder;
  const FixedClock clock;
  const std::string path =
      WriteFile(folder.path() + "/access.yaml",
                Entry(std::string("{name: ana, role: reader, token_sha256: ") + kAbc + "}"));
  const auto file = AccessFile::Open(path, clock);
  ASSERT_TRUE(file.ok()) << file.status();
  const Credentials ana = {.token = "abc", .certificate_names = {}};
  ASSERT_TRUE((*file)->Find(ana).ok());

  WriteFile(path, "callers: [{name: ana");
  EXPECT_EQ((*file)->Look().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE((*file)->Find(ana).ok());
  WriteFile(path, Entry("{name: ben, role: reader, certificate: ben}"));
  EXPECT_TRUE((*file)->Look().ok());
  EXPECT_EQ((*file)->Find(ana).status().code(), absl::StatusCode::kUnauthenticated) << "revoked";
}

TEST(AccessFileTest, AListThatIsDeletedOrEmptiedRevokesEverybodyUntilItIsBack) {
  const storage::TemporaryFolder folder;
  const FixedClock clock;
  const std::string list =
      Entry(std::string("{name: ana, role: reader, token_sha256: ") + kAbc + "}");
  const std::string path = WriteFile(folder.path() + "/access.yaml", list);
  const auto file = AccessFile::Open(path, clock);
  ASSERT_TRUE(file.ok()) << file.status();
  const Credentials ana = {.token = "abc", .certificate_names = {}};

  for (const std::string empty :
       {"(deleted)", "", " \n", "# nobody\n", "callers: []", "callers:"}) {
    if (empty == "(deleted)") {
      std::filesystem::remove(path);
    } else {
      WriteFile(path, empty);
    }
    EXPECT_FALSE((*file)->Look().ok()) << empty;
    const absl::Status nobody = (*file)->Find(ana).status();
    EXPECT_EQ(nobody.code(), absl::StatusCode::kUnauthenticated) << empty;
    WriteFile(path, "callers: [{name: ana");  // a mistake brings nobody back
    EXPECT_FALSE((*file)->Look().ok());
    EXPECT_FALSE((*file)->Find(ana).ok());
    WriteFile(path, list);
    EXPECT_TRUE((*file)->Look().ok()) << empty;
    EXPECT_TRUE((*file)->Find(ana).ok()) << empty;
  }
}

TEST(AccessFileTest, AListThatEverybodyMayWriteIsNotTaken) {
  const storage::TemporaryFolder folder;
  const FixedClock clock;
  const std::string path =
      WriteFile(folder.path() + "/access.yaml",
                Entry(std::string("{name: ana, role: reader, token_sha256: ") + kAbc + "}"));
  std::filesystem::permissions(path, std::filesystem::perms(0666));
  const auto file = AccessFile::Open(path, clock);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Fix(file.status()), "chmod 600 " + path);
}

TEST(PermissionTest, EachIncludesTheOnesBeforeIt) {
  EXPECT_LT(Permission::kAnyone, Permission::kReader);
  EXPECT_LT(Permission::kReader, Permission::kWriter);
  EXPECT_LT(Permission::kWriter, Permission::kOperator);
  EXPECT_EQ(ToString(Permission::kOperator), "operator");
}

}  // namespace
}  // namespace millrace::security
