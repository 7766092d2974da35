// Callers: which functions of the libraries no program kept, since nothing in it calls them.

#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/house/source_tree.h"

namespace millrace::house {

/// Function, with its parameters -> the source that defines it: `common/csv/tokenizer.cc`.
using Functions = std::map<std::string, std::string>;

/// The functions of this repository in what `nm -A --demangle --defined-only` printed of libraries
/// below `build_folder`, each in the place of its folder: those that other files can call. What a
/// class has by itself (constructors, assignments) is left out.
Functions FunctionsOfLibraries(std::string_view nm, std::string_view build_folder);

/// All functions of this repository in what the same printed of programs.
std::set<std::string> FunctionsOfPrograms(std::string_view nm);

/// `millrace::csv::Quoted` of `millrace::csv::Quoted(std::string const&)`.
std::string NameWithoutParameters(std::string_view function);

/// Functions of the libraries that no program has and that their own source does not call either
/// (there a call may leave no trace), but for those whose name is in `reasons`; and names in
/// `reasons` that are no such function (any more).
Findings WithoutCaller(const Functions& libraries,
                       const std::set<std::string>& programs,
                       const std::vector<SourceFile>& tree,
                       const std::map<std::string, std::string>& reasons);

}  // namespace millrace::house
