// The command against real services: a long work that is broken off, what the services say of
// themselves, and services that are guarded.

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "clients/cli/command_line.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/process.h"
#include "common/storage/sha256.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/unit/common/security/certificate_maker.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::integration {
namespace {

namespace fs = std::filesystem;
using cli::Exit;
using cli::Process;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

struct Outcome {
  Exit exit = Exit::kDone;
  std::string out;
  std::string err;
};

// The command in this process.
Outcome Do(const std::vector<std::string>& words) {
  std::ostringstream out;
  std::ostringstream err;
  cli::Console console(out, err, /*live=*/false);
  const Exit exit = cli::Perform(words, console, std::stop_token());
  return {.exit = exit, .out = out.str(), .err = err.str()};
}

constexpr int kRows = 60'000;

class PredictDatasetTest : public LocalServicesTest {
 protected:
  static void SetUpTestSuite() {
    StartServices({});
    const auto iris = ReadExample("iris.yaml");
    Require(iris.status());
    Require(Apply(clients(), *iris).status());
    std::string csv = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n";
    for (int row = 0; row < kRows; ++row) {
      csv += fmt::format("{}.{},{}.{},{}.{},{}.{}\n",
                         4 + row % 4,
                         row % 10,
                         2 + row / 7 % 3,
                         row / 3 % 10,
                         1 + row / 11 % 6,
                         row / 5 % 10,
                         row / 13 % 3,
                         row / 2 % 10);
    }
    data::v1::ImportHeader header = HeaderOf("plants", "plants.csv", "");
    header.mutable_options()->set_keep_duplicates(true);
    Require(Import(clients().data(), header, csv).status());
  }

  PredictDatasetTest() { setenv("XDG_STATE_HOME", folder_.path().c_str(), 1); }

  // Starts the command as a process of its own.
  Process Start(const std::string& into) {
    fs::remove(log_);
    auto process = Process::Start({fmt::format("{}/millrace", MILLRACE_PROGRAMS),
                                   "--data-address=" + services().address(Service::kData),
                                   "--serving-address=" + services().address(Service::kServing),
                                   "predict",
                                   "iris",
                                   "--dataset=plants",
                                   "--into=" + into},
                                  log_);
    Require(process.status());
    return *std::move(process);
  }

  // How many rows are answered, by the files that the command keeps.
  [[nodiscard]] int Answered() const {
    const std::string works = folder_.path() + "/millrace/predictions";
    int rows = 0;
    if (fs::is_directory(works)) {
      for (const auto& entry : fs::recursive_directory_iterator(works)) {
        const std::string name = entry.path().filename().string();
        // part-FIRST-ROWS; one that is being written has another ending.
        if (name.starts_with("part-") && name.find('.') == std::string::npos) {
          rows += std::stoi(name.substr(name.rfind('-') + 1));
        }
      }
    }
    return rows;
  }

  // Waits until more than `rows` are answered. False when the process ended before.
  [[nodiscard]] bool WaitUntilMore(int rows, const Process& process) const {
    while (Answered() <= rows) {
      if (process.WaitForEnd(milliseconds(1))) {
        return false;
      }
    }
    return true;
  }

  static std::string DigestOf(const std::string& dataset) {
    data::v1::GetDatasetRequest request;
    request.set_name("datasets/" + dataset);
    const auto version = Call(clients().data(), &DataStub::GetDataset, request);
    Require(version.status());
    return version->sha256();
  }

