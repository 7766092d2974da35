#include "clients/cli/dataset.h"

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/data_service.pb.h"

#include "clients/cli/import.h"
#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using data::v1::DatasetVersion;
using data::v1::ImportHeader;
using data::v1::ImportOptions;
using testing::ElementsAre;
using testing::HasSubstr;

class DatasetTest : public CommandTest {
 protected:
  DatasetTest() {
    data_.import_dataset =
        [this](const ImportHeader& header, const std::string&, DatasetVersion& version) {
          header_ = header;
          version = SampleDataset();
          return absl::OkStatus();
        };
    data_.get_dataset = [](const data::v1::GetDatasetRequest& request, DatasetVersion& version) {
      if (request.name() != "datasets/iris") {
        return NotFound("there is no dataset '{}'", request.name());
      }
      version = SampleDataset();
      return absl::OkStatus();
    };
    data_.get_statistics = [](const data::v1::GetStatisticsRequest& request,
                              data::v1::GetStatisticsResponse& response) {
      EXPECT_EQ(request.name(), "datasets/iris/versions/1");  // the one that is shown
      schema::v1::ColumnStatistics& petal = *response.mutable_raw()->add_columns();
      petal.set_column("petal width (cm)");
      petal.set_missing_count(2);
      petal.set_distinct_count(22);
      petal.mutable_numbers()->set_minimum(0.1);
      petal.mutable_numbers()->set_mean(1.19867);
      petal.mutable_numbers()->set_maximum(2.5);
      schema::v1::ColumnStatistics& species = *response.mutable_raw()->add_columns();
      species.set_column("species");
      species.set_distinct_count(4);
      species.set_distinct_estimated(true);
      for (const char* const name : {"a", "b", "c", "d"}) {
        schema::v1::TopValue& top = *species.add_top_values();
        top.set_value(name);
        top.set_count(50);
      }
      return absl::OkStatus();
    };
  }

  ImportHeader header_;  // of the last import
};

TEST_F(DatasetTest, AnImportPrintsItsSummaryAndTheNextCommand) {
  const CommandResult result =
      Command({"dataset", "import", File("iris.csv", "a\n1\n"), "--name=iris"});
  EXPECT_EQ(result.exit, Exit::kDone) << testing::PrintToString(result);
  EXPECT_EQ(result.out, ImportSummary(SampleDataset()));
  EXPECT_THAT(result.err, testing::EndsWith("next: millrace dataset show iris@1\n"));
  EXPECT_EQ(header_.dataset(), "datasets/iris");
  EXPECT_EQ(header_.options().ByteSizeLong(), 0U);  // the service knows the defaults
}

