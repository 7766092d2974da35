# Writes HEADER with the version and the source revision, REVISION or what git says, when it is not
# there already.
set(revision "unknown")
find_program(GIT git)
if(REVISION)
  set(revision ${REVISION})
elseif(GIT)
  execute_process(
    COMMAND ${GIT} -C ${SOURCE_DIR} describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE described RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT failed)
    set(revision ${described})
  endif()
endif()
set(text "#define MILLRACE_VERSION \"${VERSION}\"\n#define MILLRACE_BUILD \"${VERSION}+${revision}\"\n")
set(present "")
if(EXISTS ${HEADER})
  file(READ ${HEADER} present)
endif()
if(NOT present STREQUAL text)
  file(WRITE ${HEADER} "${text}")
endif()
