// TextRules: what one file, or a list of files, may look like. Pure functions over text, so that
// each rule is itself tested with a text that breaks it.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/house/source_tree.h"

namespace millrace::house {

/// A part of the path that names nothing: utils, helpers, misc, manager, common_anything.
Findings NamelessRooms(const SourceFile& file);

/// More than 400 lines in a header, 600 in a source.
Findings TooLong(const SourceFile& file);

/// A header whose first line is not `// Name: what it is` (a command stands in
/// backquotes), or whose first line of code is not
/// `#pragma once`.
Findings HeaderWithoutOpening(const SourceFile& file);

/// Work left open: the usual words for it.
Findings OpenWork(const SourceFile& file);

/// A path that exists on one machine only: a root or home folder.
Findings MachinePaths(const SourceFile& file);

/// file(GLOB): a list that nobody wrote.
Findings Globbing(const SourceFile& file);

/// fsync, rename and their kin, outside common/storage.
Findings DurabilityOutsideStorage(const SourceFile& file);

/// absl::string_view in code outside common/status.
Findings AbslStringViewOutsideStatus(const SourceFile& file);

/// A test source without an EXPECT or ASSERT.
Findings WithoutAssertion(const SourceFile& file);

/// A proto file whose package is not its folder.
Findings PackageIsNotFolder(const SourceFile& file);

/// A source or header that its folder's CMakeLists.txt, among `files`, does not list.
Findings UnlistedSources(const std::vector<SourceFile>& files);

/// A tests/unit/**/x_test.cc without its **/x.h among `files`; or x.cc, where several sources
/// implement one header.
Findings TestsWithoutHeader(const std::vector<SourceFile>& files);

/// A folder below `top` that holds sources of `files` and has no line "- `folder/`" in
/// `top`/README.md, or such a line without its folder.
Findings FoldersWithoutLine(const std::vector<SourceFile>& files, std::string_view top);

/// `text` without its // comments and without what stands between quotes.
std::string CodeOnly(std::string_view text);

}  // namespace millrace::house
