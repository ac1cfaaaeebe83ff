# OpenJPEG 2.5.4 as the static target `openjp2` from OPENJPEG_SOURCE_DIR, which ./dev setup fills.
set(OPENJPEG_SOURCE_DIR ${PROJECT_SOURCE_DIR}/.deps/openjpeg CACHE PATH "OpenJPEG source folder")
if(NOT EXISTS ${OPENJPEG_SOURCE_DIR}/CMakeLists.txt)
  message(FATAL_ERROR "OpenJPEG 2.5.4 or later is missing: run ./dev setup")
endif()

function(add_openjpeg)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
  set(BUILD_CODEC OFF)
  set(BUILD_SHARED_LIBS OFF)
  set(BUILD_STATIC_LIBS ON)
  set(BUILD_TESTING OFF)
  set(BUILD_DOC OFF)
  set(BUILD_PKGCONFIG_FILES OFF)
  set(CMAKE_MESSAGE_LOG_LEVEL WARNING)
  add_subdirectory(${OPENJPEG_SOURCE_DIR} ${CMAKE_BINARY_DIR}/openjpeg EXCLUDE_FROM_ALL SYSTEM)
  target_compile_options(openjp2 PRIVATE -w -fvisibility=hidden)
  target_include_directories(openjp2 SYSTEM INTERFACE
                             $<BUILD_INTERFACE:${OPENJPEG_SOURCE_DIR}/src/lib/openjp2>
                             $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/openjpeg/src/lib/openjp2>)
endfunction()
add_openjpeg()
# It sends the libraries of every project that follows into its own folder.
unset(LIBRARY_OUTPUT_PATH CACHE)
unset(EXECUTABLE_OUTPUT_PATH CACHE)
