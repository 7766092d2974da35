#include "tests/house/layers.h"

#include <algorithm>
#include <optional>
#include <regex>
#include <sstream>

#include <fmt/core.h>

namespace millrace::house {
namespace {

constexpr std::string_view kOurTargets = "millrace::";

// `millrace::common::csv` -> `common/csv`; empty for other people's targets.
std::string FolderOfTarget(std::string_view target) {
  if (!target.starts_with(kOurTargets)) {
    return {};
  }
  static const std::regex colons("::");
  return std::regex_replace(std::string(target.substr(kOurTargets.size())), colons, "/");
}

std::vector<std::string> Words(std::string text) {
  std::replace(text.begin(), text.end(), ';', ' ');
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  return words;
}

std::string FirstPart(std::string_view path) {
  return std::string(path.substr(0, path.find('/')));
}

// `services/data/clean` -> `services/data`.
std::string ServiceOf(const std::string& folder) {
  const std::size_t slash = folder.find('/', std::string_view("services/").size());
  return folder.substr(0, slash);
}

// `services/data/clean/rules` -> `clean`; empty for the service's own folder.
std::string StepOf(const std::string& folder) {
  const std::string service = ServiceOf(folder);
  return service == folder ? std::string() : FirstPart(folder.substr(service.size() + 1));
}

std::optional<int> Rank(const std::string& folder) {
  static const std::map<std::string, int> ranks = {
      {"proto", 0}, {"common", 1}, {"services", 2}, {"clients", 3}};
  const auto found = ranks.find(FirstPart(folder));
  return found == ranks.end() ? std::nullopt : std::optional<int>(found->second);
}

// Calls `offence(folder, linked)` for each link of `layers` and gathers what it says.
template <typename Offence>
Findings ForEachLink(const Layers& layers, const Offence& offence) {
  Findings findings;
  for (const auto& [folder, links] : layers) {
    for (const std::string& linked : links) {
      const std::string why = offence(folder, linked);
      if (!why.empty()) {
        findings.push_back(fmt::format("{}/CMakeLists.txt links {}: {}", folder, linked, why));
      }
    }
  }
  return findings;
}

// The path in a line `#include "path"`, or empty.
std::string QuotedInclude(const std::string& line) {
  static const std::regex include(R"re(^\s*#\s*include\s+"([^"]+)")re");
  std::smatch match;
  return std::regex_search(line, match, include) ? match[1].str() : std::string();
}

// `millrace/data/v1/data_service` of its `.pb.h` or `.grpc.pb.h`.
std::string ProtoStem(const std::string& path) {
  static const std::regex generated(R"((\.grpc)?\.pb\.h$)");
  return std::regex_replace(path, generated, "");
}

// The library that `path` belongs to, or empty when it is not of this repository.
std::string OwnerOf(const std::string& path, const ProtoLibraries& protos) {
  const auto proto = protos.library_of_file.find(ProtoStem(path));
  if (proto != protos.library_of_file.end()) {
    return proto->second;
  }
  return Rank(path) ? FolderOf(path) : std::string();
}

bool Reaches(const std::set<std::string>& links,
             const std::string& wanted,
             const ProtoLibraries& protos) {
  return std::any_of(links.begin(), links.end(), [&](const std::string& link) {
    const auto reach = protos.reach.find(link);
    return link == wanted || (reach != protos.reach.end() && reach->second.contains(wanted));
  });
}

// Adds what the libraries in `reach` reach to them, until nothing changes.
void Close(Layers& reach) {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& [library, reached] : reach) {
      const std::set<std::string> before = reached;
      for (const std::string& through : before) {
        reached.insert(reach[through].begin(), reach[through].end());
      }
      changed = changed || reached.size() != before.size();
    }
  }
}

// Longest chains of includes, each header computed once.
class IncludeGraph {
 public:
  explicit IncludeGraph(const std::vector<SourceFile>& files) {
    for (const SourceFile& file : files) {
      for (const std::string& line : Lines(file.text)) {
        const std::string included = QuotedInclude(line);
        if (!included.empty()) {
          includes_[file.path].insert(included);
        }
      }
      includes_[file.path].erase(file.path);
    }
  }

  // Headers on the longest way from `path`, itself not counted. A circle is noted and cut.
  int Chain(const std::string& path) {
    const auto known = chains_.find(path);
    if (known != chains_.end()) {
      if (known->second == kOpen) {
        circles_.push_back(path + ": includes itself through other headers");
      }
      return known->second == kOpen ? 0 : known->second;
    }
    chains_[path] = kOpen;
    int longest = 0;
    for (const std::string& included : includes_[path]) {
      longest = includes_.contains(included) ? std::max(longest, 1 + Chain(included)) : longest;
    }
    chains_[path] = longest;
    return longest;
  }

  [[nodiscard]] const Findings& circles() const { return circles_; }

 private:
  static constexpr int kOpen = -1;  // being computed: it is on the way that led here

