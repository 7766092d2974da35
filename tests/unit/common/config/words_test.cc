#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "millrace/pipeline/v1/pipeline.pb.h"

#include "common/config/config.h"
#include "common/status/status.h"

namespace millrace::config {
namespace {

using pipeline::v1::PipelineSpec;
using testing::HasSubstr;

class WordsTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = testing::TempDir() + "/words_test." + std::to_string(getpid()) + ".yaml";
    std::ofstream(file_) << "model: from-file\ntraining: {epochs: 1, batch_size: 1, seed: 1}\n";
  }

  void TearDown() override { unlink(file_.c_str()); }

  absl::StatusOr<Words> Fill(const std::vector<std::string>& words,
                             const std::vector<std::string>& environment = {}) {
    return FillFromWords("te-st", words, environment, spec_);
  }

  void ExpectFailure(const std::vector<std::string>& words, const std::string& phrase) {
    const absl::Status status = Fill(words).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << phrase;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
    EXPECT_EQ(spec_.ByteSizeLong(), 0U) << "nothing is changed";
  }

  std::string file_;
  PipelineSpec spec_;
};

TEST_F(WordsTest, FlagsGoOverVariablesAndVariablesOverTheFile) {
  const auto words = Fill({"--training.seed", "3", "--config", file_},
                          {"MILLRACE_TE_ST_TRAINING_SEED=2",
                           "MILLRACE_TE_ST_TRAINING_BATCH_SIZE=2",
                           "MILLRACE_OTHER_FIELD=1"});

  ASSERT_TRUE(words.ok()) << words.status();
  EXPECT_EQ(words->action, Words::Action::kRun);
  EXPECT_EQ(spec_.model(), "from-file");
  EXPECT_EQ(spec_.training().epochs(), 1);
  EXPECT_EQ(spec_.training().batch_size(), 2);
  EXPECT_EQ(spec_.training().seed(), 3);
}

TEST_F(WordsTest, AFlagTakesItsValueEitherWayAndASwitchNeedsNone) {
  ASSERT_TRUE(Fill({"--training.batch-size=5",
                    "--dataset.options.keep-duplicates",
                    "--model",
                    "--odd",
                    "--dataset.options.label="})
                  .ok());

  EXPECT_EQ(spec_.training().batch_size(), 5);
  EXPECT_TRUE(spec_.dataset().options().keep_duplicates());
  EXPECT_EQ(spec_.model(), "--odd") << "a value may look like a flag";
  EXPECT_EQ(spec_.dataset().options().label(), "");

  ASSERT_TRUE(Fill({"--dataset.options.keep-duplicates=false"}).ok());
  EXPECT_FALSE(spec_.dataset().options().keep_duplicates());
}

TEST_F(WordsTest, ReportsWhatTheCallerMustDo) {
  EXPECT_EQ(Fill({})->action, Words::Action::kRun);
  EXPECT_EQ(Fill({"--help", "--nonsense"})->action, Words::Action::kHelp);
  EXPECT_EQ(Fill({"--version"})->action, Words::Action::kVersion);
  EXPECT_EQ(spec_.ByteSizeLong(), 0U);

  EXPECT_EQ(Fill({"--probe", "--model=a"})->action, Words::Action::kProbe);
  EXPECT_EQ(spec_.model(), "a") << "a probe needs the address";

  EXPECT_EQ(Fill({"--verify", "--model=b"})->action, Words::Action::kVerify);
  EXPECT_EQ(spec_.model(), "b") << "and the state its folder";
  EXPECT_EQ(Fill({"--backup", "/to"})->action, Words::Action::kBackup);
  EXPECT_EQ(Fill({"--backup", "/to"})->folder, "/to");
  EXPECT_EQ(Fill({"--restore=/from", "--model=c"})->action, Words::Action::kRestore);
  EXPECT_EQ(Fill({"--restore=/from"})->folder, "/from");
}

TEST_F(WordsTest, RefusesWhatItDoesNotKnowAndChangesNothing) {
  ExpectFailure({"--model=a", "word"}, "unexpected word 'word'");
  ExpectFailure({"--model=a", "-m"}, "unexpected word '-m'");
  ExpectFailure({"--model=a", "--"}, "unexpected word '--'");
  ExpectFailure({"--model=a", "--modle"}, "command line: there is no setting 'modle'");
  ExpectFailure({"--model"}, "--model needs a value");
  ExpectFailure({"--config"}, "--config needs a value");
  ExpectFailure({"--model=a", "--backup"}, "--backup needs a value");
  ExpectFailure({"--model=a", "--restore="}, "--restore needs a folder");
  ExpectFailure({"--model=a", "--verify=yes"}, "there is no setting 'verify'");
  ExpectFailure({"--model=a", "--training.seed=x"}, "command line: training.seed must be a whole");
  ExpectFailure({"--model=a", "--help=yes"}, "there is no setting 'help'");
  EXPECT_EQ(Fix(Fill({"--modle=a"}).status()), "did you mean 'model'?");
}

TEST_F(WordsTest, AFileThatCannotBeReadOrIsWrongIsNamed) {
  const absl::Status missing = Fill({"--config", file_ + ".no"}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(missing)), HasSubstr(file_ + ".no"));

  EXPECT_EQ(Fill({"--config", testing::TempDir()}).status().code(), absl::StatusCode::kNotFound);

  std::ofstream(file_) << "modle: a\n";
  ExpectFailure({"--config=" + file_}, file_ + ":1:1: unknown key 'modle'");
}

}  // namespace
}  // namespace millrace::config
