// Layers: who may include whom. CMake's link lists say it; these rules hold the sources, and the
// lists themselves, against the design.

#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/house/source_tree.h"

namespace millrace::house {

/// Folder -> the folders of this repository that it links: `common/csv`, or `proto/data_v1` for
/// the library of a proto package.
using Layers = std::map<std::string, std::set<std::string>>;

/// Reads the layers.txt that CMake wrote: `folder: target target;target` lines. Targets that are
/// not of this repository are left out. Several lines for one folder add up.
Layers ParseLayers(std::string_view text);

/// The proto libraries, as proto/CMakeLists.txt lists them.
struct ProtoLibraries {
  // `millrace/data/v1/data_service` -> `proto/data_v1`.
  std::map<std::string, std::string> library_of_file;
  // `proto/data_v1` -> itself and all that its messages are made of.
  Layers reach;
};

ProtoLibraries ParseProtoLibraries(std::string_view cmake);

/// The order of the `add_subdirectory(name)` lines.
std::vector<std::string> ParseSubdirectories(std::string_view cmake);

/// An include, of this repository's header or generated contract, that the folder's link list
/// does not name. A proto library may be used through one whose messages contain its own.
Findings UnlinkedIncludes(const SourceFile& file,
                          const Layers& layers,
                          const ProtoLibraries& protos);

/// A link against the stream proto <- common <- services <- clients, or between two services.
Findings LinksAgainstTheStream(const Layers& layers);

/// A step of a service that links another step. Only `pipeline`, `rpc`, `worker` and the service's
/// own folder (its main.cc) compose steps.
Findings LinksBetweenSteps(const Layers& layers);

/// A link in common/ to a folder that `order` does not list before.
Findings LinksAgainstOrder(const Layers& layers, const std::vector<std::string>& order);

/// gRPC in domain code: an include of grpcpp or of a service's stubs in a folder outside `rooms`.
Findings GrpcOutside(const SourceFile& file, const std::set<std::string>& rooms);

/// Headers that include each other in a circle, and chains of own includes over `longest`.
Findings LongIncludeChains(const std::vector<SourceFile>& files, int longest);

}  // namespace millrace::house
