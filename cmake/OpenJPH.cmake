# The HTJ2K codec OpenJPH as the target `openjph`, statically linked: an installed one of 0.24 or later, or the
# source in OPENJPH_SOURCE_DIR (./dev setup puts it into .deps/openjph).
set(OPENJPH_SOURCE_DIR ${CMAKE_SOURCE_DIR}/.deps/openjph CACHE PATH "OpenJPH source folder")

if(EXISTS ${OPENJPH_SOURCE_DIR}/CMakeLists.txt)
  set(OJPH_ENABLE_TIFF_SUPPORT OFF)
  set(OJPH_BUILD_EXECUTABLES OFF)
  set(OJPH_BUILD_STREAM_EXPAND OFF)
  set(OJPH_BUILD_TESTS OFF)
  set(BUILD_SHARED_LIBS OFF)
  add_subdirectory(${OPENJPH_SOURCE_DIR} ${CMAKE_BINARY_DIR}/openjph EXCLUDE_FROM_ALL)
else()
  message(FATAL_ERROR "OpenJPH is missing: run ./dev setup")
endif()
