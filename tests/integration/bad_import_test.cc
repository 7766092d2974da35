// Files and uploads that cannot become a dataset: each is refused with its place, and nothing
// stays.

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"

namespace millrace::integration {
namespace {

using data::v1::ImportOptions;
using testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kLoss = absl::StatusCode::kDataLoss;

// A file that is no dataset; its label is `y` unless the options say otherwise.
struct BadFile {
  const char* name;
  std::string bytes;
  std::function<void(ImportOptions&)> change;
  const char* phrase;
};

void PrintTo(const BadFile& bad, std::ostream* out) {
  *out << bad.name;
}

class BadFileTest : public LocalServicesTest, public testing::WithParamInterface<BadFile> {};

TEST_P(BadFileTest, IsRefusedWithItsPlaceAndChangesNothing) {
  ASSERT_TRUE(Import(clients().data(), HeaderOf("good", "good.csv", "y"), "x,y\n1,a\n2,b\n").ok());
  const auto before = Inventory(clients()).value();
  auto header = HeaderOf("good", "bad.csv", "y");
  GetParam().change(*header.mutable_options());
  const absl::Status status = Import(clients().data(), header, GetParam().bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().phrase));
  EXPECT_NE(Fix(status), "") << "says not what to do: " << status;
  EXPECT_EQ(Inventory(clients()).value(), before);
}

void AsIs(ImportOptions& /*options*/) {}

const std::vector<BadFile> kBadFiles{
    {"RowTooLong",
     "x,y\n1,a\n2,b,c\n",
     AsIs,
     "bad.csv:3:5: a row must have 2 cells as the first, found 3"},
    {"RowTooShort",
     "x,y\n1,a\n2\n3,b\n",
     AsIs,
     "bad.csv:3:2: a row must have 2 cells as the first, found 1"},
    {"LoneQuote",
     "x,y\n1,a\n2,b\"c\n",
     AsIs,
     "bad.csv:3:4: a quote inside a cell needs its pair, found a lone quote"},
    {"QuoteThatIsNeverClosed",
     "x,y\n1,a\n2,\"b\n",
     AsIs,
     "bad.csv:3:3: a cell that begins with a quote must end with one, found the end of the file"},
    {"TextAfterAQuote",
     "x,y\n1,a\n2,\"b\"c\n",
     AsIs,
     "bad.csv:3:6: a delimiter or the end of the line must follow a closing quote, found text"},
    {"NulByte",
     std::string("x,y\n1,a\n2,\0\n", 12),
     AsIs,
     "bad.csv:3:3: expected text, found a NUL byte"},
    {"InvalidUtf8", "x,y\n1,a\n2,\xC3\x28\n", AsIs, "bad.csv:3:3: expected UTF-8, found byte 0xC3"},
    {"Empty", "", AsIs, "bad.csv:1:1: expected a header and rows, found an empty file"},
    {"OnlyAHeader",
     "x,y\n",
     AsIs,
     "bad.csv:2:1: expected rows below the header, found only the header"},
    {"NoSuchLabel",
     "x,z\n1,a\n2,b\n",
     AsIs,
     "bad.csv:1:1: the label must be one of 2 columns, found 'y'"},
    {"OneClassOnly",
     "x,y\n1,a\n2,a\n",
     AsIs,
     "bad.csv: label 'y' must have two classes or more, found only 'a'"},
    {"NoLabelInAnyRow",
     "x,y\n1,\n2,NA\n",
     AsIs,
     "bad.csv: expected rows with a label, found none in column 'y'"},
    {"NoSuchPositiveClass",
     "x,y\n1,a\n2,b\n",
     [](ImportOptions& options) { options.set_positive_class("c"); },
     "bad.csv: the positive class must be 'a' or 'b', found 'c'"},
    {"ColumnNamedTwice",
     "x,x,y\n1,2,a\n3,4,b\n",
     AsIs,
     "columns must have different names, found a second 'x'"},
    {"Infinity",
     "x,y\n1,a\n-inf,b\n",
     AsIs,
     "bad.csv:3:1: numbers must be finite in column 'x', found '-inf'"},
    {"NumberTooLarge",
     "x,y\n1,a\n1e999,b\n",
     AsIs,
     "bad.csv:3:1: numbers must be finite in column 'x', found '1e999'"},
    {"NaNWhereItDoesNotMeanNoValue",
     "x,y\n1,a\nNaN,b\n",
     [](ImportOptions& options) { options.add_missing_spellings("none"); },
     "bad.csv:3:1: numbers must be finite in column 'x', found 'NaN'"},
    {"TextInANumberColumn",
     "x,y\n1,a\nfour,b\n",
     [](ImportOptions& options) {
       (*options.mutable_column_types())["x"] = schema::v1::COLUMN_TYPE_REAL;
     },
     "bad.csv:3:1: column 'x' is COLUMN_TYPE_REAL by the import's options, found 'four'"},
    {"NoFeature",
     "y\na\nb\n",
     [](ImportOptions& options) { options.set_header(ImportOptions::HEADER_PRESENT); },
     "bad.csv: a dataset needs a feature beside its label"}};

INSTANTIATE_TEST_SUITE_P(Files, BadFileTest, testing::ValuesIn(kBadFiles), [](const auto& test) {
  return test.param.name;
});

// A good upload of a good file, and what is done to its messages: header, four chunks, close.
struct BadUpload {
  const char* name;
  std::function<void(ImportMessages&)> spoil;
  absl::StatusCode code;
  const char* phrase;
};

void PrintTo(const BadUpload& bad, std::ostream* out) {
  *out << bad.name;
}

class BadUploadTest : public LocalServicesTest, public testing::WithParamInterface<BadUpload> {};

TEST_P(BadUploadTest, IsRefusedAndChangesNothing) {
  const auto header = HeaderOf("upload", "bad.csv", "y");
  const std::string bytes = "x,y\n1,a\n2,b\n3,a\n";
  ImportMessages messages = MessagesOf(header, bytes, 4);
  ASSERT_EQ(messages.size(), 6);
  const auto before = Inventory(clients()).value();
  GetParam().spoil(messages);
  const absl::Status status = Send(clients().data(), messages).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().phrase));
  EXPECT_EQ(Inventory(clients()).value(), before);
}

