# libjpeg-turbo 3.1 (8, 12 and 16 bits, lossless) as the target `jpeg_turbo`: static, its symbols hidden from what else the
# process loads, since Debian 12's libjpeg has the same names. LIBJPEG_TURBO_SOURCE_DIR is what ./dev setup fills.
set(LIBJPEG_TURBO_SOURCE_DIR ${PROJECT_SOURCE_DIR}/.deps/libjpeg-turbo CACHE PATH "libjpeg-turbo source folder")
if(NOT EXISTS ${LIBJPEG_TURBO_SOURCE_DIR}/CMakeLists.txt)
  message(FATAL_ERROR "libjpeg-turbo 3.1 or later is missing: run ./dev setup")
endif()

include(ExternalProject)  # its build files refuse add_subdirectory()
set(build ${CMAKE_BINARY_DIR}/libjpeg-turbo)
set(library ${build}/${CMAKE_STATIC_LIBRARY_PREFIX}jpeg${CMAKE_STATIC_LIBRARY_SUFFIX})
# Its own undefined behaviour is not ours to stop at: without UBSan.
string(REGEX REPLACE "-fsanitize=address,undefined" "-fsanitize=address" flags "${CMAKE_C_FLAGS}")
# --fresh: configured anew with another compiler (`pip install .` takes Python's, ./dev takes cc), a folder forgets all
# other arguments, -fPIC among them.
ExternalProject_Add(libjpeg_turbo_build
  SOURCE_DIR ${LIBJPEG_TURBO_SOURCE_DIR}
  BINARY_DIR ${build}
  CMAKE_ARGS --fresh -DCMAKE_BUILD_TYPE=Release -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF -DWITH_TOOLS=OFF -DWITH_TESTS=OFF
             -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}
             -DCMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER} "-DCMAKE_C_FLAGS=${flags} -fexceptions -fvisibility=hidden -w"
  BUILD_COMMAND ${CMAKE_COMMAND} --build . --target jpeg-static
  INSTALL_COMMAND ""
  BUILD_BYPRODUCTS ${library}
  EXCLUDE_FROM_ALL TRUE)
file(MAKE_DIRECTORY ${build})
add_library(jpeg_turbo STATIC IMPORTED GLOBAL)
add_dependencies(jpeg_turbo libjpeg_turbo_build)
set_target_properties(jpeg_turbo PROPERTIES IMPORTED_LOCATION ${library})
target_include_directories(jpeg_turbo SYSTEM INTERFACE ${LIBJPEG_TURBO_SOURCE_DIR}/src ${build})