  storage::TemporaryFolder folder_;
  std::string log_ = folder_.path() + "/log";
};

TEST_F(PredictDatasetTest, BrokenOffTwiceItEndsWithTheDigestOfAnUnbrokenOne) {
  Process whole = Start("whole");
  ASSERT_TRUE(whole.WaitForEnd(seconds(60)));
  ASSERT_EQ(whole.TakeExitCode(), 0) << TextOf(log_);

  const Process killed = Start("broken");
  ASSERT_TRUE(WaitUntilMore(0, killed)) << TextOf(log_);
  killed.Signal(SIGKILL);
  ASSERT_TRUE(killed.WaitForEnd(seconds(10)));
  const int first = Answered();
  ASSERT_GT(first, 0);
  ASSERT_LT(first, kRows);

  Process forsaken = Start("broken");
  ASSERT_TRUE(WaitUntilMore(first, forsaken)) << TextOf(log_);
  Require(services().Kill(Service::kServing));
  ASSERT_TRUE(forsaken.WaitForEnd(seconds(30)));
  EXPECT_EQ(forsaken.TakeExitCode(), static_cast<int>(Exit::kTryAgain)) << TextOf(log_);
  EXPECT_THAT(TextOf(log_), HasSubstr(fmt::format("going on at row {}\n", first)));
  const int second = Answered();
  EXPECT_GT(second, first);
  EXPECT_THAT(TextOf(log_), HasSubstr(fmt::format("the same command goes on at row {}", second)));

  Require(services().Start(Service::kServing));
  Process last = Start("broken");
  ASSERT_TRUE(last.WaitForEnd(seconds(60)));
  ASSERT_EQ(last.TakeExitCode(), 0) << TextOf(log_);
  EXPECT_THAT(TextOf(log_), HasSubstr(fmt::format("going on at row {}\n", second)));
  EXPECT_EQ(DigestOf("broken"), DigestOf("whole"));
  EXPECT_TRUE(fs::is_empty(folder_.path() + "/millrace/predictions"));
}

class StatusTest : public LocalServicesTest {
 protected:
  // Words for the command, with the ways to the services.
  static std::vector<std::string> With(std::vector<std::string> words) {
    words.insert(words.end(),
                 {"--data=" + services().address(Service::kData),
                  "--training=" + services().address(Service::kTraining),
                  "--serving=" + services().address(Service::kServing)});
    return words;
  }
};

TEST_F(StatusTest, TheServicesTellTheirVersionBuildAndClock) {
  const Outcome version = Do(With({"version", "-ojson"}));
  ASSERT_EQ(version.exit, Exit::kDone) << version.err;
  EXPECT_EQ(version.err, "");
  const auto json = nlohmann::json::parse(version.out);
  ASSERT_EQ(json["services"].size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& told = json["services"][i];
    EXPECT_EQ(told["service"], (std::array{"data", "training", "serving"}[i]));
    EXPECT_EQ(told["version"], json["version"]);
    EXPECT_EQ(told["build"], json["build"]);
    EXPECT_LE(told["startTime"].get<std::string>(), told["time"].get<std::string>());
  }
}

TEST_F(StatusTest, ADoctorFindsThemOfOneReleaseAndTime) {
  const Outcome doctor = Do(With({"doctor"}));
  EXPECT_EQ(doctor.exit, Exit::kDone) << doctor.out << doctor.err;
  for (const Service service : kServices) {
    EXPECT_THAT(doctor.out, HasSubstr(services().address(service) + " serves, version "));
  }
}

// A data service with TLS, clients' certificates and an access list.
class GuardedTest : public testing::Test {
 protected:
  GuardedTest() {
    setenv("XDG_CONFIG_HOME", (folder_.path() + "/config").c_str(), 1);
    Write("authority.pem", maker_.authority());
    const security::Pem server = maker_.Make();
    Write("server.pem", server.certificate);
    Write("server.key", server.key);
    const security::Pem anna = maker_.Make({.name = "anna", .alternative = "DNS:anna.example"});
    Write("anna.pem", anna.certificate);
    Write("anna.key", anna.key);
    Write("token", "a-token-of-the-reader-0123456789");
    Write("wrong", "a-token-of-nobody-at-all-01234567");
    Write("access.yaml",
          fmt::format("callers:\n"
                      "  - name: ward\n    role: reader\n    token_sha256: {}\n"
                      "  - name: anna\n    role: operator\n    certificate: anna.example\n",
                      storage::ToHex(storage::Sha256Of("a-token-of-the-reader-0123456789"))));
    Start();
  }

  void TearDown() override {
    if (service_) {
      service_->Stop(seconds(30)).IgnoreError();
    }
  }

  void Write(const std::string& name, const std::string& text) const {
    security::WriteFile(Path(name), text);
  }

  [[nodiscard]] std::string Path(const std::string& name) const {
    return folder_.path() + "/" + name;
  }