const std::vector<BadUpload> kBadUploads{
    {"WrongDigest",
     [](ImportMessages& messages) {
       messages.back() = CloseMessage("x,y\n1,a\n2,b\n3,b\n");  // as long, and another text
     },
     kLoss,
     "the close says that the bytes have SHA-256"},
    {"DigestOfNoLength",
     [](ImportMessages& messages) { messages.back().mutable_close()->clear_sha256(); },
     kLoss,
     "the close says that the bytes have SHA-256"},
    {"Truncated",
     [](ImportMessages& messages) { messages.erase(messages.end() - 2); },
     kLoss,
     "the close says that 16 bytes were sent, found 12"},
    {"EndsHalfWay",
     [](ImportMessages& messages) { messages.resize(3); },
     kInvalid,
     "the stream ended without a close after 8 bytes"},
    {"EndsBeforeItBegins",
     [](ImportMessages& messages) { messages.clear(); },
     kInvalid,
     "the stream ended without a close after 0 bytes"},
    {"ChunkLeftOut",
     [](ImportMessages& messages) { messages.erase(messages.begin() + 2); },
     kInvalid,
     "the next chunk must begin at byte 4, found offset 8"},
    {"ChunkTwice",
     [](ImportMessages& messages) { messages[3] = messages[2]; },
     kInvalid,
     "the next chunk must begin at byte 8, found offset 4"},
    {"EmptyChunk",
     [](ImportMessages& messages) { messages[1].mutable_chunk()->clear_data(); },
     kInvalid,
     "a chunk must have 1 to 1048576 bytes, found 0"},
    {"ChunkTooLarge",
     [](ImportMessages& messages) {
       messages[1].mutable_chunk()->set_data(std::string((std::size_t{1} << 20) + 1, 'x'));
     },
     kInvalid,
     "a chunk must have 1 to 1048576 bytes, found 1048577"},
    {"NoHeader",
     [](ImportMessages& messages) { messages.erase(messages.begin()); },
     kInvalid,
     "an import begins with its header, found a chunk"},
    {"CloseAlone",
     [](ImportMessages& messages) { messages.erase(messages.begin(), messages.end() - 1); },
     kInvalid,
     "an import begins with its header, found a close"},
    {"HeaderTwice",
     [](ImportMessages& messages) { messages[2] = messages[0]; },
     kInvalid,
     "an import has one header, found a second one"},
    {"EmptyMessage",
     [](ImportMessages& messages) { messages[2].Clear(); },
     kInvalid,
     "a message of an import has a header, a chunk or a close, found none"},
    {"DatasetOutsideItsFolder",
     [](ImportMessages& messages) {
       messages[0].mutable_header()->set_dataset("datasets/../../etc");
     },
     kInvalid,
     "header.dataset must be 'datasets/{id}'"},
    {"DatasetWithAVersion",
     [](ImportMessages& messages) {
       messages[0].mutable_header()->set_dataset("datasets/upload/versions/7");
     },
     kInvalid,
     "header.dataset must be 'datasets/upload' without a version"},
    {"FileNameWithAPath",
     [](ImportMessages& messages) { messages[0].mutable_header()->set_file_name("../bad.csv"); },
     kInvalid,
     "header.file_name must be a path's last part"}};

INSTANTIATE_TEST_SUITE_P(Uploads,
                         BadUploadTest,
                         testing::ValuesIn(kBadUploads),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace millrace::integration
