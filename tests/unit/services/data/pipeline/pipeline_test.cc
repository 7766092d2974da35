#include "services/data/pipeline/pipeline.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/features/transformer.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "tests/unit/common/features/table_groups.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/data/import/staged_text.h"

namespace millrace::data {
namespace {

using testing::HasSubstr;

// What came out of a pipeline, put together.
struct Result {
  features::Table table;  // the rows that stayed
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
  std::vector<std::int64_t> test;
  schema::v1::TransformSet transforms;
  schema::v1::Statistics raw_statistics;
  schema::v1::Statistics train_statistics;
  v1::GetStatisticsResponse statistics;
  std::vector<v1::CleaningEffect> effects;
  v1::ImportOptions options;
};

absl::StatusOr<Result> RunPipeline(const v1::ImportHeader& header,
                                   const StagedFile& file,
                                   const std::stop_token& stop,
                                   std::int64_t block_bytes = BlockSizes::kBlockBytes,
                                   const ImportLimits& limits = {}) {
  const storage::TemporaryFolder folder;
  absl::Status status;
  Result whole;
  {
    const auto result =
        RunPipeline(header,
                    file,
                    {.scratch = {.files = storage::PosixFileSystem(), .folder = folder.path()},
                     .threads = 2,
                     .limits = limits,
                     .block_bytes = block_bytes},
                    stop);
    status = result.status();
    if (result.ok()) {
      whole.table = features::Gathered(*result->rows, result->schema, result->marks);
      features::RowMarks kept = result->marks;
      kept.erase(std::remove(kept.begin(), kept.end(), features::kDropped), kept.end());
      whole.train = features::RowsWith(kept, schema::v1::SPLIT_TRAIN);
      whole.validation = features::RowsWith(kept, schema::v1::SPLIT_VALIDATION);
      whole.test = features::RowsWith(kept, schema::v1::SPLIT_TEST);
      whole.transforms = result->transforms;
      whole.statistics = result->statistics;
      whole.raw_statistics = result->statistics.raw();
      whole.train_statistics = result->statistics.train();
      whole.effects = result->effects;
      whole.options = result->options;
    }
  }
  EXPECT_THAT(*storage::PosixFileSystem().List(folder.path()), testing::IsEmpty())
      << "no temporary file outlives the import";
  if (!status.ok()) {
    return status;
  }
  return whole;
}

v1::ImportHeader Header(const std::string& label) {
  v1::ImportHeader header;
  header.set_dataset("datasets/example");
  header.set_file_name("t.csv");
  header.mutable_options()->set_label(label);
  return header;
}

std::string FileText(const std::string& name) {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/tests/data/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

const v1::CleaningEffect* EffectOf(const Result& result, const std::string& rule) {
  const auto found = std::find_if(result.effects.begin(),
                                  result.effects.end(),
                                  [&rule](const auto& effect) { return effect.rule() == rule; });
  return found == result.effects.end() ? nullptr : &*found;
}

TEST(PipelineTest, BreastCancerBecomesThirtyScaledInputs) {
  v1::ImportHeader header = Header("diagnosis");
  header.mutable_options()->set_positive_class("malignant");
  const auto result = RunPipeline(header, StagedText(FileText("breast_cancer.csv")), {});

  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->table.row_count(), 569);
  EXPECT_EQ(result->transforms.input_count(), 30);
  EXPECT_EQ(result->transforms.task(), schema::v1::TASK_BINARY);
  EXPECT_EQ(result->transforms.label().classes(1), "malignant");
  EXPECT_EQ(result->train.size(), 398U);
  EXPECT_EQ(result->validation.size() + result->test.size(), 171U);
  EXPECT_TRUE(result->effects.empty());
  EXPECT_EQ(result->raw_statistics.row_count(), 569);
  EXPECT_EQ(result->train_statistics.row_count(), 398);
}

TEST(PipelineTest, TrainIsScaledToBetweenZeroAndOne) {
  const auto result =
      RunPipeline(Header("diagnosis"), StagedText(FileText("breast_cancer.csv")), {});
  ASSERT_TRUE(result.ok()) << result.status();
  const auto transformer = features::Transformer::Create(result->transforms);
  ASSERT_TRUE(transformer.ok()) << transformer.status();
  std::vector<float> x(result->train.size() * 30);
  ASSERT_TRUE(transformer->Encode(result->table, result->train, x).ok());

  EXPECT_EQ(*std::min_element(x.begin(), x.end()), 0.0F);
  EXPECT_EQ(*std::max_element(x.begin(), x.end()), 1.0F);
}

TEST(PipelineTest, IrisLosesItsRepeatedRow) {
  const auto result = RunPipeline(Header("species"), StagedText(FileText("iris.csv")), {});

  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->table.row_count(), 149);
  EXPECT_EQ(result->transforms.task(), schema::v1::TASK_MULTICLASS);
  EXPECT_EQ(result->transforms.input_count(), 4);
  const v1::CleaningEffect* effect = EffectOf(*result, "duplicate_rows");
  ASSERT_NE(effect, nullptr);
  EXPECT_EQ(effect->count(), 1);
  EXPECT_EQ(result->raw_statistics.row_count(), 150) << "raw is before cleaning";
}

TEST(PipelineTest, OptionsComeBackComplete) {
  const auto result = RunPipeline(Header("species"), StagedText(FileText("iris.csv")), {});

  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->options.delimiter(), ",");
  EXPECT_EQ(result->options.header(), v1::ImportOptions::HEADER_PRESENT);
  EXPECT_EQ(result->options.train_fraction(), 0.7);
  EXPECT_EQ(result->options.scaling(), v1::SCALING_MIN_MAX);
  EXPECT_EQ(result->options.column_types_size(), 5);