TEST_F(DatasetTest, EveryFlagOfAnImportArrives) {
  const CommandResult result = Command({"dataset",
                                        "import",
                                        File("a.csv", "x"),
                                        "--name=patients",
                                        "--label",
                                        "the outcome",
                                        "--positive=yes",
                                        "--delimiter=;",
                                        "--scaling=standard",
                                        "--no-header",
                                        "--missing",
                                        "unknown value",
                                        "--missing=",
                                        "--drop=patient id",
                                        "--drop=[x,y]",
                                        "--type=a=b=category",
                                        "--type",
                                        "zip code=text",
                                        "--keep-duplicates",
                                        "--train-fraction=0.8",
                                        "--validation-fraction=0.1",
                                        "--split-seed=-7"});
  ASSERT_EQ(result.exit, Exit::kDone) << testing::PrintToString(result);
  const ImportOptions& options = header_.options();
  EXPECT_EQ(options.label(), "the outcome");
  EXPECT_EQ(options.positive_class(), "yes");
  EXPECT_EQ(options.delimiter(), ";");
  EXPECT_EQ(options.scaling(), data::v1::SCALING_STANDARD);
  EXPECT_EQ(options.header(), ImportOptions::HEADER_ABSENT);
  EXPECT_THAT(options.missing_spellings(), ElementsAre("unknown value", ""));
  EXPECT_THAT(options.drop_columns(), ElementsAre("patient id", "[x,y]"));
  EXPECT_EQ(options.column_types().at("a=b"), schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(options.column_types().at("zip code"), schema::v1::COLUMN_TYPE_TEXT);
  EXPECT_TRUE(options.keep_duplicates());
  EXPECT_EQ(options.train_fraction(), 0.8);
  EXPECT_EQ(options.validation_fraction(), 0.1);
  EXPECT_EQ(options.split_seed(), -7);
}

TEST_F(DatasetTest, AnImportAsJsonIsTheVersion) {
  const auto json =
      Command({"dataset", "import", File("a.csv", "x"), "--name=iris", "-o", "json"}).Json();
  EXPECT_EQ(json["name"], "datasets/iris/versions/1");
  EXPECT_EQ(json["rowCount"], "149");
}

TEST_F(DatasetTest, WordsOfAnImportThatMakeNoSenseAreUsageErrors) {
  const std::string file = File("a.csv", "x");
  EXPECT_THAT(Command({"dataset", "import", file, "--name=a", "--type=zip"}),
              FailsWith(Exit::kUsage, "--type must be COLUMN=TYPE, found 'zip'"));
  EXPECT_THAT(Command({"dataset", "import", file, "--name=a", "--type=zip=categry"}),
              FailsWith(Exit::kUsage, "fix: did you mean 'category'?"));
  EXPECT_THAT(Command({"dataset", "import", file, "--name=a", "--scaling=log"}),
              FailsWith(Exit::kUsage, "--scaling must be one of"));
  EXPECT_THAT(Command({"dataset", "import", file, "--name=a", "--header", "--no-header"}),
              FailsWith(Exit::kUsage, "--header excludes --no-header"));
  EXPECT_THAT(Command({"dataset", "import", file, "--name=a", "--train-fraction=most"}),
              FailsWith(Exit::kUsage, "--train-fraction"));
  EXPECT_THAT(Command({"dataset", "import", file}), FailsWith(Exit::kUsage, "--name is required"));
  EXPECT_THAT(Command({"dataset", "import", file, "--name=a", "--lable=b"}),
              FailsWith(Exit::kUsage, "did you mean '--label'?"));
}

TEST_F(DatasetTest, AnImportThatTheServiceRefusesIsInvalid) {
  data_.import_dataset = [](const ImportHeader&, const std::string&, DatasetVersion&) {
    return WithFix(InvalidArgument("a.csv:2:1: found 3 cells, expected 2"), "quote the comma");
  };
  EXPECT_THAT(Command({"dataset", "import", File("a.csv", "x"), "--name=a"}).err,
              testing::ContainsRegex("error: a.csv:2:1: found 3 cells, expected 2\n"
                                     "code: INVALID_ARGUMENT .exit 5., request [0-9a-f]{16}\n"
                                     "fix: quote the comma\n$"));
}

TEST_F(DatasetTest, AMissingFileIsNotFound) {
  EXPECT_THAT(Command({"dataset", "import", "no such.csv", "--name=a"}),
              FailsWith(Exit::kNotFound, "there is no file 'no such.csv'"));
}

TEST_F(DatasetTest, AListIsATableOfVersions) {
  data_.list_datasets = [](const data::v1::ListDatasetsRequest& request,
                           data::v1::ListDatasetsResponse& response) {
    EXPECT_EQ(request.dataset(), "datasets/iris");
    EXPECT_EQ(request.page_size(), 5);
    *response.add_datasets() = SampleDataset();
    return absl::OkStatus();
  };
  const CommandResult result = Command({"dataset", "ls", "iris", "--limit=5"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out,
            "NAME    ROWS  TRAIN  VALIDATION  TEST  DIGEST        CREATED (UTC)\n"
            "iris@1   149    104          22    23  dddddddddddd  2024-05-01 12:30:05\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(Command({"dataset", "ls", "iris", "--limit=5", "-ojson"}).Json()["datasets"].size(),
            1U);
}

TEST_F(DatasetTest, AListThatIsPipedHasTabsNoHeadingsAndNothingCut) {
  data_.list_datasets = [](const auto&, auto& response) {
    *response.add_datasets() = SampleDataset();
    return absl::OkStatus();
  };
  piped_ = true;
  EXPECT_EQ(Command({"dataset", "ls"}).out,
            "iris@1\t149\t104\t22\t23\t" + std::string(64, 'd') + "\t2024-05-01T12:30:05Z\n");
  EXPECT_EQ(Command({"dataset", "ls", "-oname"}).out, "datasets/iris/versions/1\n");
}

TEST_F(DatasetTest, AnEmptyListSaysHowToBegin) {
  data_.list_datasets = [](const data::v1::ListDatasetsRequest& request,
                           data::v1::ListDatasetsResponse&) {
    EXPECT_EQ(request.dataset(), "");
    return absl::OkStatus();
  };
  const CommandResult result = Command({"dataset", "ls"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("next: millrace dataset import FILE"));
  EXPECT_EQ(Command({"dataset", "ls", "-ojson"}).Json()["datasets"].size(), 0U);
}

TEST_F(DatasetTest, ShowTellsTypesAndWhyAndFiguresAndCleaning) {
  const CommandResult result = Command({"dataset", "show", "iris"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out,
            "COLUMN            TYPE      ROLE     WHY\n"
            "petal width (cm)  real      feature  all 149 values are numbers\n"
            "species           category  label    -\n"
            "\n"
            "COLUMN            MISSING  DISTINCT  MINIMUM   MEAN  MAXIMUM  MOST FREQUENT\n"
            "petal width (cm)        2        22      0.1  1.199      2.5  -\n"
            "species                 0        ~4        -      -        -  a 50, b 50, c 50, ...\n"
            "\n" +
                ImportSummary(SampleDataset()));
  EXPECT_THAT(result.err, HasSubstr("next: millrace run start --dataset iris@1"));
}

TEST_F(DatasetTest, ShowAsJsonHasBothParts) {
  const auto json = Command({"-ojson", "dataset", "show", "iris"}).Json();
  EXPECT_EQ(json["dataset"]["sha256"], std::string(64, 'd'));
  EXPECT_EQ(json["statistics"]["raw"]["columns"].size(), 2U);
}

TEST_F(DatasetTest, AnUnknownDatasetIsNotFound) {
  EXPECT_THAT(Command({"dataset", "show", "iriss"}),
              FailsWith(Exit::kNotFound, "there is no dataset 'datasets/iriss'"));
}

TEST_F(DatasetTest, AListOfADatasetThatIsNotThereSaysSo) {
  data_.list_datasets = [](const auto& request, auto& response) {
    if (request.dataset().empty()) {
      *response.add_datasets() = SampleDataset();
    }
    return absl::OkStatus();
  };
  EXPECT_THAT(Command({"dataset", "ls", "irsi"}),
              FailsWith(Exit::kNotFound, "fix: did you mean 'iris'?"));
}

TEST_F(DatasetTest, RmTellsWhatStandsOnIt) {
  serving_.list_models = [](const auto&, serving::v1::ListModelsResponse& response) {
    *response.add_models() = SampleModel();
    serving::v1::ModelVersion& other = *response.add_models();
    other = SampleModel();
    other.mutable_manifest()->mutable_lineage()->set_dataset_version("datasets/irises/versions/1");
    return absl::OkStatus();
  };
  training_.list_runs = [](const auto&, training::v1::ListRunsResponse& response) {
    *response.add_runs() = SampleRun(training::v1::Run::STATE_WAITING);
    *response.add_runs() = SampleRun(training::v1::Run::STATE_SUCCEEDED);
    return absl::OkStatus();
  };
  answer_ = "n\n";
  EXPECT_THAT(Command({"dataset", "rm", "iris"}).err,
              testing::StartsWith(
                  "trained on it, and cannot be trained again without it: iris@3 (serves 100 % of "
                  "its traffic)\nrun amber-owl uses it: waiting\ndelete iris? [y/N] "));
}

TEST_F(DatasetTest, ADryRunReadsTheFile) {
  const auto dry = [this](const std::string& text, const std::string& flag) {
    return Command({"dataset", "import", File("a.csv", text), "--name=iris", "--dry-run", flag});
  };
  EXPECT_EQ(dry("a,b\n1,2\n", "--label=b").err,
            fmt::format("would import '{}/a.csv' as iris\n", folder_.path()));
  EXPECT_THAT(
      dry("Species,b\n1,2\n", "--label=species"),
      FailsWith(Exit::kInvalid, "a.csv:1:1: the label must be one of 2 columns, found 'species'"));
  EXPECT_THAT(dry("species,b\n1,2\n", "--label=specis"),
              FailsWith(Exit::kInvalid, "fix: did you mean 'species'?"));
  EXPECT_THAT(dry("a;b\n1;2\n", "--drop=c"), FailsWith(Exit::kInvalid, "its columns are: a, b"));
  EXPECT_THAT(dry("a\n1\n", "--train-fraction=70"),
              FailsWith(Exit::kInvalid, "--train-fraction must be in (0, 1], found 70"));
  EXPECT_THAT(dry("", "--label=a"), FailsWith(Exit::kInvalid, "found an empty file"));
  EXPECT_THAT(dry("a\n", "--label=a"), FailsWith(Exit::kInvalid, "found only the header"));
  EXPECT_THAT(Command({"dataset", "import", "none.csv", "--name=a", "--dry-run"}),
              FailsWith(Exit::kNotFound, "there is no file 'none.csv'"));
  EXPECT_THAT(Command({"dataset", "import", File("b.csv", "a\n1\n"), "--name=My A", "--dry-run"}),
              FailsWith(Exit::kInvalid, "--name must be NAME, NAME@VERSION"));
  EXPECT_EQ(header_.dataset(), "") << "nothing was sent";
}

TEST_F(DatasetTest, FieldsAreToldAsFlags) {
  data_.import_dataset = [](const auto&, const auto&, auto&) {
    return InvalidArgument(
        "options.column_types must be COLUMN_TYPE_REAL, found 'options.label' of TASK_MULTICLASS");
  };
  EXPECT_THAT(Command({"dataset", "import", File("a.csv", "x"), "--name=a"}),
              FailsWith(Exit::kInvalid,
                        "error: --type must be real, found 'options.label' of multiclass\n"));
}

TEST_F(DatasetTest, ALongCleaningTableIsShownShortened) {
  data_.get_dataset = [](const auto&, DatasetVersion& version) {
    version = SampleDataset();
    for (int i = 0; i < 20; ++i) {
      *version.add_effects() = version.effects(0);
    }
    return absl::OkStatus();
  };
  EXPECT_THAT(Command({"dataset", "show", "iris"}).out,
              testing::EndsWith("and 13 more; -o wide and -o json have all\n"));
  EXPECT_THAT(Command({"dataset", "show", "iris", "-owide"}).out,
              testing::Not(HasSubstr(" more; ")));
}

TEST_F(DatasetTest, RmSaysHowManyAreGone) {
  data_.delete_dataset_version = [](const data::v1::DeleteDatasetVersionRequest& request,
                                    data::v1::DeleteDatasetVersionResponse&) {
    EXPECT_EQ(request.name(), "datasets/iris/versions/2");
    return absl::OkStatus();
  };
  data_.delete_dataset = [](const data::v1::DeleteDatasetRequest& request,
                            data::v1::DeleteDatasetResponse& response) {
    EXPECT_EQ(request.name(), "datasets/iris");
    EXPECT_TRUE(request.force());
    response.set_deleted_count(3);
    return absl::OkStatus();
  };
  data_.get_dataset = [](const data::v1::GetDatasetRequest& request, DatasetVersion& version) {
    version.set_name(request.name());
    return absl::OkStatus();
  };
  EXPECT_EQ(Command({"dataset", "rm", "iris@2", "--yes"}).out, "deleted 1 version(s)\n");
  EXPECT_EQ(Command({"dataset", "rm", "iris@2", "-ojson", "--yes"}).Json()["deletedCount"], 1);
  EXPECT_EQ(Command({"dataset", "rm", "iris", "--yes"}).out, "deleted 3 version(s)\n");
}

TEST_F(DatasetTest, AServiceThatIsDownSaysWhatToDo) {
  StopServer(data_server_);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"dataset", "ls"}, {"dataset", "show", "a"}, {"dataset", "rm", "a", "--yes"}}) {
    EXPECT_THAT(Command(words),
                FailsWith(Exit::kTryAgain, "fix: 'millrace up' starts it; --data-address"));
  }
}

}  // namespace
}  // namespace millrace::cli
