# The four ways to make a target. Everything else in this tree is a list of names.

# Turns a folder's path into its target's name: common/network -> common_network.
function(millrace_folder target_out alias_out folder_out)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE folder)
  string(REPLACE "/" "_" target ${folder})
  string(REPLACE "/" "::" alias ${folder})
  set(${target_out} ${target} PARENT_SCOPE)
  set(${alias_out} millrace::${alias} PARENT_SCOPE)
  set(${folder_out} ${folder} PARENT_SCOPE)
endfunction()

# millrace_library(HEADERS a.h SOURCES a.cc PUBLIC dep PRIVATE dep)
#
# The one way to make a library: one folder, one target, named after its path
# (common/network -> millrace::common::network). PUBLIC are the folders whose headers this
# folder's headers include; PRIVATE those that only its .cc files include.
function(millrace_library)
  cmake_parse_arguments(ARG "" "" "HEADERS;SOURCES;PUBLIC;PRIVATE" ${ARGN})
  millrace_folder(target alias folder)
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE millrace_build ${ARG_PRIVATE})
    set_property(GLOBAL APPEND_STRING PROPERTY millrace_targets "library $<TARGET_FILE:${target}>\n")
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
    target_link_libraries(${target} INTERFACE ${ARG_PUBLIC})
  endif()
  add_library(${alias} ALIAS ${target})
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR})
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
  # The layer test reads this: folder, then every folder it may include.
  set_property(GLOBAL APPEND_STRING PROPERTY millrace_layers "${folder}: ${ARG_PUBLIC} ${ARG_PRIVATE}\n")
endfunction()

# millrace_program(NAME millrace-data SOURCES main.cc DEPS dep)
#
# A folder's program: the composition root over the libraries below it.
function(millrace_program)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS" ${ARGN})
  millrace_folder(target alias folder)
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME} PRIVATE millrace_build ${ARG_DEPS})
  set_property(GLOBAL APPEND_STRING PROPERTY millrace_layers "${folder}: ${ARG_DEPS}\n")
  set_property(GLOBAL APPEND_STRING PROPERTY millrace_targets "program $<TARGET_FILE:${ARG_NAME}>\n")
  set_property(GLOBAL APPEND PROPERTY millrace_programs ${ARG_NAME})
endfunction()

# All of this repository's targets that `targets` stand on, themselves included.
function(millrace_reach targets reach_out)
  set(reach)
  set(open ${targets})
  while(open)
    list(POP_FRONT open next)
    if(next MATCHES "^millrace::" AND NOT next IN_LIST reach)
      list(APPEND reach ${next})
      foreach(links LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
        get_target_property(links ${next} ${links})
        list(APPEND open ${links})
      endforeach()
    endif()
  endwhile()
  set(${reach_out} ${reach} PARENT_SCOPE)
endfunction()

# millrace_test(NAME common_network_test SOURCES a_test.cc DEPS millrace::common::network)
#
# A GoogleTest program, run as one ctest. Extra arguments: LABELS, TIMEOUT (seconds, 120 by default).
# One that does without common/rpc has the label `domain` and is built by the target domain_tests. The
# option THREADS gives it the label `threads`: the target threads_tests builds those for TSan.
function(millrace_test)
  cmake_parse_arguments(ARG "THREADS" "NAME;TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME} PRIVATE millrace_build ${ARG_DEPS} GTest::gmock_main)
  target_include_directories(${ARG_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${ARG_NAME} PRIVATE MILLRACE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  millrace_reach("${ARG_DEPS}" reach)
  if(reach AND NOT ARG_LABELS AND NOT millrace::common::rpc IN_LIST reach)
    list(APPEND ARG_LABELS domain)
    add_dependencies(domain_tests ${ARG_NAME})
  endif()
  if(ARG_THREADS)
    list(APPEND ARG_LABELS threads)
    add_dependencies(threads_tests ${ARG_NAME})
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(${ARG_NAME} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

# millrace_fuzzer(NAME csv SOURCES csv_fuzzer.cc DEPS millrace::common::csv)
#
# A libFuzzer program csv_fuzzer, run as one ctest of 100,000 inputs that grow from corpus/csv. What
# it adds to them stays in the build folder, where the next run begins with it.
function(millrace_fuzzer)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS" ${ARGN})
  set(program ${ARG_NAME}_fuzzer)
  set(found ${CMAKE_CURRENT_BINARY_DIR}/found/${ARG_NAME})
  file(MAKE_DIRECTORY ${found})
  add_executable(${program} ${ARG_SOURCES})
  target_link_libraries(${program} PRIVATE millrace_build ${ARG_DEPS})
  target_link_options(${program} PRIVATE -fsanitize=fuzzer)
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR})
  add_dependencies(fuzzers ${program})
  add_test(NAME ${program} COMMAND ${program}
    -runs=100000 -seed=1 -max_len=4096 -timeout=10 -rss_limit_mb=2048
    -artifact_prefix=${found}- ${found} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${ARG_NAME})
  set_tests_properties(${program} PROPERTIES TIMEOUT 300 LABELS fuzz)
endfunction()