  const auto binary =
      RunPipeline(Header("diagnosis"), StagedText(FileText("breast_cancer.csv")), {});
  ASSERT_TRUE(binary.ok()) << binary.status();
  EXPECT_EQ(binary->options.positive_class(), "malignant");
}

TEST(PipelineTest, RunningWithTheOptionsThatCameBackGivesTheSame) {
  v1::ImportHeader header = Header("weather");
  const std::string text = FileText("seattle_weather.csv");
  const auto first = RunPipeline(header, StagedText(text), {});
  ASSERT_TRUE(first.ok()) << first.status();
  *header.mutable_options() = first->options;
  const auto second = RunPipeline(header, StagedText(text), {});
  ASSERT_TRUE(second.ok()) << second.status();

  EXPECT_EQ(second->train, first->train);
  EXPECT_EQ(second->test, first->test);
  EXPECT_EQ(second->transforms.input_count(), first->transforms.input_count());
  EXPECT_EQ(second->train_statistics.DebugString(), first->train_statistics.DebugString());
}

// The text of a CSV cell that reads as `text`.
std::string Quoted(const std::string& text, Random& random) {
  if (text.find_first_of(",\"\n\r") == std::string::npos && random.Below(4) > 0) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

// Its options name what was made of a file, where a larger limit makes more of it: they are a part
// of a version's digest.
TEST(PipelineTest, TheOptionsSayWhatALimitKeptOut) {
  std::string text = "x,size,y\n";
  for (int i = 0; i < 60; ++i) {
    text += fmt::format("{},size {},{}\n", i % 20, i % 4, i % 3);
  }
  v1::ImportHeader header = Header("y");
  const auto open = RunPipeline(header, StagedText(text), {});
  const auto limited =
      RunPipeline(header, StagedText(text), {}, BlockSizes::kBlockBytes, {.categories_max = 3});
  ASSERT_TRUE(open.ok()) << open.status();
  ASSERT_TRUE(limited.ok()) << limited.status();
  EXPECT_THAT(open->options.drop_columns(), testing::IsEmpty());
  EXPECT_THAT(limited->options.drop_columns(), testing::ElementsAre("size"));
  EXPECT_EQ(open->transforms.input_count(), 1 + 5);
  EXPECT_EQ(limited->transforms.input_count(), 1);

  *header.mutable_options() = limited->options;
  const auto again = RunPipeline(header, StagedText(text), {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->options.DebugString(), limited->options.DebugString());
  EXPECT_EQ(again->transforms.input_count(), 1);
}

TEST(PipelineTest, ALabelHasAtMostAsManyClassesAsTheLimit) {
  std::string text = "x,y\n";
  for (int i = 0; i < 60; ++i) {
    text += fmt::format("{},kind {}\n", i % 7, i % 4);
  }
  const auto run = [&](std::int64_t classes_max) {
    return RunPipeline(Header("y"),
                       StagedText(text),
                       {},
                       BlockSizes::kBlockBytes,
                       {.classes_max = classes_max})
        .status();
  };

  EXPECT_TRUE(run(4).ok()) << run(4);
  EXPECT_EQ(run(3).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(run(3)), "t.csv: label 'y' must have at most 3 classes, found more");
}

using TextRows = std::vector<std::vector<std::string>>;

// Sixty rows of a number, a colour, a day, a flag and a label.
TextRows RandomRows(Random& random) {
  const std::vector<std::string> numbers = {"1", "-2.5", " 3e2 ", "N/A", "", "0.1", "?", "7"};
  const std::vector<std::string> colours = {"red", "b,l\"ue", "gr\neen", "n/a", " red ", "ä", "-"};
  TextRows rows;
  for (int i = 0; i < 60; ++i) {
    rows.push_back({numbers[random.Below(numbers.size())],
                    colours[random.Below(colours.size())],
                    fmt::format("2024-01-{:02}", 1 + random.Below(28)),
                    random.Below(2) == 0 ? "Yes" : "no",
                    i % 2 == 0 ? "a" : "b"});
  }
  return rows;
}

std::string AsCsv(const TextRows& rows, Random& random) {
  std::string text = "number,colour,when,flag,y\r\n";
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      text += fmt::format("{}{}", c == 0 ? "" : ",", Quoted(row[c], random));
    }
    text += random.Below(2) == 0 ? "\n" : "\r\n";
  }
  return text;
}

