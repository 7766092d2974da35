#include "clients/cli/wording.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_replace.h>

#include "common/status/status.h"

namespace millrace::cli {

namespace {

// What a field of a request is called on the command line.
struct Field {
  std::string_view command;
  std::string_view field;
  std::string_view flag;
};

constexpr std::array kFields{
    Field{"dataset import", "header.dataset", "--name"},
    Field{"dataset import", "header.file_name", "the file's name"},
    Field{"dataset import", "options.label", "--label"},
    Field{"dataset import", "options.positive_class", "--positive"},
    Field{"dataset import", "options.delimiter", "--delimiter"},
    Field{"dataset import", "options.scaling", "--scaling"},
    Field{"dataset import", "options.header", "--header"},
    Field{"dataset import", "options.missing_spellings", "--missing"},
    Field{"dataset import", "options.drop_columns", "--drop"},
    Field{"dataset import", "options.column_types", "--type"},
    Field{"dataset import", "options.train_fraction", "--train-fraction"},
    Field{"dataset import", "options.validation_fraction", "--validation-fraction"},
    Field{"dataset import", "options.split_seed", "--split-seed"},
    Field{"pipeline apply", "header.dataset", "dataset.name"},
    Field{"pipeline apply", "header.file_name", "the file's name"},
    Field{"pipeline apply", "options.", "dataset.options."},
    Field{"run start", "dataset_version", "--dataset"},
    Field{"run start", "model", "--model"},
    Field{"model upload", "header.model", "--name"},
    Field{"predict", "header.dataset", "--into"},
};

// Of the spec, which has a key in the file and a flag that goes over it.
constexpr std::array kSpecFlags{Field{"run start", "epochs", "--epochs"},
                                Field{"run start", "batch_size", "--batch-size"},
                                Field{"run start", "seed", "--seed"},
                                Field{"run start", "threads", "--threads"}};

constexpr std::array<std::string_view, 11> kEnumPrefixes{"COLUMN_TYPE_",
                                                         "COLUMN_ROLE_",
                                                         "TASK_",
                                                         "SPLIT_",
                                                         "SCALING_",
                                                         "HEADER_",
                                                         "LOSS_",
                                                         "ACTIVATION_",
                                                         "INITIALIZER_",
                                                         "STATE_",
                                                         "PERMISSION_"};

// What a name of a thing must look like, as the services and as people say it.
constexpr std::array<std::array<const char*, 2>, 8> kForms{
    {{"'datasets/{id}' or 'datasets/{id}/versions/{number or sha256:digest}'",
      "NAME, NAME@VERSION or NAME@sha256:DIGEST"},
     {"'models/{id}' or 'models/{id}/versions/{number}'", "NAME or NAME@VERSION"},
     {"'runs/{id}'", "a run's name"},
     {"an id is 1 to", "a name is 1 to"},
     {"found 'datasets/", "found '"},
     {"found 'models/", "found '"},
     {"found 'runs/", "found '"},
     {"must be models/{model}: serving numbers the versions",
      "must be a model's name without a version"}}};

bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

// Each part of `text` that does not stand between single quotes, changed by `change`.
template <typename Change>
std::string OutsideQuotes(std::string_view text, const Change& change) {
  std::string result;
  while (!text.empty()) {
    std::size_t open = text.find('\'');
    while (open != std::string_view::npos && open > 0 && IsWordChar(text[open - 1])) {
      open = text.find('\'', open + 1);  // the one of "the file's name" opens nothing
    }
    result += change(text.substr(0, open));
    if (open == std::string_view::npos) {
      break;
    }
    const std::size_t close = text.find('\'', open + 1);
    const std::size_t end = close == std::string_view::npos ? text.size() : close + 1;
    result += text.substr(open, end - open);
    text.remove_prefix(end);
  }
  return result;
}

// `field` where it stands as a word of its own; one that ends with a point is the beginning of one.
std::string Replaced(std::string_view text, std::string_view field, std::string_view flag) {
  std::string result;
  while (true) {
    const std::size_t found = text.find(field);
    if (found == std::string_view::npos) {
      return result.append(text);
    }
    const std::size_t end = found + field.size();
    const bool begins = (found > 0 && IsWordChar(text[found - 1])) ||
                        (found == 0 && !result.empty() && IsWordChar(result.back()));
    const bool goes_on = !field.ends_with('.') && end < text.size() && IsWordChar(text[end]);
    result.append(text.substr(0, found)).append(begins || goes_on ? field : flag);
    text.remove_prefix(end);
  }
}

// A single word must begin a message to be a field: `model must name no version`, not `a model`.
bool MayReplace(const Field& field, std::string_view text) {
  return field.field != "model" || text.starts_with("model must");
}

bool IsGiven(std::string_view flag, const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), [flag](const std::string& word) {
    return word.starts_with(flag);
  });
}

std::string WithFlag(const std::string& text, const Field& field) {
  return OutsideQuotes(
      text, [&field](std::string_view part) { return Replaced(part, field.field, field.flag); });
}

// A value of an enum as a person writes it: COLUMN_TYPE_REAL as real; any other word as it is.
std::string EnumWord(std::string_view word) {
  const auto* const prefix = std::find_if(
      std::begin(kEnumPrefixes), std::end(kEnumPrefixes), [word](std::string_view one) {
        return word.size() > one.size() && word.starts_with(one);
      });
  if (prefix == std::end(kEnumPrefixes)) {
    return std::string(word);
  }
  std::string lower(word.substr(prefix->size()));
  absl::AsciiStrToLower(&lower);
  return lower;
}

std::string Worded(std::string_view command,
                   const std::vector<std::string>& words,
                   std::string_view text) {
  std::string result(text);
  for (const auto& [from, to] : kForms) {
    result = absl::StrReplaceAll(result, {{from, to}});
  }
  for (const Field& field : kFields) {
    if (field.command == command && MayReplace(field, result)) {
      result = WithFlag(result, field);
    }
  }
  if (command == "run start") {
    result = OutsideQuotes(result,
                           [](std::string_view part) { return Replaced(part, "training.", ""); });
    for (const Field& field : kSpecFlags) {
      if (IsGiven(field.flag, words)) {
        result = WithFlag(result, field);
      }
    }
  }
  return WithEnumWords(result);
}

}  // namespace

std::string WithEnumWords(std::string_view text) {
  return OutsideQuotes(text, [](std::string_view part) {
    std::string result;
    for (std::size_t i = 0; i < part.size();) {
      std::size_t end = i;
      while (end < part.size() && IsWordChar(part[end])) {
        ++end;
      }
      result += EnumWord(part.substr(i, end - i));
      if (end < part.size()) {
        result += part[end++];
      }
      i = end;
    }
    return result;
  });
}

absl::Status InWordsOf(std::string_view command,
                       const std::vector<std::string>& words,
                       const absl::Status& status) {
  if (status.ok()) {
    return status;
  }
  absl::Status worded = Reworded(status, Worded(command, words, Message(status)));
  const std::string fix = Fix(status);
  return fix.empty() ? worded : WithFix(std::move(worded), Worded(command, words, fix));
}

}  // namespace millrace::cli
