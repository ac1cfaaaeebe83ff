# The installed library: one shared object from all layers but the command line, its headers, a CMake package, a pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(layers base io dicom codec columns format archive series)
# Until 1.0 each minor version may change the interface, as the package's version file says, too.
set(interface ${PROJECT_VERSION_MAJOR})
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(interface 0.${PROJECT_VERSION_MINOR})
endif()
add_library(dicube_shared SHARED)
set_target_properties(dicube_shared PROPERTIES OUTPUT_NAME dicube EXPORT_NAME dicube VERSION ${PROJECT_VERSION}
                      SOVERSION ${interface})
target_include_directories(dicube_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
target_compile_features(dicube_shared INTERFACE cxx_std_20)
target_link_libraries(dicube_shared INTERFACE tl::expected
                      PRIVATE fmt::fmt-header-only OpenSSL::Crypto ZLIB::ZLIB PkgConfig::zstd hwy openjph openjp2 jpeg_turbo PkgConfig::charls PkgConfig::jxl
                      Threads::Threads)
set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
target_link_options(dicube_shared PRIVATE -Wl,--version-script=${exports})
set_target_properties(dicube_shared PROPERTIES LINK_DEPENDS ${exports})
foreach(layer ${layers})
  target_sources(dicube_shared PRIVATE $<TARGET_OBJECTS:dicube_${layer}>)
endforeach()

configure_package_config_file(cmake/dicubeConfig.cmake.in dicubeConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dicube)
write_basic_package_version_file(dicubeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
# Wherever it is installed, and `cmake --install` may say so later.
file(RELATIVE_PATH path_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/dicube.pc.in dicube.pc @ONLY)

install(TARGETS dicube_shared EXPORT dicubeTargets COMPONENT dicube)
install(TARGETS dicube COMPONENT dicube)
install(DIRECTORY ${PROJECT_BINARY_DIR}/share/ DESTINATION ${CMAKE_INSTALL_DATADIR} COMPONENT dicube)
install(DIRECTORY include/dicube TYPE INCLUDE COMPONENT dicube)
install(EXPORT dicubeTargets NAMESPACE dicube:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dicube COMPONENT dicube)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dicubeConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/dicubeConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dicube COMPONENT dicube)
# Of what is linked in from sources of its own; the system's libraries came with theirs.
foreach(source openjph openjpeg libjpeg-turbo highway)
  file(GLOB notices .deps/${source}/LICENSE* .deps/${source}/README.ijg)
  install(FILES ${notices} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/dicube/licenses/${source} COMPONENT dicube)
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/dicube COMPONENT dicube)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dicube.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dicube)
