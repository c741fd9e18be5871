# The one place where compiler flags, libraries, programs and tests are declared.

add_library(ev_flags INTERFACE)
target_compile_definitions(ev_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE EV_VERSION="${PROJECT_VERSION}")
target_include_directories(ev_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(ev_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror -fno-common
  # snprintf cuts texts for people at their fields' lengths on purpose; whoever must not cut checks its return.
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation$<SEMICOLON>-Wno-unknown-warning-option>)
if(EV_SANITIZE)
  target_compile_options(ev_flags INTERFACE -fsanitize=${EV_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ev_flags INTERFACE -fsanitize=${EV_SANITIZE})
else()
  target_compile_options(ev_flags INTERFACE -fstack-protector-strong -fPIE)
  target_compile_definitions(ev_flags INTERFACE $<$<CONFIG:Release,RelWithDebInfo>:_FORTIFY_SOURCE=2>)
  target_link_options(ev_flags INTERFACE -pie -Wl,-z,relro,-z,now)
endif()

# GTK's macros do not survive -Wconversion, so the windows use ev_flags alone.
add_library(ev_strict INTERFACE)
target_link_libraries(ev_strict INTERFACE ev_flags)
target_compile_options(ev_strict INTERFACE -Wconversion)

# ev_add_library(NAME SOURCES ... [LIBRARIES ...])
function(ev_add_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ev_strict ${arg_LIBRARIES})
endfunction()

# ev_add_program(NAME SOURCES ... [LIBRARIES ...])
function(ev_add_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ev_strict ${arg_LIBRARIES})
endfunction()

# ev_add_test(NAME SOURCES ... [LIBRARIES ...]): a cmocka program run by ctest.
function(ev_add_test name)
  if(NOT EV_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ev_strict ${arg_LIBRARIES} cmocka)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endfunction()

# ev_add_fuzzer(NAME SOURCES ... [LIBRARIES ...]): a libFuzzer target, preset `fuzz` only.
function(ev_add_fuzzer name)
  if(NOT EV_FUZZ)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ev_strict ${arg_LIBRARIES})
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