// Expects each of the rows, sent raw, to be encoded as the table's row.
void ExpectTheSameBits(const Result& result, const TextRows& rows) {
  const auto transformer = features::Transformer::Create(result.transforms);
  ASSERT_TRUE(transformer.ok()) << transformer.status();
  const std::vector<std::string_view> names = {"number", "colour", "when", "flag"};
  const auto binding = transformer->Bind(names, {});
  ASSERT_TRUE(binding.ok()) << binding.status();
  const auto inputs = static_cast<std::size_t>(transformer->input_count());
  std::vector<float> of_table(inputs);
  std::vector<float> of_row(inputs);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    schema::v1::Row row;
    for (std::size_t c = 0; c < names.size(); ++c) {
      row.add_values()->set_text(rows[i][c]);
    }
    const std::vector<std::int64_t> place = {static_cast<std::int64_t>(i)};
    ASSERT_TRUE(transformer->Encode(result.table, place, of_table).ok());
    ASSERT_TRUE(transformer->Encode(*binding, row, of_row).ok());
    ASSERT_EQ(std::memcmp(of_table.data(), of_row.data(), inputs * sizeof(float)), 0);
  }
}

// Goal: a cell means the same in a file and in a prediction, missing spellings and awkward texts
// included. Method: random tables, written with random quoting, imported; then every row sent raw
// as texts, and compared bit by bit with what the table encodes to.
TEST(PipelineTest, ARawRowIsEncodedAsItsRowInTheFile) {
  Random random(21);
  for (int round = 0; round < 20; ++round) {
    const TextRows rows = RandomRows(random);
    v1::ImportHeader header = Header("y");
    header.mutable_options()->set_keep_duplicates(true);
    const auto result = RunPipeline(header, StagedText(AsCsv(rows, random)), {});

    ASSERT_TRUE(result.ok()) << result.status();
    ExpectTheSameBits(*result, rows);
  }
}

TEST(PipelineTest, ImputesWhatTheFileMisses) {
  std::string text = "x,z,y\n";
  for (int i = 0; i < 40; ++i) {
    text += fmt::format("{},{},{}\n", i % 4 == 0 ? "NA" : fmt::format("{}.5", i), i * i, i % 2);
  }
  const auto result = RunPipeline(Header("y"), StagedText(text), {});

  ASSERT_TRUE(result.ok()) << result.status();
  const v1::CleaningEffect* effect = EffectOf(*result, "imputed_cells");
  ASSERT_NE(effect, nullptr);
  EXPECT_EQ(effect->column(), "x");
  EXPECT_EQ(effect->count(), 10);
  EXPECT_EQ(result->transforms.task(), schema::v1::TASK_BINARY);
}

