# The HTJ2K codec OpenJPH as the target `openjph`, headers as <openjph/ojph_...h>: an installed one of 0.24 or later
# (before that its QCD and COD parsers overflow on hostile input), or the source in OPENJPH_SOURCE_DIR, which
# ./dev setup fills.
set(OPENJPH_SOURCE_DIR ${PROJECT_SOURCE_DIR}/.deps/openjph CACHE PATH "OpenJPH source folder")
option(DICUBE_SYSTEM_OPENJPH "Use an installed OpenJPH when there is one" ON)

if(DICUBE_SYSTEM_OPENJPH)
  # Its version file accepts an equal minor version only, and the target of an older one would be in the way of ours: ask
  # for a version that none has, and compare here.
  find_package(openjph 999 CONFIG QUIET)
  foreach(config version IN ZIP_LISTS openjph_CONSIDERED_CONFIGS openjph_CONSIDERED_VERSIONS)
    if(version VERSION_GREATER_EQUAL 0.24)
      get_filename_component(folder ${config} DIRECTORY)
      find_package(openjph CONFIG REQUIRED GLOBAL PATHS ${folder} NO_DEFAULT_PATH)
      message(STATUS "OpenJPH ${version}: installed")
      return()
    endif()
  endforeach()
  pkg_check_modules(openjph_installed QUIET IMPORTED_TARGET GLOBAL openjph>=0.24)
  if(openjph_installed_FOUND)
    message(STATUS "OpenJPH ${openjph_installed_VERSION}: installed")
    add_library(openjph ALIAS PkgConfig::openjph_installed)
    return()
  endif()
endif()

if(NOT EXISTS ${OPENJPH_SOURCE_DIR}/CMakeLists.txt)
  message(FATAL_ERROR "OpenJPH 0.24 or later is missing: run ./dev setup")
endif()
set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)  # so that its options take the values set here
set(OJPH_ENABLE_TIFF_SUPPORT OFF)
set(OJPH_BUILD_EXECUTABLES OFF)
set(OJPH_BUILD_STREAM_EXPAND OFF)
set(OJPH_BUILD_TESTS OFF)
set(OJPH_LIB_TYPE STATIC)
add_subdirectory(${OPENJPH_SOURCE_DIR} ${CMAKE_BINARY_DIR}/openjph EXCLUDE_FROM_ALL SYSTEM)
target_compile_options(openjph PRIVATE -w)  # GCC 12 warns of its own AVX-512 header in each of its sources
target_include_directories(openjph SYSTEM INTERFACE $<BUILD_INTERFACE:${OPENJPH_SOURCE_DIR}/src/core>)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
  # Values of over 16 bits make OpenJPH 0.32 shift a zero by 64 there, which it may not, and which stays a zero.
  set_source_files_properties(${OPENJPH_SOURCE_DIR}/src/core/coding/ojph_block_encoder_avx2.cpp TARGET_DIRECTORY openjph
                              PROPERTIES COMPILE_OPTIONS -fno-sanitize=shift)
endif()