  Layers includes_;
  std::map<std::string, int> chains_;
  Findings circles_;
};

}  // namespace

Layers ParseLayers(std::string_view text) {
  Layers layers;
  for (const std::string& line : Lines(text)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) {
      continue;
    }
    std::set<std::string>& links = layers[line.substr(0, colon)];
    for (const std::string& target : Words(line.substr(colon + 1))) {
      const std::string folder = FolderOfTarget(target);
      if (!folder.empty()) {
        links.insert(folder);
      }
    }
  }
  return layers;
}

ProtoLibraries ParseProtoLibraries(std::string_view cmake) {
  ProtoLibraries protos;
  static const std::regex call(R"(millrace_proto\(NAME\s+(\w+)([^)]*)\))");
  const std::string text(cmake);
  for (std::sregex_iterator it(text.begin(), text.end(), call), end; it != end; ++it) {
    const std::string library = "proto/" + (*it)[1].str();
    protos.reach[library].insert(library);
    for (const std::string& word : Words((*it)[2].str())) {
      if (word.ends_with(".proto")) {
        protos.library_of_file[word.substr(0, word.rfind('.'))] = library;
      } else if (word.starts_with(kOurTargets)) {
        protos.reach[library].insert(FolderOfTarget(word));
      }
    }
  }
  Close(protos.reach);
  return protos;
}

std::vector<std::string> ParseSubdirectories(std::string_view cmake) {
  std::vector<std::string> names;
  static const std::regex call(R"(^\s*add_subdirectory\(([\w/]+)\))");
  for (const std::string& line : Lines(cmake)) {
    std::smatch match;
    if (std::regex_search(line, match, call)) {
      names.push_back(match[1].str());
    }
  }
  return names;
}

Findings UnlinkedIncludes(const SourceFile& file,
                          const Layers& layers,
                          const ProtoLibraries& protos) {
  Findings findings;
  const std::string folder = FolderOf(file.path);
  const auto links = layers.find(folder);
  if (links == layers.end()) {
    return {fmt::format("{}: {} is no library or program of CMake", file.path, folder)};
  }
  for (const std::string& line : Lines(file.text)) {
    const std::string path = QuotedInclude(line);
    const std::string owner = OwnerOf(path, protos);
    if (!owner.empty() && owner != folder && !Reaches(links->second, owner, protos)) {
      findings.push_back(fmt::format("{}: includes {}, but {}/CMakeLists.txt does not link {}",
                                     file.path,
                                     path,
                                     folder,
                                     owner));
    }
  }
  return findings;
}

Findings LinksAgainstTheStream(const Layers& layers) {
  return ForEachLink(layers, [](const std::string& folder, const std::string& linked) {
    const std::optional<int> from = Rank(folder);
    const std::optional<int> to = Rank(linked);
    if (!from || !to) {
      return std::string(from ? "the link has no layer" : "the folder has no layer");
    }
    if (*from < *to) {
      return std::string("the stream is proto <- common <- services <- clients");
    }
    const bool services = FirstPart(folder) == "services" && FirstPart(linked) == "services";
    return services && ServiceOf(folder) != ServiceOf(linked)
               ? std::string("services never include each other")
               : std::string();
  });
}

Findings LinksBetweenSteps(const Layers& layers) {
  static const std::set<std::string> composers = {"", "pipeline", "rpc", "worker"};
  return ForEachLink(layers, [](const std::string& folder, const std::string& linked) {
    const bool services = FirstPart(folder) == "services" && FirstPart(linked) == "services";
    if (!services || composers.contains(StepOf(folder)) || StepOf(folder) == StepOf(linked)) {
      return std::string();
    }
    return std::string("a step includes no other step, only pipeline, rpc and main compose");
  });
}

Findings LinksAgainstOrder(const Layers& layers, const std::vector<std::string>& order) {
  const auto place = [&](const std::string& folder) {
    const std::string name = FirstPart(folder.substr(folder.find('/') + 1));
    return std::find(order.begin(), order.end(), name) - order.begin();
  };
  return ForEachLink(layers, [&](const std::string& folder, const std::string& linked) {
    const bool inside = FirstPart(folder) == "common" && FirstPart(linked) == "common";
    return inside && place(folder) < place(linked)
               ? std::string("common/CMakeLists.txt lists it later")
               : std::string();
  });
}

Findings GrpcOutside(const SourceFile& file, const std::set<std::string>& rooms) {
  if (rooms.contains(FolderOf(file.path))) {
    return {};
  }
  static const std::regex include(R"re(#\s*include\s+(<grpc|"[^"]+\.grpc\.pb\.h"))re");
  return std::regex_search(file.text, include)
             ? Findings{file.path + ": domain code does not know gRPC"}
             : Findings{};
}

Findings LongIncludeChains(const std::vector<SourceFile>& files, int longest) {
  IncludeGraph graph(files);
  Findings findings;
  for (const SourceFile& file : files) {
    const int chain = graph.Chain(file.path);
    if (chain > longest) {
      findings.push_back(
          fmt::format("{}: a chain of {} own headers, at most {}", file.path, chain, longest));
    }
  }
  findings.insert(findings.end(), graph.circles().begin(), graph.circles().end());
  return findings;
}

}  // namespace millrace::house