TEST(PipelineTest, TheSmallestFilesAreTaken) {
  for (const char* text : {"x,y\n1,a\n2,b\n", "x\n1\n2\n", "x,y\n1,0\n2,1\n3,1\n"}) {
    const bool labelled = std::string_view(text).starts_with("x,y");
    const auto result = RunPipeline(Header(labelled ? "y" : ""), StagedText(text), {});

    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GE(result->train.size(), 1U);
  }
}

TEST(PipelineTest, TellsWhereABadFileIsBad) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"x,y\n1,a\n2\n", "t.csv:3:2: a row must have 2 cells as the first, found 1"},
      {"x,y\n1,\"a\n", "t.csv:2:3: a cell that begins with a quote must end with one"},
      {"x,y\n1,a\"b\n", "t.csv:2:4: a quote inside a cell needs its pair, found a lone quote"},
      {std::string("x,y\n1\0,a\n", 9), "t.csv:2:2: expected text, found a NUL byte"},
      {"x,y\n\xC3\x28,a\n", "t.csv:2:1: expected UTF-8, found byte 0xC3"},
      {"", "t.csv:1:1: expected a header and rows, found an empty file"},
      {"x,y\n", "t.csv:2:1: expected rows below the header, found only the header"},
      {"x,z\n1,a\n", "t.csv:1:1: the label must be one of 2 columns, found 'y'"},
      {"x,y\n1,a\n2,a\n", "t.csv: label 'y' must have two classes or more, found only 'a'"},
      {"x,y\n1,a\ninf,b\n", "t.csv:3:1: numbers must be finite in column 'x', found 'inf'"},
      {"x,y\n1,a\n1e999,b\n", "t.csv:3:1: numbers must be finite in column 'x', found '1e999'"},
  };
  for (const auto& [text, message] : cases) {
    const absl::Status status = RunPipeline(Header("y"), StagedText(text), {}).status();

    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(message));
    EXPECT_NE(Fix(status), "") << message;
  }
}

// Goal: nothing that comes out depends on blocks or threads. Method: a file of repeated rows, late
// texts and missing cells in blocks of a row, of some rows, and as a whole.
TEST(PipelineTest, BlocksOfAnySizeGiveTheSame) {
  Random random(5);
  std::string text = "id,x,colour,when,y,late\n";
  for (int i = 0; i < 600; ++i) {
    const auto value = random.Below(200);
    text += fmt::format("{},{},\"c,{}\",2024-01-{:02},{},{}\n",
                        i % 20,
                        value % 9 == 0 ? "" : fmt::format("{}.25", value),
                        value % 5,
                        1 + value % 28,
                        value % 13 == 0 ? "" : fmt::format("k{}", value % 3),
                        i < 590 ? fmt::format("{}", value % 4) : "x");
  }
  const auto whole = RunPipeline(Header("y"), StagedText(text), {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_LT(whole->table.row_count(), 600);
  for (const std::int64_t block_bytes : {1, 500, 4'000}) {
    const auto blocks = RunPipeline(Header("y"), StagedText(text), {}, block_bytes);
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    EXPECT_EQ(blocks->train, whole->train);
    EXPECT_EQ(blocks->validation, whole->validation);
    EXPECT_EQ(blocks->table.schema.DebugString(), whole->table.schema.DebugString());
    EXPECT_EQ(blocks->transforms.DebugString(), whole->transforms.DebugString());
    EXPECT_EQ(blocks->statistics.DebugString(), whole->statistics.DebugString());
    ASSERT_EQ(blocks->effects.size(), whole->effects.size());
    for (std::size_t i = 0; i < whole->effects.size(); ++i) {
      EXPECT_EQ(blocks->effects[i].DebugString(), whole->effects[i].DebugString());
    }
  }
}

TEST(PipelineTest, StopsWhenAskedTo) {
  std::stop_source source;
  source.request_stop();
  const absl::Status status =
      RunPipeline(Header("species"), StagedText(FileText("iris.csv")), source.get_token()).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("the import was stopped"));
}

TEST(PipelineTest, ReturnsTheReadersErrorAsItCame) {
  const StagedFile file{.size = 10,
                        .read = [](std::int64_t, std::int64_t) -> absl::StatusOr<std::string> {
                          return Unavailable("the disk is gone");
                        }};
  const absl::Status status = RunPipeline(Header("y"), file, {}).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(status), "the disk is gone");
}

}  // namespace
}  // namespace millrace::data