  void Start() {
    auto service = Process::Start({fmt::format("{}/millrace-data", MILLRACE_PROGRAMS),
                                   "--address=127.0.0.1:0",
                                   "--folder=" + Path("data"),
                                   "--port-file=" + Path("port"),
                                   "--tls.certificate=" + Path("server.pem"),
                                   "--tls.key=" + Path("server.key"),
                                   "--tls.authority=" + Path("authority.pem"),
                                   "--access_file=" + Path("access.yaml")},
                                  Path("log"));
    Require(service.status());
    service_ = *std::move(service);
    std::string port;
    while (port.empty() && !service_->WaitForEnd(milliseconds(5))) {
      std::ifstream(Path("port")) >> port;
    }
    ASSERT_FALSE(port.empty()) << TextOf(Path("log"));
    address_ = "localhost:" + port;
  }

  [[nodiscard]] std::vector<std::string> List(std::vector<std::string> more) const {
    more.insert(more.begin(), {"dataset", "ls", "--data=" + address_});
    return more;
  }

  [[nodiscard]] std::vector<std::string> Certificate() const {
    return {
        "--ca=" + Path("authority.pem"), "--cert=" + Path("anna.pem"), "--key=" + Path("anna.key")};
  }

  storage::TemporaryFolder folder_;
  security::CertificateMaker maker_;
  std::optional<Process> service_;
  std::string address_;
};

TEST_F(GuardedTest, ACallerIsKnownByItsCertificateOrByItsToken) {
  std::vector<std::string> words = List(Certificate());
  EXPECT_EQ(Do(words).exit, Exit::kDone) << Do(words).err;
  words.push_back("--token-file=" + Path("token"));  // what a token says goes before
  EXPECT_EQ(Do(words).exit, Exit::kDone) << Do(words).err;
  std::vector<std::string> import = words;  // more than a reader may
  import[1] = "import";
  import.insert(import.end(), {Path("authority.pem"), "--name=roses"});
  EXPECT_EQ(Do(import).exit, Exit::kAuthentication) << Do(import).err;
  words.back() = "--token-file=" + Path("wrong");
  EXPECT_EQ(Do(words).exit, Exit::kAuthentication) << Do(words).err;
}

TEST_F(GuardedTest, AReaderIsToldTheVersionAndNobodyElse) {
  std::vector<std::string> words = {
      "version", "--data=" + address_, "--training=127.0.0.1:1", "--serving=127.0.0.1:1"};
  words.push_back("--ca=" + Path("authority.pem"));
  words.push_back("--cert=" + Path("anna.pem"));
  words.push_back("--key=" + Path("anna.key"));
  words.push_back("--token-file=" + Path("token"));
  EXPECT_THAT(Do(words).out, HasSubstr("\ndata "));
  words.back() = "--token-file=" + Path("wrong");
  const Outcome stranger = Do(words);
  EXPECT_EQ(stranger.exit, Exit::kDone);
  EXPECT_THAT(stranger.out, Not(HasSubstr("data")));
  EXPECT_THAT(stranger.err, HasSubstr(address_ + " does not tell its version: "));
}

TEST_F(GuardedTest, AContextHasAllThatIsNeeded) {
  std::vector<std::string> add = Certificate();
  add.insert(add.begin(), {"context", "add", "lab", "--use", "--data=" + address_});
  ASSERT_EQ(Do(add).exit, Exit::kDone) << Do(add).err;
  EXPECT_EQ(Do({"dataset", "ls"}).exit, Exit::kDone);
  setenv("MILLRACE_TOKEN", "a-token-of-nobody-at-all-01234567", 1);
  const Outcome wrong = Do({"dataset", "ls"});
  unsetenv("MILLRACE_TOKEN");
  EXPECT_EQ(wrong.exit, Exit::kAuthentication) << wrong.err;
  EXPECT_THAT(wrong.err, HasSubstr(", request "));
}

TEST_F(GuardedTest, WithoutTlsOrWithAnotherAuthorityTheFixNamesTheFlag) {
  const Outcome plain = Do(List({}));
  EXPECT_EQ(plain.exit, Exit::kTryAgain);
  EXPECT_THAT(plain.err, HasSubstr("needs --ca, or a context that has it"));
  Write("other.pem", security::CertificateMaker("other").authority());
  std::vector<std::string> words = List(Certificate());
  words[3] = "--ca=" + Path("other.pem");
  const Outcome other = Do(words);
  EXPECT_EQ(other.exit, Exit::kTryAgain);
  EXPECT_THAT(other.err, HasSubstr("comes from --ca's authority"));
}

}  // namespace
}  // namespace millrace::integration
